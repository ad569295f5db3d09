/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain loop: the least that a forwarder of known flows can do, with a table of two lines a flow. A line of tags
 * (eight 16-bit tags, eight 32-bit indices) leads to a 64-byte entry that says how to rewrite. Requests only, no
 * services, no state, no expiry: what it takes is a floor, not a reference.
 */
#ifndef PLAIN_LOOP_H
#define PLAIN_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAIN_LOOP_BATCH 32

enum plain_loop_mode { PLAIN_LOOP_DR, PLAIN_LOOP_NAT };

/* Host byte order; MAC addresses in the low 48 bits. */
struct plain_loop_flow {
  uint32_t client;
  uint32_t vip;
  uint16_t client_port;
  uint16_t vport;
  /* NAT: what the packet gets instead. */
  uint32_t source;
  uint32_t destination;
  uint16_t source_port;
  uint16_t destination_port;
  uint64_t server_mac;
  uint64_t own_mac;
};

/* A frame: offset of its first byte in the UMEM, and length. */
struct plain_loop_frame {
  uint64_t address;
  uint32_t byte_count;
  uint32_t options;
};

struct plain_loop;

/* NULL when there is no memory. `capacity` is in flows. */
struct plain_loop *plain_loop_create(size_t capacity, enum plain_loop_mode mode, void *umem);
/* False when the flow's line is full, or the table. */
bool plain_loop_add(struct plain_loop *loop, const struct plain_loop_flow *flow);
/* Rewrites the frames in place, 32 at a time. Returns how many were forwarded. */
size_t plain_loop_process(struct plain_loop *loop, const struct plain_loop_frame *frames, size_t count);
/* Packets of a flow so far. */
uint64_t plain_loop_packets(const struct plain_loop *loop, const struct plain_loop_flow *flow);
void plain_loop_destroy(struct plain_loop *loop);

#endif
