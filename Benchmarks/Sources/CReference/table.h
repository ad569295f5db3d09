/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection table, as bpf/lb_shared.h lays it out: lines of 64 bytes with four IPv4 slots (key, value) or two IPv6
 * slots (head, address, address, value). Lock-free and shared by the workers. A slot is claimed by compare-and-swap of
 * its first word, which is written again last, to publish it; values change by compare-and-swap; a removed entry is
 * "dead" in its value first. Entries that find their line full go further on and leave a mark in the lines they pass.
 *
 * Functions with a parameter `v6` are specialised wherever it is a constant.
 */
#ifndef CREFERENCE_TABLE_H
#define CREFERENCE_TABLE_H

#include "hash.h"

#define LINE_WORDS 8
#define PROBE_LIMIT 32
#define RESERVED 0x10000u
#define CONTINUATION 0xffffu

#define LOCAL_PORT_SHIFT 16
#define LOCAL_ADDRESS_SHIFT 32
#define STATE_SHIFT 38
#define NO_OUTPUT_SHIFT 42
#define OVERFLOW_SHIFT 44
#define COARSE_SHIFT 46
#define TICK_SHIFT 47
#define DEAD 15u
#define STATE_MASK ((uint64_t)0xf << STATE_SHIFT)
#define NO_OUTPUT ((uint64_t)1 << NO_OUTPUT_SHIFT)
#define OVERFLOW_MASK ((uint64_t)3 << OVERFLOW_SHIFT)
#define MARKED ((uint64_t)1 << OVERFLOW_SHIFT)
#define CLEARING ((uint64_t)2 << OVERFLOW_SHIFT)
/* Tick and its unit. */
#define STAMP_MASK ((uint64_t)0x3ffff << COARSE_SHIFT)

/* `head` is address << 32 | port << 16 | endpoint; of IPv6 without the address, with the slot's generation above it. */
struct key {
  uint64_t head, high, low;
};

struct lines {
  uint64_t *words;
  uint64_t mask;
  struct secret secret;
};

INLINE unsigned slot_words(bool v6) { return v6 ? 4 : 2; }
INLINE unsigned line_slots(bool v6) { return v6 ? 2 : 4; }
INLINE uint64_t *value_of(uint64_t *slot, bool v6) { return slot + (v6 ? 3 : 1); }
INLINE uint64_t *line_at(const struct lines *table, uint64_t hash) {
  return table->words + (hash & table->mask) * LINE_WORDS;
}
INLINE unsigned state_of(uint64_t value) { return value >> STATE_SHIFT & 0xf; }
/* Bits above are to be ignored: state and "no output" (see state.h). */
INLINE unsigned situation_of(uint64_t value) { return (unsigned)(value >> STATE_SHIFT); }
INLINE uint16_t server_of(uint64_t value) { return (uint16_t)value; }
INLINE uint64_t with_state(uint64_t value, unsigned state) {
  return (value & ~STATE_MASK) | (uint64_t)state << STATE_SHIFT;
}
INLINE bool is_dead(uint64_t value) { return (value & STATE_MASK) == STATE_MASK; }

INLINE struct key key_at(struct key key, uint16_t endpoint) {
  key.head = (key.head & ~(uint64_t)0xffff) | endpoint;
  return key;
}

INLINE struct key key_in(uint64_t *slot, bool v6) {
  uint64_t head = load_acquire(slot);
  if (!v6)
    return (struct key){head, 0, 0};
  return (struct key){(uint32_t)head, load_relaxed(slot + 1), load_relaxed(slot + 2)};
}

INLINE uint64_t hash_of(const struct lines *table, struct key key, bool v6) {
  return v6 ? hash_three(&table->secret, key.head, key.high, key.low) : hash_one(&table->secret, key.head);
}

INLINE bool matches(uint64_t *slot, struct key key, bool v6) {
  uint64_t head = load_acquire(slot);
  if (!v6)
    return head == key.head;
  if ((uint32_t)head != (uint32_t)key.head || load_acquire(slot + 1) != key.high || load_acquire(slot + 2) != key.low)
    return false;
  return load_relaxed(slot) == head;
}

/* The slot that holds the key if any slot of the line does; which one, nobody could predict. */
INLINE uint64_t *candidate(uint64_t *line, struct key key, bool v6) {
  if (v6) {
    uint64_t difference = (uint32_t)(load_relaxed(line + 4) ^ key.head) | (load_relaxed(line + 5) ^ key.high) |
                          (load_relaxed(line + 6) ^ key.low);
    return line + (unsigned)(difference == 0) * 4;
  }
  unsigned second = load_relaxed(line + 2) == key.head, third = load_relaxed(line + 4) == key.head;
  unsigned fourth = load_relaxed(line + 6) == key.head;
  return line + (second * 2 | third * 4 | fourth * 6);
}

