/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A turn, top to bottom. The batch goes in pieces of a few packets: while one is parsed and its lines are prefetched,
 * the lines of the pieces before it arrive, and those of an earlier one are looked up, counted and rewritten. So misses
 * overlap with work, and lookups are strictly in order.
 */
#include "creference.h"

#include <time.h>

#include "classify.h"
#include "connection.h"
#include "expiry.h"
#include "rewrite.h"

/* Packets of a piece, and pieces between prefetching a line and using it. */
#ifndef PIECE
#define PIECE 32
#endif
#ifndef PIECES_AHEAD
#define PIECES_AHEAD 1
#endif
#define PIECES (CREFERENCE_BATCH / PIECE)

/* Frames sent in the last turn are free again. */
INLINE void reclaim(struct creference *reference) {
  uint64_t mask = ~(uint64_t)(reference->chunk_byte_count - 1);
  for (unsigned interface = 0; interface < INTERFACES; interface++) {
    const struct descriptor *sent = reference->sent[interface];
    size_t count = (size_t)(reference->sent_end[interface] - sent), room = reference->capacity - reference->free_count;
    count = count < room ? count : room;
    uint64_t *free = reference->free + reference->free_count;
    for (size_t index = 0; index < count; index++)
      free[index] = sent[index].address & mask;
    reference->free_count += count;
    reference->sent_end[interface] = reference->sent[interface];
  }
}

/* Takes what has arrived, by interface, the next one first in the next turn. Returns the number of the first
 * interface's packets. */
INLINE size_t receive(struct creference *reference, unsigned *first) {
  unsigned interface = reference->next_interface;
  size_t room = CREFERENCE_BATCH, counts[INTERFACES];
  *first = interface;
  for (unsigned turn = 0; turn < INTERFACES; turn++, interface ^= 1) {
    size_t *position = &reference->arrived_first[interface];
    size_t count = reference->arrived_count[interface] - *position;
    count = count < room ? count : room;
    memcpy(reference->frames + CREFERENCE_BATCH - room, reference->arrived[interface] + *position,
           count * sizeof *reference->frames);
    *position += count;
    counts[turn] = count;
    room -= count;
  }
  reference->next_interface ^= 1;
  reference->count = CREFERENCE_BATCH - room;
  return counts[0];
}

/* The packet's journey ends without its being sent. */
INLINE void finish(struct creference *reference, size_t index, enum creference_outcome outcome) {
  reference->outcomes[index] = (uint8_t)outcome;
  give_frame(reference, reference->frames[index].address);
}

/* What has become of a packet that is none of ours, or of no connection. Padding is cut off if its length is known. */
COLD void turn_away(struct creference *reference, size_t index, const struct packet *packet,
                    enum creference_outcome outcome) {
  struct descriptor *frame = reference->frames + index;
  if (packet->total != 0)
    frame->byte_count = (uint32_t)(packet->network + packet->total - (reference->umem + frame->address));
  finish(reference, index, outcome);
}

/* Parses and classifies some frames. Those that are ours become packets, from `packet` on; returns their end. */
INLINE struct packet *begin(struct creference *reference, size_t index, size_t end, uint64_t own,
                            const struct constants *constants, struct packet *packet) {
  uint8_t *umem = reference->umem;
  for (; index < end; index++) {
    const struct descriptor *frame = reference->frames + index;
    enum creference_outcome outcome =
        parse_and_classify(packet, umem + frame->address, frame->byte_count, own, constants);
    if (unlikely(outcome != CREFERENCE_PENDING)) {
      turn_away(reference, index, packet, outcome);
      continue;
    }
    packet->index = (uint8_t)index;
    packet++;
  }
  return packet;
}

/* The entry of a packet whose home line is full, or was. */
COLD uint64_t *find_displaced(struct creference *reference, const struct packet *packet) {
  bool v6 = packet->flags & PACKET_V6;
  const struct lines *table = lines_of(reference, v6);
  uint64_t home = (uint64_t)(packet->line - table->words) / LINE_WORDS;
  return v6 ? find_further_v6(table, packet->key, home) : find_further_v4(table, packet->key, home);
}

/* The connection of a packet that changes nothing about it but the time it was last seen; nearly all are such. */
INLINE bool goes_on(struct creference *reference, const struct packet *packet, uint64_t **slot, uint64_t *value,
                    bool v6) {
  *slot = candidate(packet->line, packet->key, v6);
  uint64_t *word = value_of(*slot, v6), old = load_acquire(word);
  /* The value was read first: if the key is there now, the value is its connection's. */
  if (unlikely(!matches(*slot, packet->key, v6))) {
    if (!is_marked(packet->line, v6) || (*slot = find_displaced(reference, packet)) == NULL)
      return false;
    word = value_of(*slot, v6);
    old = load_acquire(word);
    if (!matches(*slot, packet->key, v6))
      return false;
  }
  unsigned situation = situation_of(old) % SITUATIONS;
  if (unlikely((reference->states.steady[packet->segment] >> situation & 1) == 0))
    return false;
  *value = old;
  if (likely(old >> COARSE_SHIFT == reference->stamp))
    return true;
  uint64_t idle = (reference->tick - (old >> TICK_SHIFT)) & TICK_MASK;
  if ((old >> COARSE_SHIFT & 1) != 0 || idle > reference->states.timeouts[timeout_index(packet->segment, state_of(old))])
    return false;
  *value = touched(reference, old);
  return compare_exchange(word, old, *value);
}

