/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A turn, top to bottom. Packets are parsed and their lines prefetched some way ahead of where they are looked up,
 * counted and rewritten, so that misses overlap with work; lookups are strictly in order.
 */
#include "creference.h"

#include <time.h>

#include "classify.h"
#include "connection.h"
#include "expiry.h"
#include "rewrite.h"

/* Packets between prefetching a line and using it, and between prefetching a frame and parsing it. */
#ifndef LOOKUP_DISTANCE
#define LOOKUP_DISTANCE 32
#endif
#ifndef FRAME_DISTANCE
#define FRAME_DISTANCE 16
#endif

/* Frames sent in the last turn are free again. */
INLINE void reclaim(struct creference *reference) {
  for (unsigned interface = 0; interface < INTERFACES; interface++) {
    const struct descriptor *sent = reference->sent[interface];
    for (size_t index = 0; index < reference->sent_count[interface]; index++)
      give_frame(reference, sent[index].address);
    reference->sent_count[interface] = 0;
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

INLINE void begin(struct creference *reference, size_t index, uint64_t own, const struct constants *constants) {
  struct packet *packet = reference->packets + index;
  const struct descriptor *frame = reference->frames + index;
  struct ends ends;
  enum creference_outcome outcome =
      parse(packet, reference->umem + frame->address, frame->byte_count, own, &ends);
  if (likely(outcome == CREFERENCE_PENDING) && unlikely(!classify(packet, ends, constants)))
    outcome = CREFERENCE_NOT_OURS;
  reference->outcomes[index] = (uint8_t)outcome;
}

/* The connection of a packet that changes nothing about it but the time it was last seen; nearly all are such. */
INLINE bool goes_on(struct creference *reference, const struct packet *packet, uint64_t **slot, uint64_t *value,
                    bool v6) {
  *slot = candidate(packet->line, packet->key, v6);
  uint64_t *word = value_of(*slot, v6), old = load_acquire(word);
  /* The value was read first: if the key is there now, the value is its connection's. */
  if (unlikely(!matches(*slot, packet->key, v6)))
    return false;
  unsigned segment = segment_of(packet, old), state = state_of(old);
  if (unlikely((reference->states.steady[segment] >> state & 1) == 0))
    return false;
  *value = old;
  if (likely(old >> COARSE_SHIFT == reference->stamp))
    return true;
  uint64_t idle = (reference->tick - (old >> TICK_SHIFT)) & TICK_MASK;
  if ((old >> COARSE_SHIFT & 1) != 0 || idle > reference->states.timeouts[timeout_index(segment, state)])
    return false;
  *value = touched(reference, old);
  return compare_exchange(word, old, *value);
}

INLINE void end(struct creference *reference, size_t index) {
  struct packet *packet = reference->packets + index;
  if (unlikely(reference->outcomes[index] != CREFERENCE_PENDING)) {
    give_frame(reference, reference->frames[index].address);
    return;
  }
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
      reference->outcomes[index] = (uint8_t)verdict.outcome;
      give_frame(reference, reference->frames[index].address);
      return;
    }
    slot = verdict.slot;
    value = verdict.value;
  }
  /* Counters: packets and bytes of a direction are two words apart. */
  uint64_t *counters = &reference->counters[server_of(value)].in_packets + (packet->flags >> 1 & 1);
  counters[0]++;
  counters[2] += packet->total;

  struct departure departure = rewrite(reference, packet, slot, value);
  reference->outcomes[index] = (uint8_t)departure.outcome;
  if (unlikely(departure.hop == NULL)) {
    give_frame(reference, reference->frames[index].address);
    return;
  }
  uint8_t *frame = write_ethernet(departure.start, departure.hop);
  unsigned interface = departure.hop->interface;
  size_t place = reference->sent_count[interface]++;
  /* The packet ends where it ended, padding cut off. */
  uint32_t byte_count = (uint32_t)(packet->network + packet->total - frame);
  reference->sent[interface][place] =
      (struct descriptor){(uint64_t)(frame - reference->umem), byte_count, (uint32_t)index};
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
  uint8_t *umem = reference->umem;
  for (size_t index = 0; index < FRAME_DISTANCE && index < count; index++)
    __builtin_prefetch(umem + reference->frames[index].address, 1);
  for (size_t index = 0; index < count + LOOKUP_DISTANCE; index++) {
    if (index + FRAME_DISTANCE < count)
      __builtin_prefetch(umem + reference->frames[index + FRAME_DISTANCE].address, 1);
    if (index < count)
      begin(reference, index, reference->own[index < border ? first : first ^ 1], &constants);
    if (index >= LOOKUP_DISTANCE)
      end(reference, index - LOOKUP_DISTANCE);
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
