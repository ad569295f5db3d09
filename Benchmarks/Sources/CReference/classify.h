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

/* Protocol and side, between the address and the port. */
INLINE uint64_t near_kind(unsigned segment, unsigned side) {
  return (uint64_t)((segment & SEGMENT_UDP ? UDP : TCP) | side << 8) << 32;
}

INLINE uint64_t near_word_v4(uint32_t address, uint16_t port, uint64_t kind) {
  return address | (uint64_t)port << 48 | kind;
}

INLINE uint64_t near_hash_v6(uint64_t word, uint64_t high, uint64_t low) {
  return high * GOLDEN + low * 0xd6e8feb86659fd93u + word * 0xc2b2ae3d27d4eb4fu;
}

INLINE uint64_t find_near_v4(const struct constants *constants, uint64_t word) {
  uint64_t place = word * GOLDEN >> constants->near_shift;
  const struct near_end_v4 *entry = constants->near_v4 + place;
  while (unlikely(entry->word != word) && entry->word != 0) {
    place = (place + 1) & constants->near_mask;
    entry = constants->near_v4 + place;
  }
  return entry->endpoint;
}

INLINE uint64_t find_near_v6(const struct constants *constants, uint64_t word, const uint8_t *address) {
  uint64_t high = load64(address), low = load64(address + 8);
  uint64_t place = near_hash_v6(word, high, low) >> constants->near_shift;
  for (;; place = (place + 1) & constants->near_mask) {
    const struct near_end_v6 *entry = constants->near_v6 + place;
    if (((entry->word ^ word) | (entry->high ^ high) | (entry->low ^ low)) == 0 || entry->word == 0)
      return entry->endpoint;
  }
}

INLINE bool classify_v4(struct packet *packet, const struct constants *constants) {
  const uint8_t *addresses = packet->network + 12, *ports = packet->transport;
  uint64_t word = near_word_v4(load32(addresses + 4), load16(ports + 2), near_kind(packet->segment, DESTINATION));
  uint64_t endpoint = find_near_v4(constants, word);
  if (endpoint == 0) {
    word = near_word_v4(load32(addresses), load16(ports), near_kind(packet->segment, SOURCE));
    endpoint = find_near_v4(constants, word);
    if (unlikely(endpoint == 0))
      return false;
    /* The far end is the destination. */
    addresses += 4;
    ports += 2;
    packet->flags |= PACKET_REPLY;
    packet->segment |= SEGMENT_REPLY;
  }
  packet->key.head = (uint64_t)swap32(load32(addresses)) << 32 | (uint32_t)swap16(load16(ports)) << 16 | endpoint;
  packet->line = line_at(&constants->v4, hash_of(&constants->v4, packet->key, false));
  __builtin_prefetch(packet->line);
  return true;
}

INLINE bool classify_v6(struct packet *packet, const struct constants *constants) {
  const uint8_t *address = packet->network + 8, *ports = packet->transport;
  uint64_t word = near_word_v4(0, load16(ports + 2), near_kind(packet->segment, DESTINATION));
  uint64_t endpoint = find_near_v6(constants, word, address + 16);
  if (endpoint == 0) {
    word = near_word_v4(0, load16(ports), near_kind(packet->segment, SOURCE));
    endpoint = find_near_v6(constants, word, address);
    if (unlikely(endpoint == 0))
      return false;
    address += 16;
    ports += 2;
    packet->flags |= PACKET_REPLY;
    packet->segment |= SEGMENT_REPLY;
  }
  packet->key.head = (uint32_t)swap16(load16(ports)) << 16 | endpoint;
  packet->key.high = swap64(load64(address));
  packet->key.low = swap64(load64(address + 8));
  packet->line = line_at(&constants->v6, hash_of(&constants->v6, packet->key, true));
  __builtin_prefetch(packet->line);
  return true;
}

/* False when the packet is not ours. */
INLINE bool classify(struct packet *packet, const struct constants *constants) {
  return packet->flags & PACKET_V6 ? classify_v6(packet, constants) : classify_v4(packet, constants);
}

#endif
