/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three programs of a measurement on the wire: the generator, run by BPF_PROG_TEST_RUN over live frames, which sends
 * each frame out of the client's veth; the sink, which counts and drops; and the redirection into the sockets of the
 * forwarder that does nothing.
 *
 * Frames are recycled without being initialised, so whatever the last user wrote is still there (addresses, TTL, an
 * outer header): the generator writes every byte of every frame's headers.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "../Sources/CForwarder/include/wire_plan.h"

#define CLIENT_NETWORK 0x0a400000 /* 10.64.0.0/10 */
#define FIRST_PORT 1024
#define PORT_BITS 10
/* Odd, so that multiplying is one to one: neighbours in number are no neighbours in address. */
#define SCATTER 0x9e3779b1u
/* A generator that fell behind by more than this does not catch up in a burst. */
#define LAG_LIMIT_NS 50000

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct wire_plan);
} bench_plan SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct wire_progress);
} bench_progress SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, WIRE_SEEN_COUNT);
  __type(key, __u32);
  __type(value, __u64);
} bench_seen SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, __u32);
} bench_sockets SEC(".maps");

/* Which flow is next; flows in order up to the limit, or at random for ever. */
static __always_inline int next_flow(const struct wire_plan *plan, struct wire_progress *progress, __u32 *flow) {
  if (plan->interval_ns) {
    __u64 now = bpf_ktime_get_ns();
    if (now < progress->next_ns)
      return 0;
    progress->next_ns = now > progress->next_ns + LAG_LIMIT_NS ? now : progress->next_ns + plan->interval_ns;
  }
  if (plan->limit) {
    if (progress->count >= plan->limit)
      return 0;
    *flow = progress->count % plan->flows;
  } else {
    __u64 x = progress->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    progress->random = x;
    *flow = ((x >> 32) * plan->flows) >> 32;
  }
  progress->count++;
  return 1;
}

/* Of words as they stand in the packet. */
static __always_inline __u32 sum_words(const __u16 *words, int count) {
  __u32 sum = 0;
#pragma unroll
  for (int i = 0; i < count; i++)
    sum += words[i];
  return sum;
}

static __always_inline __u16 fold(__u32 sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

static __always_inline void write_packet(__u8 *frame, const struct wire_plan *plan, __u32 flow) {
  struct ethhdr *ethernet = (struct ethhdr *)frame;
  struct iphdr *ip = (struct iphdr *)(frame + sizeof(*ethernet));
  struct tcphdr *tcp = (struct tcphdr *)(ip + 1);
  __u32 scattered = flow * SCATTER;

  __builtin_memcpy(ethernet->h_dest, plan->target, ETH_ALEN);
  __builtin_memcpy(ethernet->h_source, plan->source, ETH_ALEN);
  ethernet->h_proto = bpf_htons(ETH_P_IP);

  *(__u16 *)ip = bpf_htons(0x4500);
  ip->tot_len = bpf_htons(sizeof(*ip) + sizeof(*tcp));
  ip->id = 0;
  ip->frag_off = bpf_htons(0x4000);
  ip->ttl = 64;
  ip->protocol = IPPROTO_TCP;
  ip->check = 0;
  ip->saddr = bpf_htonl(CLIENT_NETWORK | scattered >> PORT_BITS);
  ip->daddr = bpf_htonl(plan->destination);
  ip->check = fold(sum_words((__u16 *)ip, sizeof(*ip) / 2));

  tcp->source = bpf_htons(FIRST_PORT + (scattered & ((1 << PORT_BITS) - 1)));
  tcp->dest = bpf_htons(plan->port);
  tcp->seq = bpf_htonl(plan->tcp_flags & WIRE_TCP_SYN ? 1 : 2);
  tcp->ack_seq = plan->tcp_flags & WIRE_TCP_ACK ? bpf_htonl(1) : 0;
  ((__u16 *)tcp)[6] = bpf_htons(0x5000 | plan->tcp_flags);
  tcp->window = bpf_htons(65535);
  tcp->check = 0;
  tcp->urg_ptr = 0;
  __u32 pseudo = sum_words((__u16 *)&ip->saddr, 4) + bpf_htons(IPPROTO_TCP) + bpf_htons(sizeof(*tcp));
  tcp->check = fold(sum_words((__u16 *)tcp, sizeof(*tcp) / 2) + pseudo);

  *(__u16 *)(tcp + 1) = 0;
  *((__u16 *)(tcp + 1) + 1) = 0;
  *((__u16 *)(tcp + 1) + 2) = 0;
}

SEC("xdp")
int bench_generate(struct xdp_md *context) {
  __u32 key = 0, flow = 0;
  struct wire_plan *plan = bpf_map_lookup_elem(&bench_plan, &key);
  struct wire_progress *progress = bpf_map_lookup_elem(&bench_progress, &key);
  __u8 *frame = (__u8 *)(long)context->data;
  if (!plan || !progress || plan->flows == 0 || frame + WIRE_FRAME_BYTES > (__u8 *)(long)context->data_end)
    return XDP_ABORTED;
  if (!next_flow(plan, progress, &flow))
    return XDP_DROP;
  write_packet(frame, plan, flow);
  return bpf_redirect(plan->interface_index, 0);
}

static __always_inline void add(__u32 counter, __u64 amount) {
  __u64 *value = bpf_map_lookup_elem(&bench_seen, &counter);
  if (value)
    *value += amount;
}

/* Only what the generator's packets become is counted as such: TCP, or a tunnel around it. */
SEC("xdp")
int bench_count(struct xdp_md *context) {
  struct ethhdr *ethernet = (void *)(long)context->data;
  struct iphdr *ip = (struct iphdr *)(ethernet + 1);
  void *end = (void *)(long)context->data_end;
  if ((void *)(ip + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP) ||
      (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_IPIP)) {
    add(WIRE_SEEN_OTHER, 1);
    return XDP_DROP;
  }
  add(WIRE_SEEN_PACKETS, 1);
  add(WIRE_SEEN_BYTES, (__u8 *)end - (__u8 *)ethernet);
  return XDP_DROP;
}

/* A socket is found by the port it belongs to: both ports have a queue 0. */
SEC("xdp")
int bench_redirect_near(struct xdp_md *context) {
  (void)context;
  return bpf_redirect_map(&bench_sockets, 0, XDP_PASS);
}

SEC("xdp")
int bench_redirect_far(struct xdp_md *context) {
  (void)context;
  return bpf_redirect_map(&bench_sockets, 1, XDP_PASS);
}

char LICENSE[] SEC("license") = "Apache-2.0";
