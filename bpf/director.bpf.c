/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The director's programs: they split what is ours from what is the host's. See ours.h for the question itself.
 *
 *   lb_director        XDP: ours to the AF_XDP socket of the receive queue, the rest to the kernel
 *   lb_director_frags  the same for drivers that hand over jumbo frames in pieces (kernel 5.18)
 *   lb_answers         tc, on the way out: what the host sends as a real server of lbd's goes to lbd first; its map has no
 *                      other entries
 *   lb_filter, lb_guard  the pair for AF_PACKET: the socket keeps what is ours, and the guard, which tc runs after
 *                      the packet sockets have had their copy, keeps the host's own stack from answering it too
 *
 * Without a socket on the queue our frames are dropped, on purpose: lbd has died or is being restarted, and the host's
 * stack would answer live connections with resets. The program stays attached for the same reason.
 */
#include "ours.h"
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>

struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, LB_MAX_QUEUES);
  __type(key, __u32);
  __type(value, __u32);
} lb_sockets SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, LB_COUNTER_COUNT);
  __type(key, __u32);
  __type(value, __u64);
} lb_counters SEC(".maps");

static __always_inline void count(__u32 counter) {
  __u64 *value = bpf_map_lookup_elem(&lb_counters, &counter);
  if (value)
    *value += 1;
}

static __always_inline int direct(struct xdp_md *context) {
  if (!lb_is_ours(context, LB_KIND_XDP)) {
    count(LB_COUNTER_PASSED);
    return XDP_PASS;
  }
  int verdict = bpf_redirect_map(&lb_sockets, context->rx_queue_index, XDP_DROP);
  count(verdict == XDP_REDIRECT ? LB_COUNTER_REDIRECTED : LB_COUNTER_ORPHANED);
  return verdict;
}

SEC("xdp")
int lb_director(struct xdp_md *context) { return direct(context); }

SEC("xdp.frags")
int lb_director_frags(struct xdp_md *context) { return direct(context); }

/* TC_ACT_UNSPEC: whatever other filters stand behind this one still get their say; without any, the frame passes. */
SEC("tc")
int lb_guard(struct __sk_buff *context) {
  return lb_is_ours(context, LB_KIND_SKB) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

/* A packet socket is also shown what this host sends, which includes what we forward ourselves. */
SEC("socket")
int lb_filter(struct __sk_buff *context) {
  if (context->pkt_type == PACKET_OUTGOING)
    return 0;
  return lb_is_ours(context, LB_KIND_SKB) ? -1 : 0;
}

/* By LB_HOST_*: where answers go, and until when. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, LB_HOST_COUNT);
  __type(key, __u32);
  __type(value, __u64);
} lb_host SEC(".maps");

static __always_inline __u64 host_value(__u32 index) {
  __u64 *value = bpf_map_lookup_elem(&lb_host, &index);
  return value ? *value : 0;
}

/* An lbd that has died sets no new time: the host's other traffic of these addresses must not depend on it for long. The
 * device has no Ethernet header, which the redirection takes off, but would get the tag back. */
SEC("tc")
int lb_answers(struct __sk_buff *context) {
  if (bpf_ktime_get_ns() > host_value(LB_HOST_DEADLINE) || !lb_is_ours(context, LB_KIND_SKB))
    return TC_ACT_UNSPEC;
  if (context->vlan_present)
    bpf_skb_vlan_pop(context);
  return bpf_redirect(host_value(LB_HOST_DEVICE), 0);
}

char LICENSE[] SEC("license") = "Apache-2.0";
