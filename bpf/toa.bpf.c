/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a real server needs to see its clients behind FULLNAT: accept() and getpeername() of any program return the address
 * and port that the director has put into a TCP option (TOA), and no program has to know.
 *
 * The director sends the option with the SYN, with the ACK that ends the handshake, and with the first data: no one of
 * them serves everybody. Without SYN cookies, the first two do; with them the kernel keeps no SYN; a listener with
 * TCP_DEFER_ACCEPT drops a bare ACK. So it is looked for in the ACK, then in the saved SYN, then in what comes until
 * there is data.
 *
 * Only what comes from a director's local address counts: anybody can write such an option. What a packet capture and `ss`
 * show remains the director's address; an IPv4 socket cannot say an IPv6 client, and keeps the director's as well.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "lb_shared.h"

#define AF_INET6 10
#define SOL_TCP 6

#define KIND_TOA 254
#define KIND_TOA_V6 253 /* as some write it */
#define HEADER_MAX 60

/* The directors' local addresses, IPv4 as ::ffff:a.b.c.d. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, LB_TOA_MAX_DIRECTORS);
  __type(key, struct lb_address);
  __type(value, __u8);
} lb_toa_directors SEC(".maps");

/* Who a connection's client is, in packet order, IPv4 as ::ffff:a.b.c.d. */
struct client {
  struct lb_address address;
  __be16 port;
  __u16 is_v4;
};

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct client);
} lb_toa_clients SEC(".maps");

/* ---- The option -------------------------------------------------------------------------------------- */

struct walk {
  __u8 header[64];
  __u32 offset;
  __u32 end;
  struct client client;
  bool found;
};

static __always_inline __u8 at(const struct walk *walk, __u32 offset) { return walk->header[offset & 63]; }

static __always_inline void take(struct walk *walk, __u32 offset, bool is_v4) {
  __u8 *to = (__u8 *)&walk->client.address;
  __u8 *port = (__u8 *)&walk->client.port;
  port[0] = at(walk, offset + 2);
  port[1] = at(walk, offset + 3);
  if (is_v4) {
    to[10] = to[11] = 0xff;
#pragma unroll
    for (int i = 0; i < 4; i++)
      to[12 + i] = at(walk, offset + 4 + i);
  } else {
#pragma unroll
    for (int i = 0; i < 16; i++)
      to[i] = at(walk, offset + 4 + i);
  }
  walk->client.is_v4 = is_v4;
  walk->found = true;
}

/* One option; 1 ends the walk. */
static long step(__u32 number, void *context) {
  struct walk *walk = context;
  __u32 offset = walk->offset;
  (void)number;
  if (offset >= walk->end || offset >= HEADER_MAX)
    return 1;
  __u8 kind = at(walk, offset);
  if (kind == 0)
    return 1;
  if (kind == 1) {
    walk->offset = offset + 1;
    return 0;
  }
  if (offset + 2 > walk->end)
    return 1;
  __u8 size = at(walk, offset + 1);
  if (size < 2 || offset + size > walk->end)
    return 1;
  if ((kind == KIND_TOA || kind == KIND_TOA_V6) && (size == 8 || size == 20)) {
    take(walk, offset, size == 8);
    return 1;
  }
  walk->offset = offset + size;
  return 0;
}

static __always_inline bool find(struct walk *walk) {
  walk->end = (walk->header[12] >> 4) * 4;
  walk->offset = 20;
  bpf_loop(40, step, walk, 0);
  return walk->found;
}

static __always_inline bool find_in_packet(struct bpf_sock_ops *ops, struct walk *walk) {
  __u8 *from = ops->skb_data;
  __u8 *end = ops->skb_data_end;
  if (from + 20 > end)
    return false;
#pragma unroll
  for (int i = 0; i < HEADER_MAX / 4; i++) {
    if (from + 4 * i + 4 > end)
      break;
    __builtin_memcpy(walk->header + 4 * i, from + 4 * i, 4);
  }
  return find(walk);
}

static __always_inline bool find_in_syn(struct bpf_sock_ops *ops, struct walk *walk) {
  if (bpf_getsockopt(ops, SOL_TCP, TCP_BPF_SYN, walk->header, HEADER_MAX) < 20)
    return false;
  return find(walk);
}