INLINE bool is_marked(uint64_t *line, bool v6) { return load_relaxed(value_of(line, v6)) & OVERFLOW_MASK; }

static uint64_t *find_further(const struct lines *table, struct key key, uint64_t hash, bool v6) {
  for (uint64_t distance = 1; distance <= PROBE_LIMIT; distance++) {
    uint64_t *line = line_at(table, hash + distance);
    uint64_t *slot = candidate(line, key, v6);
    if (matches(slot, key, v6))
      return slot;
    if (!is_marked(line, v6))
      return NULL;
  }
  return NULL;
}

COLD uint64_t *find_further_v4(const struct lines *table, struct key key, uint64_t hash) {
  return find_further(table, key, hash, false);
}

COLD uint64_t *find_further_v6(const struct lines *table, struct key key, uint64_t hash) {
  return find_further(table, key, hash, true);
}

INLINE uint64_t *find(const struct lines *table, struct key key, uint64_t hash, bool v6) {
  uint64_t *line = line_at(table, hash);
  uint64_t *slot = candidate(line, key, v6);
  if (likely(matches(slot, key, v6)))
    return slot;
  if (likely(!is_marked(line, v6)))
    return NULL;
  return v6 ? find_further_v6(table, key, hash) : find_further_v4(table, key, hash);
}

/* ---- Removing -------------------------------------------------------------------------------------------------- */

INLINE void free_slot(uint64_t *slot, bool pair, bool v6) {
  if (pair)
    store_release(slot + slot_words(v6), 0);
  store_release(slot, 0);
}

/* True when the value was still `old`. */
INLINE bool remove_if(uint64_t *slot, uint64_t old, bool pair, bool v6) {
  if (is_dead(old) || !compare_exchange(value_of(slot, v6), old, old | STATE_MASK))
    return false;
  free_slot(slot, pair, v6);
  return true;
}

static bool remove_entry(uint64_t *slot, bool pair, bool v6) {
  for (;;) {
    uint64_t old = load_acquire(value_of(slot, v6));
    if (is_dead(old))
      return false;
    if (remove_if(slot, old, pair, v6))
      return true;
  }
}

/* ---- Inserting ------------------------------------------------------------------------------------------------- */

/* A live entry of the key in another slot than `own`. */
COLD uint64_t *find_rival(const struct lines *table, struct key key, uint64_t hash, uint64_t *own, bool v6) {
  for (uint64_t distance = 0; distance <= PROBE_LIMIT; distance++) {
    uint64_t *line = line_at(table, hash + distance);
    for (unsigned position = 0; position < line_slots(v6); position++) {
      uint64_t *slot = line + position * slot_words(v6);
      if (slot != own && matches(slot, key, v6) && !is_dead(load_acquire(value_of(slot, v6))))
        return slot;
    }
    if (!(load_acquire(value_of(line, v6)) & OVERFLOW_MASK))
      return NULL;
  }
  return NULL;
}

/* A free slot of the line, claimed; of a pair the first, its neighbour claimed too. */
INLINE uint64_t *claim(uint64_t *line, bool pair, bool v6) {
  for (;;) {
    unsigned free;
    if (v6)
      free = (load_relaxed(line) == 0) | (load_relaxed(line + 4) == 0) << 1;
    else
      free = (load_relaxed(line) == 0) | (load_relaxed(line + 2) == 0) << 1 | (load_relaxed(line + 4) == 0) << 2 |
             (load_relaxed(line + 6) == 0) << 3;
    if (pair)
      free &= free >> 1 & 5;
    if (free == 0)
      return NULL;
    uint64_t *slot = line + (unsigned)__builtin_ctz(free) * slot_words(v6);
    if (unlikely(!compare_exchange(slot, 0, RESERVED)))
      continue;
    if (!pair || compare_exchange(slot + slot_words(v6), 0, RESERVED))
      return slot;
    store_release(slot, 0);
  }
}

/* Marks the lines an entry had to pass, the farthest one first, so that a mark found in place can be trusted. */
COLD void mark_lines(const struct lines *table, uint64_t hash, uint64_t count, bool v6) {
  while (count-- > 0) {
    uint64_t *word = value_of(line_at(table, hash + count), v6);
    uint64_t old = load_acquire(word);
    while ((old & OVERFLOW_MASK) != MARKED && !compare_exchange(word, old, (old & ~OVERFLOW_MASK) | MARKED))
      old = load_acquire(word);
  }
}

COLD uint64_t *claim_further(const struct lines *table, uint64_t hash, bool pair, bool v6, uint64_t *distance) {
  for (*distance = 1; *distance < PROBE_LIMIT; ++*distance) {
    uint64_t *slot = claim(line_at(table, hash + *distance), pair, v6);
    if (slot != NULL)
      return slot;
  }
  return NULL;
}

