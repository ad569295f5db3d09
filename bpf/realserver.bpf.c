/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a real server needs to take tunnelled requests on a kernel without tunnel modules: the outer header of packets
 * sent to one of its tunnel endpoints is taken off, and the kernel sees the client's packet as it was.
 *
 * Each encapsulation is a function that says how long the outer headers are and what is inside; taking them off is
 * the same for all: IP in IP (RFC 2003, RFC 2473, RFC 4213), GRE (RFC 2784), GUE (draft-ietf-intarea-gue-09), in all
 * four nestings of IPv4 and IPv6.
 *
 * It does not reassemble outer fragments (a director with `tunnel_fragments inside` sends none), nor carry congestion marks from the outer to the inner header (RFC 6040), nor
 * look at checksums of GRE and GUE: the packet inside has its own. Anything it does not understand goes to the kernel as
 * it came; so do GRE with a key, and GUE with options (a checksum that the receiver is to finish, which only a director
 * sends that has not received it from a wire).
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "lb_shared.h"

/* The outer destinations that are ours, IPv4 as ::ffff:a.b.c.d. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, LB_TUNNEL_MAX_ENDPOINTS);
  __type(key, struct lb_address);
  __type(value, __u8);
} lb_tunnel_endpoints SEC(".maps");

/* The UDP ports that GUE comes to. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, LB_TUNNEL_MAX_PORTS);
  __type(key, __be16);
  __type(value, __u8);
} lb_tunnel_ports SEC(".maps");

struct tunnel {
  __u32 outer_bytes; /* all that stands between the Ethernet header and the inner packet */
  __be16 inner_type; /* EtherType of the inner packet */
};

static __always_inline bool load(struct xdp_md *context, __u64 offset, void *to, const __u32 count) {
  barrier_var(offset);
  if (offset > 4096)
    return false;
  __u8 *from = (__u8 *)(long)context->data + offset;
  if (from + count > (__u8 *)(long)context->data_end)
    return false;
  __builtin_memcpy(to, __builtin_assume_aligned(from, 4), count);
  return true;
}

static __always_inline bool is_endpoint(const struct lb_address *address) {
  return bpf_map_lookup_elem(&lb_tunnel_endpoints, address) != NULL;
}

/* ---- IP in IP ---------------------------------------------------------------------------------------- */

/* The inner packet must be whole as far as its fixed header goes, and of the announced version. */
static __always_inline bool inner_packet(struct xdp_md *context, __u64 offset, __u8 protocol, struct tunnel *tunnel) {
  if (protocol == IPPROTO_IPIP) {
    struct iphdr inner;
    tunnel->inner_type = bpf_htons(ETH_P_IP);
    return load(context, offset, &inner, sizeof(inner)) && inner.version == 4;
  }
  if (protocol == IPPROTO_IPV6) {
    struct ipv6hdr inner;
    tunnel->inner_type = bpf_htons(ETH_P_IPV6);
    return load(context, offset, &inner, sizeof(inner)) && inner.version == 6;
  }
  return false;
}

/* ---- GRE, GUE ---------------------------------------------------------------------------------------- */

#define GRE_CHECKSUM 0x8000

static __always_inline bool in_gre(struct xdp_md *context, __u64 offset, struct tunnel *tunnel) {
  __be16 gre[2] __attribute__((aligned(4))); /* flags and version, type */
  if (!load(context, offset, gre, sizeof(gre)) || (gre[0] & ~bpf_htons(GRE_CHECKSUM)))
    return false;
  __u32 count = gre[0] ? 8 : 4;
  __u8 protocol = 0;
  if (gre[1] == bpf_htons(ETH_P_IP))
    protocol = IPPROTO_IPIP;
  else if (gre[1] == bpf_htons(ETH_P_IPV6))
    protocol = IPPROTO_IPV6;
  tunnel->outer_bytes += count;
  return inner_packet(context, offset + count, protocol, tunnel);
}

static __always_inline bool in_gue(struct xdp_md *context, __u64 offset, struct tunnel *tunnel) {
  struct {
    struct udphdr udp;
    __u8 kind; /* version, control bit, words of options: all 0 */
    __u8 protocol;
    __be16 flags;
  } header;
  if (!load(context, offset, &header, sizeof(header)) || header.kind || header.flags)
    return false;
  __be16 port = header.udp.dest;
  if (!bpf_map_lookup_elem(&lb_tunnel_ports, &port))
    return false;
  tunnel->outer_bytes += sizeof(header);
  return inner_packet(context, offset + sizeof(header), header.protocol, tunnel);
}

