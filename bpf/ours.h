/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this frame ours? One classifier for the XDP program, the tc guard and the packet socket's filter: if the
 * three disagreed about a single frame, that frame would be answered twice, or by nobody.
 *
 * The context differs, the question does not. XDP reads the frame in place; tc and socket filters copy out of the
 * socket buffer, where a VLAN tag may already have been taken out of the bytes. `kind` is a constant wherever
 * lb_load is inlined, so that only one of its two halves is left in a program.
 *
 * The verifier follows every way through a program, with every value it knows on that way: VLAN tags times IP versions
 * times extension headers, and all of it again for the packet that an ICMP error quotes. Where ways meet, lb_forget
 * makes it forget how it came there, so that the second way is found equal to the first and not followed. That keeps
 * the work small on old kernels, and needs none of the type information that kernels may be built without.
 *
 * Whatever cannot be decided (cut short, malformed, too many headers) is not ours: the kernel gets it.
 */
#ifndef LB_OURS_H
#define LB_OURS_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "lb_shared.h"

enum lb_kind { LB_KIND_XDP, LB_KIND_SKB };

/* No header that we look at starts behind this. A bound that the verifier sees right before each read. */
#define LB_OFFSET_LIMIT 4096
#define LB_VLAN_TAGS 2
#define LB_EXTENSION_HEADERS 6

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, LB_OURS_MAX_ENTRIES);
  __type(key, struct lb_ours_key);
  __type(value, struct lb_ours_value);
} lb_ours SEC(".maps");

/* The two ends of a packet as map keys. `local` is the end that we would own: the destination of a packet, the
 * source of a packet quoted by an ICMP error (it is what we sent). */
struct lb_packet {
  struct lb_ours_key local;  /* compared on LB_SIDE_DESTINATION */
  struct lb_ours_key remote; /* compared on LB_SIDE_SOURCE */
  __u32 transport;           /* offset of the transport header */
  __u8 protocol;
  bool fragment;       /* any fragment */
  bool later_fragment; /* not the first: there are no ports */
} __attribute__((aligned(8)));

/* The same value, about which the verifier knows nothing any more: it went through a number that only the running
 * program has. */
static __always_inline __u64 lb_forget(void *context, const enum lb_kind kind, __u64 value) {
  __u64 unknown =
      kind == LB_KIND_XDP ? ((struct xdp_md *)context)->rx_queue_index : ((struct __sk_buff *)context)->ifindex;
  asm volatile("%0 ^= %1\n%0 ^= %1" : "+r"(value) : "r"(unknown));
  return value;
}

/* Copies `count` bytes at `offset`; false when the frame is shorter. */
static __always_inline bool lb_load(void *context, const enum lb_kind kind, __u64 offset, void *to,
                                    const __u32 count) {
  barrier_var(offset);
  if (offset > LB_OFFSET_LIMIT)
    return false;
  if (kind == LB_KIND_SKB)
    return bpf_skb_load_bytes(context, offset, to, count) == 0;
  struct xdp_md *xdp = context;
  __u8 *from = (__u8 *)(long)xdp->data + offset;
  if (from + count > (__u8 *)(long)xdp->data_end)
    return false;
  /* Not true of the packet, but lets the compiler load words: every machine we run on takes unaligned ones. */
  __builtin_memcpy(to, __builtin_assume_aligned(from, 4), count);
  return true;
}

