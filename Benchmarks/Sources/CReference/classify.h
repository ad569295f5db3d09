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

/* Behind a place that somebody else has. */
COLD uint64_t find_near_further(const struct constants *constants, uint64_t word, uint64_t place) {
  const struct near_end_v4 *entry;
  do {
    place = (place + 1) & constants->near_mask;
    entry = constants->near_v4 + place;
  } while (entry->word != word && entry->word != 0);
  return entry->endpoint;
}

INLINE uint64_t find_near_v4(const struct constants *constants, uint64_t word) {
  uint64_t place = word * GOLDEN >> constants->near_shift;
  const struct near_end_v4 *entry = constants->near_v4 + place;
  if (entry->word == word)
    return entry->endpoint;
  return likely(entry->word == 0) ? 0 : find_near_further(constants, word, place);
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

INLINE void take_packet(struct packet *packet, uint8_t *network, uint8_t *transport, size_t total, unsigned segment,
                        unsigned flags) {
  packet->network = network;
  packet->transport = transport;
  packet->total = (uint16_t)total;
  packet->segment = (uint8_t)segment;
  packet->flags = (uint8_t)flags;
}

/* The home line, and the one behind it, where an entry is when the home line was full: at three quarters of the
 * table's room many are. It costs a little when none is. */
INLINE void prefetch_line(const uint64_t *line) {
  __builtin_prefetch(line);
  __builtin_prefetch(line + LINE_WORDS);
}

/* False when the packet is not ours. */
INLINE bool classify_v4(struct packet *packet, uint8_t *network, uint8_t *transport, size_t total, unsigned segment,
                        const struct constants *constants) {
  const uint8_t *address = network + 12, *port = transport;
  uint64_t word = near_word_v4(load32(network + 16), load16(transport + 2), near_kind(segment, DESTINATION));
  uint64_t endpoint = find_near_v4(constants, word);
  if (endpoint != 0) {
    take_packet(packet, network, transport, total, segment, 0);
  } else {
    word = near_word_v4(load32(network + 12), load16(transport), near_kind(segment, SOURCE));
    endpoint = find_near_v4(constants, word);
    if (unlikely(endpoint == 0))
      return false;
    take_packet(packet, network, transport, total, segment | SEGMENT_REPLY, PACKET_REPLY);
    /* The far end is the destination. */
    address += 4;
    port += 2;
  }
  packet->key.head = (uint64_t)swap32(load32(address)) << 32 | (uint32_t)swap16(load16(port)) << 16 | endpoint;
  packet->line = line_at(&constants->v4, hash_of(&constants->v4, packet->key, false));
  prefetch_line(packet->line);
  return true;
}

INLINE bool classify_v6(struct packet *packet, uint8_t *network, uint8_t *transport, size_t total, unsigned segment,
                        const struct constants *constants) {
  const uint8_t *address = network + 8, *port = transport;
  uint64_t word = near_word_v4(0, load16(transport + 2), near_kind(segment, DESTINATION));
  uint64_t endpoint = find_near_v6(constants, word, network + 24);
  if (endpoint != 0) {
    take_packet(packet, network, transport, total, segment, PACKET_V6);
  } else {
    word = near_word_v4(0, load16(transport), near_kind(segment, SOURCE));
    endpoint = find_near_v6(constants, word, network + 8);
    if (unlikely(endpoint == 0))
      return false;
    take_packet(packet, network, transport, total, segment | SEGMENT_REPLY, PACKET_V6 | PACKET_REPLY);
    address += 16;
    port += 2;
  }
  packet->key.head = (uint32_t)swap16(load16(port)) << 16 | endpoint;
  packet->key.high = swap64(load64(address));
  packet->key.low = swap64(load64(address + 8));
  packet->line = line_at(&constants->v6, hash_of(&constants->v6, packet->key, true));
  prefetch_line(packet->line);
  return true;
}

/* A line without connections. */
static _Alignas(64) uint64_t empty_line[LINE_WORDS];

/* What the straight lines of `parse.h` do not take. */
COLD enum creference_outcome classify_anything(struct packet *packet, uint8_t *frame, size_t byte_count, uint64_t own,
                                               const struct constants *constants) {
  enum creference_outcome outcome = parse_anything(packet, frame, byte_count, own);
  if (outcome != CREFERENCE_PENDING)
    return outcome;
  uint8_t *network = packet->network, *transport = packet->transport;
  bool is_ours = packet->flags & PACKET_V6
                     ? classify_v6(packet, network, transport, packet->total, packet->segment, constants)
                     : classify_v4(packet, network, transport, packet->total, packet->segment, constants);
  /* Odd replies are looked at closely, wherever their connection is: they may be some that are refused. */
  if (is_ours && (packet->flags & PACKET_REPLY) && transport - network > (packet->flags & PACKET_V6 ? 40 : 20))
    packet->line = empty_line;
  return is_ours ? CREFERENCE_PENDING : CREFERENCE_NOT_OURS;
}

/* Frame -> packet with its key. CREFERENCE_PENDING, or what has become of the frame. */
INLINE enum creference_outcome parse_and_classify(struct packet *packet, uint8_t *frame, size_t byte_count,
                                                  uint64_t own, const struct constants *constants) {
  if (unlikely(byte_count < 34 || load64(frame) << 16 != own))
    return classify_anything(packet, frame, byte_count, own, constants);
  /* Type, version, and length of the IPv4 header. */
  uint32_t start = load32(frame + 12);
  if ((start & 0xffffff) == 0x450008) {
    size_t total = swap16(load16(frame + 16));
    unsigned segment = parse_plain_ipv4(frame, byte_count, total);
    if (likely(segment != SEGMENT_NONE) &&
        likely(classify_v4(packet, frame + 14, frame + 34, total, segment, constants)))
      return CREFERENCE_PENDING;
  } else if ((start & 0xf0ffff) == 0x60dd86) {
    size_t total = 40u + swap16(load16(frame + 18));
    unsigned segment = parse_plain_ipv6(frame, byte_count, total);
    if (likely(segment != SEGMENT_NONE) &&
        likely(classify_v6(packet, frame + 14, frame + 54, total, segment, constants)))
      return CREFERENCE_PENDING;
  }
  return classify_anything(packet, frame, byte_count, own, constants);
}

#endif