static __always_inline bool is_tunnel(__u8 protocol) {
  return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 || protocol == IPPROTO_GRE || protocol == IPPROTO_UDP;
}

static __always_inline bool contents(struct xdp_md *context, __u64 offset, __u8 protocol, struct tunnel *tunnel) {
  if (protocol == IPPROTO_GRE)
    return in_gre(context, offset, tunnel);
  if (protocol == IPPROTO_UDP)
    return in_gue(context, offset, tunnel);
  return inner_packet(context, offset, protocol, tunnel);
}

/* ---- The outer header -------------------------------------------------------------------------------- */

static __always_inline bool find_in_ipv4(struct xdp_md *context, __u64 offset, struct tunnel *tunnel) {
  struct iphdr outer;
  if (!load(context, offset, &outer, sizeof(outer)) || outer.version != 4 || outer.ihl < 5)
    return false;
  if (!is_tunnel(outer.protocol))
    return false;
  if (outer.frag_off & bpf_htons(0x3fff))
    return false;
  struct lb_address address = {.words = {0, 0, bpf_htonl(0xffff), outer.daddr}};
  if (!is_endpoint(&address))
    return false;
  tunnel->outer_bytes = outer.ihl * 4;
  return contents(context, offset + tunnel->outer_bytes, outer.protocol, tunnel);
}

/* Linux puts a destination options header with the encapsulation limit in front (RFC 2473 section 4.1.1). */
static __always_inline bool find_in_ipv6(struct xdp_md *context, __u64 offset, struct tunnel *tunnel) {
  struct ipv6hdr outer;
  if (!load(context, offset, &outer, sizeof(outer)) || outer.version != 6)
    return false;
  __u8 protocol = outer.nexthdr;
  tunnel->outer_bytes = sizeof(outer);
  if (protocol == IPPROTO_DSTOPTS) {
    __u8 options[2];
    if (!load(context, offset + sizeof(outer), options, sizeof(options)))
      return false;
    protocol = options[0];
    tunnel->outer_bytes += (options[1] + 1) * 8;
  }
  if (!is_tunnel(protocol))
    return false;
  struct lb_address address;
  __builtin_memcpy(&address, &outer.daddr, sizeof(address));
  return is_endpoint(&address) && contents(context, offset + tunnel->outer_bytes, protocol, tunnel);
}

/* ---- Taking it off ----------------------------------------------------------------------------------- */

/* Moves the Ethernet header, VLAN tags included, up to the inner packet and corrects the EtherType at its end.
 * `link_bytes` is a constant in each of the three copies. */
static __always_inline int strip(struct xdp_md *context, const __u32 link_bytes, const struct tunnel *tunnel) {
  __u8 link[2 * ETH_ALEN + 2 * 4 + 2] __attribute__((aligned(8)));
  if (!load(context, 0, link, link_bytes))
    return XDP_PASS;
  __builtin_memcpy(link + link_bytes - 2, &tunnel->inner_type, 2);
  if (bpf_xdp_adjust_head(context, tunnel->outer_bytes) != 0)
    return XDP_PASS;
  __u8 *to = (__u8 *)(long)context->data;
  if (to + link_bytes > (__u8 *)(long)context->data_end)
    return XDP_ABORTED; /* cannot be: the inner header was seen behind it */
  __builtin_memcpy(__builtin_assume_aligned(to, 2), link, link_bytes);
  return XDP_PASS;
}

SEC("xdp")
int lb_realserver(struct xdp_md *context) {
  struct tunnel tunnel = {};
  __u64 offset = 2 * ETH_ALEN;
  __u32 tags = 0;
  __be16 type;

  if (!load(context, offset, &type, sizeof(type)))
    return XDP_PASS;
#pragma unroll
  for (int tag = 0; tag < 2; tag++) {
    if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
      break;
    offset += 4;
    tags++;
    if (!load(context, offset, &type, sizeof(type)))
      return XDP_PASS;
  }

  bool found = false;
  if (type == bpf_htons(ETH_P_IP))
    found = find_in_ipv4(context, offset + 2, &tunnel);
  else if (type == bpf_htons(ETH_P_IPV6))
    found = find_in_ipv6(context, offset + 2, &tunnel);
  if (!found)
    return XDP_PASS;
  if (tags == 0)
    return strip(context, 14, &tunnel);
  if (tags == 1)
    return strip(context, 18, &tunnel);
  return strip(context, 22, &tunnel);
}

char LICENSE[] SEC("license") = "Apache-2.0";
