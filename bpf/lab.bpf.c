/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For laboratories built of namespaces and veth pairs on kernels without the 8021q module: VLAN tags put on and taken
 * off by tc, and an XDP program that passes everything (a veth's far end needs one before frames sent to it by
 * XDP_TX come out).
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "lb_shared.h"

#define VLAN_ID_MASK 0xfff

/* The VLAN id of this interface, in entry 0; 0: none, frames are left as they are. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} lab_vlan SEC(".maps");

/* The prefixes that lab_vlan_push_prefix tags; IPv4 as ::ffff:a.b.c.d with a length of 96 + n. */
struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 64);
  __type(key, struct lb_prefix);
  __type(value, __u8);
} lab_prefix SEC(".maps");

static __always_inline __u32 vlan_id(void) {
  __u32 key = 0;
  __u32 *id = bpf_map_lookup_elem(&lab_vlan, &key);
  return id ? *id & VLAN_ID_MASK : 0;
}

static __always_inline bool is_tagged(const struct __sk_buff *context) {
  return context->vlan_present || context->protocol == bpf_htons(ETH_P_8021Q) ||
         context->protocol == bpf_htons(ETH_P_8021AD);
}

static __always_inline int push(struct __sk_buff *context) {
  __u32 id = vlan_id();
  if (id == 0 || is_tagged(context))
    return TC_ACT_UNSPEC;
  return bpf_skb_vlan_push(context, bpf_htons(ETH_P_8021Q), id) == 0 ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

SEC("tc")
int lab_vlan_push(struct __sk_buff *context) { return push(context); }

SEC("tc")
int lab_vlan_pop(struct __sk_buff *context) {
  __u32 id = vlan_id();
  if (id != 0 && context->vlan_present && (context->vlan_tci & VLAN_ID_MASK) == id &&
      bpf_skb_vlan_pop(context) != 0)
    return TC_ACT_SHOT;
  return TC_ACT_UNSPEC;
}

/* Offsets behind the Ethernet header: IPv4 and IPv6 destination, ARP target protocol address. */
static __always_inline bool destination(struct __sk_buff *context, struct lb_prefix *key) {
  key->bit_count = 128;
  __builtin_memset(&key->address, 0, sizeof(key->address));
  if (context->protocol == bpf_htons(ETH_P_IPV6))
    return bpf_skb_load_bytes(context, ETH_HLEN + 24, &key->address, 16) == 0;
  key->address.words[2] = bpf_htonl(0xffff);
  if (context->protocol == bpf_htons(ETH_P_IP))
    return bpf_skb_load_bytes(context, ETH_HLEN + 16, &key->address.words[3], 4) == 0;
  if (context->protocol == bpf_htons(ETH_P_ARP))
    return bpf_skb_load_bytes(context, ETH_HLEN + 24, &key->address.words[3], 4) == 0;
  return false;
}

SEC("tc")
int lab_vlan_push_prefix(struct __sk_buff *context) {
  struct lb_prefix key;
  if (!destination(context, &key) || !bpf_map_lookup_elem(&lab_prefix, &key))
    return TC_ACT_UNSPEC;
  return push(context);
}

SEC("xdp")
int lab_pass(struct xdp_md *context) {
  (void)context;
  return XDP_PASS;
}

char LICENSE[] SEC("license") = "Apache-2.0";