/* The value of a claimed slot. Nobody else writes it, but for the mark of the line in the first slot. */
INLINE void fill_value(uint64_t *line, uint64_t *slot, uint64_t value, bool v6) {
  uint64_t *word = value_of(slot, v6);
  if (slot != line) {
    store_relaxed(word, value);
    return;
  }
  uint64_t old = load_relaxed(word);
  while (!compare_exchange(word, old, (value & ~OVERFLOW_MASK) | (old & OVERFLOW_MASK)))
    old = load_relaxed(word);
}

/* True when no other slot of the line holds the key and nothing lies further on. */
INLINE bool is_alone(uint64_t *line, struct key key, bool v6) {
  unsigned count;
  if (v6)
    count = ((uint32_t)load_relaxed(line) == key.head) + ((uint32_t)load_relaxed(line + 4) == key.head);
  else
    count = (load_relaxed(line) == key.head) + (load_relaxed(line + 2) == key.head) +
            (load_relaxed(line + 4) == key.head) + (load_relaxed(line + 6) == key.head);
  return count == 1 && !is_marked(line, v6);
}

enum insertion { INSERTED, EXISTING, FULL };

/*
 * Inserts a key that the caller has just looked for in vain. `slot` is the entry, new or existing. `generation` is the
 * upper half of an IPv6 slot's head. `continuation` is what stands in the second slot of a pair.
 */
INLINE enum insertion insert(const struct lines *table, struct key key, uint64_t hash, uint64_t value,
                             uint64_t generation, const struct key *continuation, bool v6, uint64_t **result) {
  bool pair = continuation != NULL;
  for (int attempt = 0; attempt < 8; attempt++) {
    uint64_t distance = 0;
    uint64_t *home = line_at(table, hash);
    uint64_t *slot = claim(home, pair, v6);
    if (unlikely(slot == NULL)) {
      slot = claim_further(table, hash, pair, v6, &distance);
      if (slot == NULL)
        return FULL;
    }
    if (pair) {
      uint64_t *next = slot + slot_words(v6);
      if (v6) {
        store_relaxed(next + 1, continuation->high);
        store_relaxed(next + 2, continuation->low);
      }
      store_release(next, continuation->head | CONTINUATION);
    }
    if (v6) {
      store_relaxed(slot + 1, key.high);
      store_relaxed(slot + 2, key.low);
    }
    fill_value(line_at(table, hash + distance), slot, value, v6);
    /* By an exchange: what is read next must not be read before others see the key. */
    __atomic_exchange_n(slot, v6 ? generation << 32 | key.head : key.head, __ATOMIC_SEQ_CST);
    if (unlikely(distance != 0))
      mark_lines(table, hash, distance, v6);
    *result = slot;
    if (likely(distance == 0 && is_alone(home, key, v6)))
      return INSERTED;
    uint64_t *rival = find_rival(table, key, hash, slot, v6);
    if (rival == NULL)
      return INSERTED;
    remove_entry(slot, pair, v6);
    /* The rival may have given way as well: then the next attempt decides. */
    if (matches(rival, key, v6) && !is_dead(load_acquire(value_of(rival, v6)))) {
      *result = rival;
      return EXISTING;
    }
  }
  return FULL;
}

/* ---- Marks, for the expiry hand ---------------------------------------------------------------------------------- */

/* True when an entry further on had to pass line `index`. */
static bool is_passed(const struct lines *table, uint64_t index, bool v6) {
  for (uint64_t distance = 1; distance <= PROBE_LIMIT; distance++) {
    uint64_t *line = line_at(table, index + distance);
    for (unsigned position = 0; position < line_slots(v6); position++) {
      uint64_t *slot = line + position * slot_words(v6);
      uint64_t head = load_acquire(slot);
      if (head == 0 || (head & 0xffff) == CONTINUATION)
        continue;
      if (head == RESERVED)
        return true;
      uint64_t home = hash_of(table, key_in(slot, v6), v6) & table->mask;
      uint64_t traveled = (index + distance - home) & table->mask;
      if (traveled >= distance && traveled <= PROBE_LIMIT)
        return true;
    }
    if (!(load_acquire(value_of(line, v6)) & OVERFLOW_MASK))
      return false;
  }
  return false;
}

/* Takes the mark off a line whose displaced entries have all gone. */
static void clear_mark(const struct lines *table, uint64_t index, bool v6) {
  uint64_t *word = value_of(line_at(table, index), v6);
  uint64_t old = load_acquire(word);
  if ((old & OVERFLOW_MASK) == 0 || !compare_exchange(word, old, (old & ~OVERFLOW_MASK) | CLEARING))
    return;
  bool needed = is_passed(table, index, v6);
  old = load_acquire(word);
  while ((old & OVERFLOW_MASK) == CLEARING &&
         !compare_exchange(word, old, (old & ~OVERFLOW_MASK) | (needed ? MARKED : 0)))
    old = load_acquire(word);
}

#endif
