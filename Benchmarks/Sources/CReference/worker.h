/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker has: the batch, the rings, what is known about servers and routes, the counters. */
#ifndef CREFERENCE_WORKER_H
#define CREFERENCE_WORKER_H

#include "creference.h"
#include "scheduler.h"
#include "state.h"
#include "table.h"

#define INTERFACES 2
#define NEAR_ENDS 512
#define WORKERS 16

/* `struct packet`'s flags, which are part of the way of rewriting. */
#define PACKET_V6 1
#define PACKET_REPLY 2

/* A packet that has been parsed and is one of ours. */
struct packet {
  _Alignas(64) uint8_t *network;
  uint8_t *transport;
  uint64_t *line;
  struct key key;
  uint16_t total; /* bytes of the IP packet; 0: not known */
  uint8_t segment;
  uint8_t flags;
  uint8_t index; /* its place in the batch */
};

/* A frame in a ring. */
struct descriptor {
  uint64_t address;
  uint32_t byte_count;
  uint32_t index; /* its place in the batch */
};

/* Where frames leave: the Ethernet header as it stands in memory. The second word overlaps the first by two bytes. */
struct hop {
  uint64_t first, second;
  uint16_t mtu, vlan;
  uint8_t interface;
};

/* Four lines, so that a server's place is a shift away. */
struct server {
  _Alignas(256) struct hop hop;
  uint8_t method; /* forwarding method times four */
  /* Corrections of checksums, by direction: 0 requests, 1 replies. */
  uint16_t header_delta[2], transport_delta[2], transport_step[2];
  uint64_t header_step[2];
  /* As they stand in packets; IPv4 addresses in the lower half of the first word. */
  uint16_t port, vport;
  uint64_t address[2], vip[2], tunnel_source[2];
  uint64_t tunnel_sum; /* outer IPv4 header, without what differs from packet to packet */
  uint16_t endpoint;
  uint32_t upper, lower;
  /* Written by this worker only. */
  struct creference_server_counters counters;
};

/* What the near end of a packet is looked up by (its address, port, protocol, and which end it is), and its endpoint
 * number; 0: empty. IPv4: all in one word, address and port as they stand in the packet. */
struct near_end_v4 {
  uint64_t word, endpoint;
};

struct near_end_v6 {
  uint64_t word, high, low, endpoint;
};

/* Written by one worker only. */
struct totals {
  _Alignas(64) uint64_t outcomes[CREFERENCE_OUTCOME_COUNT];
  uint64_t expired;
};

struct creference_table {
  struct lines lines[2];
  struct server_load *loads;
  struct scheduler_state state;
  /* By worker: entries it has put in, minus those it has taken out; of each family. */
  struct {
    _Alignas(64) uint64_t count[2];
  } entries[WORKERS];
  void *memory;
  size_t byte_count;
};

struct creference {
  struct creference_table *table;
  uint8_t *umem;
  uint64_t own[INTERFACES]; /* MAC address as it stands in memory, in the upper 48 bits */
  /* The clock, by batch. */
  uint64_t now, tick, stamp;
  /* Open addressing, a quarter full or less; the place is the upper bits of a hash. */
  struct near_end_v4 near_ends_v4[NEAR_ENDS];
  struct near_end_v6 near_ends_v6[NEAR_ENDS];
  unsigned near_shift, near_mask;
  struct states states;
  struct server servers[CREFERENCE_SERVERS];
  struct totals totals;
  struct hop gateway, onlink;
  uint64_t prefix[2], prefix_mask[2];
  struct scheduler scheduler;
  struct creference_address locals[CREFERENCE_LOCALS];
  unsigned local_count, local_first, local_ports;
  uint16_t endpoint;
  uint8_t transport;
  bool v6;
  /* The batch. */
  size_t count;
  _Alignas(64) uint8_t outcomes[CREFERENCE_BATCH];
  struct packet packets[CREFERENCE_BATCH];
  struct descriptor frames[CREFERENCE_BATCH];
  /* Rings of each interface; of those for sending, where the next descriptor goes. */
  struct descriptor *arrived[INTERFACES], *sent[INTERFACES], *sent_end[INTERFACES];
  size_t arrived_first[INTERFACES], arrived_count[INTERFACES];
  unsigned next_interface;
  size_t capacity;
  /* Free frames. */
  uint64_t *free;
  size_t free_count, chunk_byte_count;
  /* The expiry hand. */
  uint64_t swept, cursors[2];
  unsigned worker, worker_count;
  uint32_t generation, identification;
};

INLINE const struct lines *lines_of(struct creference *reference, bool v6) { return &reference->table->lines[v6]; }

INLINE void count_entries(struct creference *reference, bool v6, int amount) {
  uint64_t *word = &reference->table->entries[reference->worker].count[v6];
  store_relaxed(word, load_relaxed(word) + (uint64_t)(int64_t)amount);
}

/* The upper half of an IPv6 slot's head: distinguishes lives of one slot. */
INLINE uint64_t next_generation(struct creference *reference) {
  reference->generation = (reference->generation & 0xff000000u) | ((reference->generation + 1) & 0xffffffu);
  return reference->generation;
}

INLINE void give_frame(struct creference *reference, uint64_t address) {
  if (likely(reference->free_count < reference->capacity))
    reference->free[reference->free_count++] = address & ~(uint64_t)(reference->chunk_byte_count - 1);
}

#endif