static __always_inline bool lb_has_ports(__u8 protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/* AH and ESP go where their key exchange goes, which is UDP from port 500 to port 500. */
#define LB_KEY_EXCHANGE_PORT 500

static __always_inline bool lb_is_security_payload(__u8 protocol) {
  return protocol == IPPROTO_AH || protocol == IPPROTO_ESP;
}

static __always_inline bool lb_is_extension(__u8 header) {
  return header == IPPROTO_HOPOPTS || header == IPPROTO_ROUTING || header == IPPROTO_DSTOPTS ||
         header == IPPROTO_FRAGMENT || header == IPPROTO_AH;
}

/* ---- IPv6 extension headers (RFC 8200 section 4, AH: RFC 4302 section 2.2) ------------------------ */

/* What a walk over the chain returns in one word; 0 when it failed (an offset is never 0). */
#define LB_WALK_PROTOCOL_SHIFT 32
#define LB_WALK_FRAGMENT (1ull << 40)
#define LB_WALK_LATER (1ull << 41)

static __always_inline __u64 lb_walk(void *context, const enum lb_kind kind, __u64 offset, __u8 header) {
  __u64 fragment = 0;

  for (int index = 0; index < LB_EXTENSION_HEADERS && lb_is_extension(header); index++) {
    __u8 bytes[8] __attribute__((aligned(8)));
    if (!lb_load(context, kind, offset, bytes, sizeof(bytes)))
      return 0;
    if (header == IPPROTO_FRAGMENT) {
      __u32 place = bytes[2] << 8 | bytes[3];
      if (place & 0xfff9) /* offset or "more"; without either it is a whole packet (RFC 6946) */
        fragment |= LB_WALK_FRAGMENT;
      header = bytes[0];
      if (place & 0xfff8)
        return offset | (__u64)header << LB_WALK_PROTOCOL_SHIFT | fragment | LB_WALK_LATER;
      offset += 8;
    } else {
      offset += header == IPPROTO_AH ? (bytes[1] + 2) * 4 : (bytes[1] + 1) * 8;
      header = bytes[0];
    }
    offset = lb_forget(context, kind, offset);
    fragment = lb_forget(context, kind, fragment);
  }
  if (lb_is_extension(header))
    return 0;
  return offset | (__u64)header << LB_WALK_PROTOCOL_SHIFT | fragment;
}

static __noinline __u64 lb_walk_xdp(struct xdp_md *context, __u32 offset, __u32 header) {
  return lb_walk(context, LB_KIND_XDP, offset, header);
}

static __noinline __u64 lb_walk_skb(struct __sk_buff *context, __u32 offset, __u32 header) {
  return lb_walk(context, LB_KIND_SKB, offset, header);
}

/* ---- IP headers ----------------------------------------------------------------------------------- */

static __always_inline void lb_map_ipv4(__u8 *to, __be32 address) {
  __u32 *words = (__u32 *)to;
  words[0] = 0;
  words[1] = 0;
  words[2] = bpf_htonl(0xffff);
  words[3] = address;
}

/* Of a quoted packet the ends are exchanged, see struct lb_packet. */
static __always_inline bool lb_parse_ipv4(void *context, const enum lb_kind kind, __u64 offset, const bool quoted,
                                          struct lb_packet *packet) {
  struct iphdr header;
  if (!lb_load(context, kind, offset, &header, sizeof(header)))
    return false;
  if (header.version != 4 || header.ihl < 5)
    return false;
  lb_map_ipv4(quoted ? packet->remote.address : packet->local.address, header.daddr);
  lb_map_ipv4(quoted ? packet->local.address : packet->remote.address, header.saddr);
  packet->protocol = header.protocol;
  packet->fragment = (header.frag_off & bpf_htons(0x3fff)) != 0;
  packet->later_fragment = (header.frag_off & bpf_htons(0x1fff)) != 0;
  packet->transport = offset + header.ihl * 4;
  return true;
}

static __always_inline bool lb_parse_ipv6(void *context, const enum lb_kind kind, __u64 offset, const bool quoted,
                                          struct lb_packet *packet) {
  struct ipv6hdr header;
  if (!lb_load(context, kind, offset, &header, sizeof(header)))
    return false;
  if (header.version != 6)
    return false;
  __builtin_memcpy(quoted ? packet->remote.address : packet->local.address, &header.daddr, 16);
  __builtin_memcpy(quoted ? packet->local.address : packet->remote.address, &header.saddr, 16);
  packet->protocol = header.nexthdr;
  packet->fragment = false;
  packet->later_fragment = false;
  packet->transport = offset + sizeof(header);
  if (!lb_is_extension(header.nexthdr))
    return true;

  __u64 walk = kind == LB_KIND_XDP ? lb_walk_xdp(context, packet->transport, header.nexthdr)
                                   : lb_walk_skb(context, packet->transport, header.nexthdr);
  walk = lb_forget(context, kind, walk);
  if (walk == 0)
    return false;
  packet->transport = (__u32)walk;
  packet->protocol = walk >> LB_WALK_PROTOCOL_SHIFT;
  packet->fragment = (walk & LB_WALK_FRAGMENT) != 0;
  packet->later_fragment = (walk & LB_WALK_LATER) != 0;
  return true;
}

/* ---- The question ---------------------------------------------------------------------------------- */

static __always_inline bool lb_has(const struct lb_ours_key *key, __u32 flag) {
  const struct lb_ours_value *value = bpf_map_lookup_elem(&lb_ours, key);
  return value && (value->flags & flag);
}

static __always_inline bool lb_is_icmp(__u8 protocol) { return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6; }

/* Fragments go by address alone, all of them, so that the pieces of a packet stay together; ICMP's too, as only the whole
 * message says whose it is. Those of other protocols are left alone. In IPv6 a later piece may name an extension header
 * only. */
static __always_inline bool lb_fragment_is_ours(struct lb_packet *packet) {
  if (!lb_has_ports(packet->protocol) && !lb_is_icmp(packet->protocol) && !lb_is_security_payload(packet->protocol) &&
      !(packet->later_fragment && lb_is_extension(packet->protocol)))
    return false;
  return lb_has(&packet->local, LB_OURS_FRAGMENTS) || lb_has(&packet->remote, LB_OURS_FRAGMENTS);
}

/* Expects both keys with port 0 and protocol 0. The cheapest way to a yes comes first: one look-up for a
 * virtual service with a port. */
static __always_inline bool lb_ends_are_ours(struct lb_packet *packet, __be16 local_port, __be16 remote_port) {
  packet->local.port = local_port;
  packet->local.protocol = packet->protocol;
  if (lb_has(&packet->local, LB_OURS_ENDPOINT))
    return true;
  packet->remote.port = remote_port;
  packet->remote.protocol = packet->protocol;
  if (lb_has(&packet->remote, LB_OURS_ENDPOINT))
    return true;
  packet->local.port = 0;
  if (lb_has(&packet->local, LB_OURS_ANY_PORT))
    return true;
  packet->remote.port = 0;
  if (lb_has(&packet->remote, LB_OURS_ANY_PORT))
    return true;

  packet->local.protocol = 0;
  const struct lb_ours_value *value = bpf_map_lookup_elem(&lb_ours, &packet->local);
  if (!value || !(value->flags & LB_OURS_LOCAL_PORTS))
    return false;
  __u16 port = bpf_ntohs(local_port);
  return value->port_first <= port && port <= value->port_last;
}

static __always_inline bool lb_parse(void *context, const enum lb_kind kind, __u64 offset, __be16 type,
                                     const bool quoted, struct lb_packet *packet) {
  packet->local.port = 0;
  packet->local.protocol = 0;
  packet->local.side = LB_SIDE_DESTINATION;
  packet->remote.port = 0;
  packet->remote.protocol = 0;
  packet->remote.side = LB_SIDE_SOURCE;
  if (type == bpf_htons(ETH_P_IP))
    return lb_parse_ipv4(context, kind, offset, quoted, packet);
  if (type == bpf_htons(ETH_P_IPV6))
    return lb_parse_ipv6(context, kind, offset, quoted, packet);
  return false;
}

static __always_inline bool lb_packet_is_ours(void *context, const enum lb_kind kind, const bool quoted,
                                              struct lb_packet *packet) {
  if (packet->fragment && lb_fragment_is_ours(packet))
    return true;
  if (packet->later_fragment)
    return false;
  if (lb_is_security_payload(packet->protocol)) {
    packet->protocol = IPPROTO_UDP;
    return lb_ends_are_ours(packet, bpf_htons(LB_KEY_EXCHANGE_PORT), bpf_htons(LB_KEY_EXCHANGE_PORT));
  }
  if (!lb_has_ports(packet->protocol))
    return false;
  __be16 ports[2] __attribute__((aligned(4)));
  if (!lb_load(context, kind, packet->transport, ports, sizeof(ports)))
    return false;
  return quoted ? lb_ends_are_ours(packet, ports[0], ports[1]) : lb_ends_are_ours(packet, ports[1], ports[0]);
}

/* ---- ICMP errors: the packet they quote (RFC 792, RFC 4443 section 3) ------------------------------- */

/* IP in IP, GRE, and GUE, which is UDP. */
static __always_inline bool lb_may_be_tunnel(__u8 protocol) {
  return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 || protocol == IPPROTO_GRE || protocol == IPPROTO_UDP;
}

static __always_inline bool lb_quoted_is_ours(void *context, const enum lb_kind kind, __u64 offset, bool ipv6) {
  struct lb_packet quoted;
  __be16 type = ipv6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
  if (!lb_parse(context, kind, offset, type, true, &quoted))
    return false;
  if (lb_may_be_tunnel(quoted.protocol) && lb_has(&quoted.remote, LB_OURS_TUNNEL))
    return true;
  return lb_packet_is_ours(context, kind, true, &quoted);
}

static __noinline int lb_quoted_xdp(struct xdp_md *context, __u32 offset, __u32 ipv6) {
  return lb_quoted_is_ours(context, LB_KIND_XDP, offset, ipv6);
}

static __noinline int lb_quoted_skb(struct __sk_buff *context, __u32 offset, __u32 ipv6) {
  return lb_quoted_is_ours(context, LB_KIND_SKB, offset, ipv6);
}

static __always_inline bool lb_is_error(__u8 type, bool ipv6) {
  if (ipv6)
    return type < 128;
  return type == 3 || type == 4 || type == 11 || type == 12;
}

static __always_inline bool lb_error_is_ours(void *context, const enum lb_kind kind, __u32 offset, bool ipv6) {
  __u8 type;
  if (!lb_load(context, kind, offset, &type, sizeof(type)) || !lb_is_error(type, ipv6))
    return false;
  return kind == LB_KIND_XDP ? lb_quoted_xdp(context, offset + 8, ipv6) : lb_quoted_skb(context, offset + 8, ipv6);
}

/* The frame starts at its Ethernet header. */
static __always_inline bool lb_is_ours(void *context, const enum lb_kind kind) {
  struct lb_packet packet;
  __u64 offset = 2 * ETH_ALEN;
  __be16 type;

  if (!lb_load(context, kind, offset, &type, sizeof(type)))
    return false;
#pragma unroll
  for (int tag = 0; tag < LB_VLAN_TAGS; tag++) {
    if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
      break;
    offset += 4;
    if (!lb_load(context, kind, offset, &type, sizeof(type)))
      return false;
  }

  offset = lb_forget(context, kind, offset + 2);
  if (!lb_parse(context, kind, offset, type, false, &packet))
    return false;
  bool ipv6 = type == bpf_htons(ETH_P_IPV6);
  if (packet.protocol == (ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) && !packet.fragment)
    return lb_error_is_ours(context, kind, packet.transport, ipv6);
  return lb_packet_is_ours(context, kind, false, &packet);
}

#endif
