/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference that lbd's core is judged against: the same work on the same packets, written in C for this one
 * purpose, as fast as we could make it. Frames in memory go through
 *
 *   receive -> parse -> classify -> schedule -> rewrite -> transmit -> counters -> expiry hand
 *
 * in batches of up to 64, and leave byte for byte as lbd would send them. One virtual service, one forwarding method.
 *
 * What it leaves out gets the outcome CREFERENCE_OTHER and is not sent: fragments, packets that would have to be
 * fragmented, and everything that lbd answers with an ICMP error (hop limit used up, too big, no server).
 *
 * Addresses are two words in host byte order, IPv4 in the low 32 bits of `low`; MAC addresses are the low 48 bits,
 * the first byte on the wire being the highest; ports are in host byte order.
 */
#ifndef CREFERENCE_H
#define CREFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CREFERENCE_BATCH 64
#define CREFERENCE_SERVERS 64
#define CREFERENCE_LOCALS 64
/* Where a packet starts in its frame, as in lbd: room for what tunnelling puts in front. */
#define CREFERENCE_HEADROOM 256

/* As lbd's Outcome of the same name; CREFERENCE_OTHER is all that is out of the reference's scope. */
enum creference_outcome {
  CREFERENCE_PENDING,
  CREFERENCE_DIRECT_ROUTING,
  CREFERENCE_MASQUERADE_REQUEST,
  CREFERENCE_MASQUERADE_REPLY,
  CREFERENCE_TUNNEL,
  CREFERENCE_FULLNAT_REQUEST,
  CREFERENCE_FULLNAT_REPLY,
  CREFERENCE_NOT_OURS,
  CREFERENCE_NO_CONNECTION,
  CREFERENCE_NO_REPLY_CONNECTION,
  CREFERENCE_PRIVILEGED_SOURCE,
  CREFERENCE_MALFORMED,
  CREFERENCE_BAD_HEADER_CHECKSUM,
  CREFERENCE_OTHER_HOST,
  CREFERENCE_TABLE_FULL,
  CREFERENCE_LOCAL_PORTS_EXHAUSTED,
  CREFERENCE_OTHER,
  CREFERENCE_OUTCOME_COUNT
};

/* As lbd's Forwarding. */
enum creference_mode { CREFERENCE_DR, CREFERENCE_NAT, CREFERENCE_TUN, CREFERENCE_FULLNAT };

enum creference_scheduler { CREFERENCE_RR, CREFERENCE_WLC, CREFERENCE_SH, CREFERENCE_MH };

struct creference_address {
  uint64_t high;
  uint64_t low;
};

/* A real server. Its number, in lbd's sense, is its position in the array, which is in list order. */
struct creference_server {
  struct creference_address address;
  uint64_t mac;       /* the server's, or its gateway's */
  int32_t weight;     /* 0: quiescent */
  uint32_t upper;     /* connections from which on it takes no new ones; 0: none */
  uint32_t lower;     /* connections below which it takes new ones again; 0: three quarters of `upper` */
  uint16_t port;
  uint16_t endpoint;  /* NAT, FULLNAT: number of its address:port; not 0 */
  uint16_t mtu;
  uint16_t vlan;      /* 0: untagged */
  uint8_t interface;
};

struct creference_config {
  enum creference_mode mode;
  enum creference_scheduler scheduler;
  bool ipv6;
  uint8_t transport; /* 6 or 17 */
  struct creference_address vip;
  uint16_t vport;
  uint16_t endpoint; /* number of VIP:port; not 0 and no server's */
  const struct creference_server *servers;
  size_t server_count;
  const struct creference_address *locals; /* FULLNAT */
  size_t local_count;
  uint16_t local_port_first;
  uint16_t local_port_last;
  struct creference_address tunnel_source;
  uint64_t interface_macs[2]; /* 0: towards the clients, 1: towards the servers */
  /* The clients' gateway: replies leave by the default route, over interface 0. */
  uint64_t gateway_mac;
  uint16_t gateway_mtu;
  /* Replies to clients in this IPv4 or IPv6 prefix leave by interface 0 directly, to `onlink_mac`; length 0: none. */
  struct creference_address onlink_prefix;
  uint8_t onlink_length;
  uint64_t onlink_mac;
  /* The table: connections to make room for, and whether they have entries for replies (NAT, FULLNAT) as well. */
  size_t connection_capacity;
  bool both_directions;
  uint64_t seed;
  unsigned worker;
  unsigned worker_count;
};

/* ---- The connection table, shared by the workers of one configuration ---------------------------------------- */
struct creference_table;

/* NULL when there is no memory. Of the configuration it reads the servers' number, the table's size, and the seed. */
struct creference_table *creference_table_create(const struct creference_config *config);
void creference_table_destroy(struct creference_table *table);
/* Entries in it; a connection of NAT and FULLNAT has two. */
size_t creference_table_entries(const struct creference_table *table);
/* Bytes of its lines. */
size_t creference_table_bytes(const struct creference_table *table);
/* Active and inactive connections of a server. */
uint32_t creference_table_active(const struct creference_table *table, size_t server);
uint32_t creference_table_inactive(const struct creference_table *table, size_t server);

/* ---- A worker ---------------------------------------------------------------------------------------------------- */
struct creference;

/* `umem` is where the frames lie: `frame_count` of them, `chunk_byte_count` bytes each (a power of two, 2048 or more);
 * it and the table must outlive the worker. NULL when there is no memory or the configuration makes no sense. */
struct creference *creference_create(const struct creference_config *config, struct creference_table *table, void *umem,
                                     size_t frame_count, size_t chunk_byte_count);
void creference_destroy(struct creference *reference);

/* A free frame: the offset in the UMEM where a packet goes, CREFERENCE_HEADROOM bytes behind the frame's start; or
 * UINT64_MAX. A frame becomes free again when its packet was dropped or passed, and in the turn after it was sent. */
uint64_t creference_take(struct creference *reference);
/* Says that a packet has arrived: `address` is the offset of its first byte in the UMEM. False: no room. */
bool creference_offer(struct creference *reference, uint64_t address, uint32_t byte_count, unsigned interface);

/* Takes up to 64 of the frames that were offered, in order of the interfaces. Returns how many. */
size_t creference_turn(struct creference *reference, uint64_t now_nanoseconds);
/* The same at CLOCK_MONOTONIC. */
size_t creference_turn_now(struct creference *reference);
/* Lets the expiry hand go once around the whole table, at the clock of the last turn. */
void creference_sweep(struct creference *reference);

/* ---- The last batch, by the frame's place in it -------------------------------------------------------------- */
enum creference_outcome creference_outcome_of(const struct creference *reference, size_t index);
/* Offset of its first byte in the UMEM, and length, as it was left. */
uint64_t creference_address_of(const struct creference *reference, size_t index);
uint32_t creference_byte_count_of(const struct creference *reference, size_t index);
/* The interface it left by, or -1. */
int creference_egress_of(const struct creference *reference, size_t index);

/* ---- Counters -------------------------------------------------------------------------------------------------- */
struct creference_server_counters {
  uint64_t connections;
  uint64_t in_packets;
  uint64_t out_packets;
  uint64_t in_bytes;
  uint64_t out_bytes;
};

uint64_t creference_counter(const struct creference *reference, enum creference_outcome outcome);
struct creference_server_counters creference_server_counter(const struct creference *reference, size_t server);
/* Connections that timed out. */
uint64_t creference_expired(const struct creference *reference);

#endif