/* Looks up, counts and rewrites a packet, and sends it. */
INLINE void forward(struct creference *reference, const struct packet *packet) {
  uint64_t *slot, value;
  bool v6 = packet->flags & PACKET_V6;
  if (unlikely(!(v6 ? goes_on(reference, packet, &slot, &value, true)
                    : goes_on(reference, packet, &slot, &value, false)))) {
    struct verdict verdict;
    if (v6)
      look_closely_v6(reference, packet, &verdict);
    else
      look_closely_v4(reference, packet, &verdict);
    if (verdict.outcome != CREFERENCE_PENDING) {
      turn_away(reference, packet->index, packet, verdict.outcome);
      return;
    }
    slot = verdict.slot;
    value = verdict.value;
  }
  struct server *server = reference->servers + server_of(value);
  /* Packets and bytes of a direction are two words apart. */
  uint64_t *counters = &server->counters.in_packets + (packet->flags >> 1);
  counters[0]++;
  counters[2] += packet->total;

  struct departure departure = rewrite(reference, packet, server, slot, value);
  if (unlikely(departure.hop == NULL)) {
    finish(reference, packet->index, departure.outcome);
    return;
  }
  reference->outcomes[packet->index] = (uint8_t)departure.outcome;
  /* Padding is cut off: the frame ends with the packet. */
  size_t header = 14 + departure.extra;
  uint8_t *frame = packet->network - header;
  if (unlikely(departure.hop->vlan != 0)) {
    write_tagged_ethernet(frame -= 4, departure.hop);
    header += 4;
  } else {
    write_ethernet(frame, departure.hop);
  }
  struct descriptor *sent = reference->sent_end[departure.hop->interface]++;
  sent->address = (uint64_t)(frame - reference->umem);
  sent->byte_count = (uint32_t)(packet->total + header);
  sent->index = packet->index;
}

/* Every packet has one outcome; most batches are of one kind. */
INLINE void count_outcomes(struct creference *reference) {
  size_t count = reference->count;
  for (size_t index = 0; index < count;) {
    uint64_t eight = load64(reference->outcomes + index);
    unsigned outcome = reference->outcomes[index];
    bool alike = eight == outcome * 0x0101010101010101u && index + 8 <= count;
    reference->totals.outcomes[outcome] += alike ? 8 : 1;
    index += alike ? 8 : 1;
  }
}

/* The first lines of the frames of a piece. */
INLINE void prefetch_frames(const struct creference *reference, size_t index) {
  size_t end = index + PIECE < reference->count ? index + PIECE : reference->count;
  for (; index < end; index++)
    __builtin_prefetch(reference->umem + reference->frames[index].address, 1);
}

size_t creference_turn(struct creference *reference, uint64_t now_nanoseconds) {
  reference->now = now_nanoseconds;
  reference->tick = now_nanoseconds / NANOSECONDS_PER_TICK & TICK_MASK;
  reference->stamp = reference->tick << 1;
  reclaim(reference);
  unsigned first;
  size_t border = receive(reference, &first), count = reference->count;
  const struct constants constants = {
      .near_v4 = reference->near_ends_v4,
      .near_v6 = reference->near_ends_v6,
      .near_shift = reference->near_shift,
      .near_mask = reference->near_mask,
      .v4 = reference->table->lines[0],
      .v6 = reference->table->lines[1],
  };
  struct packet *next = reference->packets, *packet = next, *ends[PIECES + PIECES_AHEAD];
  prefetch_frames(reference, 0);
  for (size_t piece = 0; piece < PIECES + PIECES_AHEAD; piece++) {
    if (piece * PIECE < count) {
      prefetch_frames(reference, (piece + 1) * PIECE);
      size_t index = piece * PIECE, end = index + PIECE < count ? index + PIECE : count;
      size_t middle = border < index ? index : border < end ? border : end;
      size_t limits[] = {index, middle, end};
#pragma clang loop unroll(disable)
      for (unsigned half = 0; half < 2; half++)
        next = begin(reference, limits[half], limits[half + 1], reference->own[first ^ half], &constants, next);
    }
    ends[piece] = next;
    if (piece >= PIECES_AHEAD)
      for (; packet < ends[piece - PIECES_AHEAD]; packet++)
        forward(reference, packet);
  }
  count_outcomes(reference);
  sweep_due(reference, count != 0);
  return count;
}

size_t creference_turn_now(struct creference *reference) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return creference_turn(reference, (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec);
}

#include "creation.h"
#include "inspection.h"
