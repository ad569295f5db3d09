/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packet -> key: the near end becomes an endpoint number (the service's by destination, or a real server's by source),
 * the far end and that number are the key, and the line its hash names is prefetched.
 */
#ifndef CREFERENCE_CLASSIFY_H
#define CREFERENCE_CLASSIFY_H

#include "parse.h"

#define DESTINATION 1
#define SOURCE 2
#define GOLDEN 0x9e3779b97f4a7c15u

/* What does not change during a batch, out of reach of any store. */
struct constants {
  const struct near_end_v4 *near_v4;
  const struct near_end_v6 *near_v6;
  unsigned near_shift, near_mask;
  struct lines v4, v6;
};

INLINE uint64_t near_hash_v6(uint64_t word, uint64_t high, uint64_t low) {
  return high * GOLDEN + low * 0xd6e8feb86659fd93u + word * 0xc2b2ae3d27d4eb4fu;
}

INLINE uint64_t find_near_v4(const struct constants *constants, uint64_t word) {
  for (uint64_t place = word * GOLDEN >> constants->near_shift;; place = (place + 1) & constants->near_mask) {
    const struct near_end_v4 *entry = constants->near_v4 + place;
    if (entry->word == word || entry->word == 0)
      return entry->endpoint;
  }
}

INLINE uint64_t find_near_v6(const struct constants *constants, uint64_t word, const uint8_t *address) {
  uint64_t high = swap64(load64(address)), low = swap64(load64(address + 8));
  uint64_t place = near_hash_v6(word, high, low) >> constants->near_shift;
  for (;; place = (place + 1) & constants->near_mask) {
    const struct near_end_v6 *entry = constants->near_v6 + place;
    if (((entry->word ^ word) | (entry->high ^ high) | (entry->low ^ low)) == 0 || entry->word == 0)
      return entry->endpoint;
  }
}

/* False when the packet is not ours. */
INLINE bool classify(struct packet *packet, struct ends ends, const struct constants *constants) {
  uint64_t protocol = (uint64_t)packet->protocol << 8;
  bool v6 = packet->flags & PACKET_V6;
  uint64_t endpoint;
  if (!v6)
    endpoint = find_near_v4(constants, ends.destination | protocol | DESTINATION);
  else
    endpoint = find_near_v6(constants, ends.destination | protocol | DESTINATION, packet->network + 24);
  uint64_t far = ends.source;
  const uint8_t *address = packet->network + 8;
  if (endpoint == 0) {
    if (!v6)
      endpoint = find_near_v4(constants, ends.source | protocol | SOURCE);
    else
      endpoint = find_near_v6(constants, ends.source | protocol | SOURCE, packet->network + 8);
    if (unlikely(endpoint == 0))
      return false;
    far = ends.destination;
    address = packet->network + 24;
    packet->flags |= PACKET_REPLY;
    packet->segment |= SEGMENT_REPLY;
  }
  packet->key.head = far | endpoint;
  uint64_t hash;
  if (!v6) {
    hash = hash_of(&constants->v4, packet->key, false);
    packet->line = line_at(&constants->v4, hash);
  } else {
    packet->key.high = swap64(load64(address));
    packet->key.low = swap64(load64(address + 8));
    hash = hash_of(&constants->v6, packet->key, true);
    packet->line = line_at(&constants->v6, hash);
  }
  __builtin_prefetch(packet->line);
  return true;
}

#endif