/* ---- Connections ------------------------------------------------------------------------------------- */

/* The verifier refuses a context's address that was computed, which the compiler would make of the last reads of both
 * branches: hence the barriers. */
static __always_inline bool is_from_director(struct bpf_sock_ops *ops) {
  struct lb_address address;
  __u32 last;
  if (ops->family == AF_INET6) {
    address.words[0] = ops->remote_ip6[0];
    address.words[1] = ops->remote_ip6[1];
    address.words[2] = ops->remote_ip6[2];
    last = ops->remote_ip6[3];
    barrier_var(last);
  } else {
    address.words[0] = address.words[1] = 0;
    address.words[2] = bpf_htonl(0xffff);
    last = ops->remote_ip4;
    barrier_var(last);
  }
  address.words[3] = last;
  return bpf_map_lookup_elem(&lb_toa_directors, &address) != NULL;
}

static __always_inline void remember(struct bpf_sock_ops *ops, struct walk *walk) {
  struct bpf_sock *socket = ops->sk;
  if (socket)
    bpf_sk_storage_get(&lb_toa_clients, socket, &walk->client, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline void look_further(struct bpf_sock_ops *ops, bool yes) {
  int flags = ops->bpf_sock_ops_cb_flags;
  int flag = BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG;
  bpf_sock_ops_cb_flags_set(ops, yes ? flags | flag : flags & ~flag);
}

static __always_inline void keep_syns(struct bpf_sock_ops *ops) {
  int one = 1;
  bpf_setsockopt(ops, SOL_TCP, TCP_SAVE_SYN, &one, sizeof(one));
}

SEC("sockops")
int lb_toa(struct bpf_sock_ops *ops) {
  struct walk walk = {};
  switch (ops->op) {
  case BPF_SOCK_OPS_TCP_LISTEN_CB:
    keep_syns(ops);
    break;
  case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
    if (!is_from_director(ops))
      break;
    if (find_in_packet(ops, &walk) || find_in_syn(ops, &walk))
      remember(ops, &walk);
    else
      look_further(ops, true);
    break;
  case BPF_SOCK_OPS_PARSE_HDR_OPT_CB:
    if (find_in_packet(ops, &walk))
      remember(ops, &walk);
    /* The length says whether there is data, which is the last to carry it. */
    if (walk.found || ops->skb_len > walk.end)
      look_further(ops, false);
    break;
  }
  return 1;
}

/* ---- Programs that ask ------------------------------------------------------------------------------- */

SEC("cgroup/getpeername4")
int lb_toa_peer4(struct bpf_sock_addr *context) {
  struct bpf_sock *socket = context->sk;
  struct client *client = socket ? bpf_sk_storage_get(&lb_toa_clients, socket, NULL, 0) : NULL;
  if (client && client->is_v4) {
    context->user_ip4 = client->address.words[3];
    context->user_port = client->port;
  }
  return 1;
}

SEC("cgroup/getpeername6")
int lb_toa_peer6(struct bpf_sock_addr *context) {
  struct bpf_sock *socket = context->sk;
  struct client *client = socket ? bpf_sk_storage_get(&lb_toa_clients, socket, NULL, 0) : NULL;
  if (client) {
    context->user_ip6[0] = client->address.words[0];
    context->user_ip6[1] = client->address.words[1];
    context->user_ip6[2] = client->address.words[2];
    context->user_ip6[3] = client->address.words[3];
    context->user_port = client->port;
  }
  return 1;
}

/* ---- Listeners that were there before ---------------------------------------------------------------- */

struct sock_common;

struct bpf_iter__tcp {
  struct bpf_iter_meta *meta;
  struct sock_common *sk_common;
} __attribute__((preserve_access_index));

/* On every socket: which of them listen is not this program's to read, and to the others it means nothing. */
SEC("iter/tcp")
int lb_toa_old(struct bpf_iter__tcp *context) {
  struct sock_common *common = context->sk_common;
  int one = 1;
  struct tcp_sock *socket = common ? bpf_skc_to_tcp_sock(common) : NULL;
  if (socket)
    bpf_setsockopt(socket, SOL_TCP, TCP_SAVE_SYN, &one, sizeof(one));
  return 0;
}

char LICENSE[] SEC("license") = "Apache-2.0";
