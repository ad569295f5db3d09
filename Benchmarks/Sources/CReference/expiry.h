/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expiry by a clock hand: a connection has a stamp of its last packet, and no timer. The hand walks over each worker's
 * share of the table, a slice per turn. A connection with an entry for replies is idle when both entries are; only that
 * of the requests decides, the other goes with it, or when it is found alone.
 */
#ifndef CREFERENCE_EXPIRY_H
#define CREFERENCE_EXPIRY_H

#include "worker.h"

#define TICK_MASK 0x1ffffu
#define TICKS_PER_COARSE_TICK 64
#define NANOSECONDS_PER_TICK 500000000u
#define SWEEP_PERIOD 2000000000u
#define SWEEP_LINES_PER_SECOND 4000000u
#define SWEEP_BUSY_LINES 256

static uint64_t coarse_tick(const struct creference *reference) {
  return (reference->now / NANOSECONDS_PER_TICK / TICKS_PER_COARSE_TICK) & TICK_MASK;
}

/* Half seconds since the connection's last packet. */
INLINE uint64_t idle_ticks(const struct creference *reference, uint64_t value) {
  uint64_t stamp = value >> TICK_SHIFT;
  if (likely((value >> COARSE_SHIFT & 1) == 0))
    return (reference->tick - stamp) & TICK_MASK;
  return ((coarse_tick(reference) - stamp) & TICK_MASK) * TICKS_PER_COARSE_TICK;
}

INLINE bool is_idle_too_long(const struct creference *reference, uint64_t value) {
  unsigned segment = reference->transport == 17 ? SEGMENT_UDP : 0;
  return idle_ticks(reference, value) > reference->states.timeouts[timeout_index(segment, state_of(value))];
}

INLINE struct server *server_at(struct creference *reference, uint64_t value) {
  return reference->servers + server_of(value);
}

INLINE bool has_replies(const struct server *server) {
  return server->method == CREFERENCE_NAT << 2 || server->method == CREFERENCE_FULLNAT << 2;
}

INLINE bool is_full_nat(const struct server *server) { return server->method == CREFERENCE_FULLNAT << 2; }

/* The key of a connection's replies; the server has some. */
INLINE struct key reply_key(struct creference *reference, struct key key, uint64_t value, const struct server *server) {
  if (!is_full_nat(server))
    return key_at(key, server->endpoint);
  const struct creference_address *local = reference->locals + (value >> LOCAL_ADDRESS_SHIFT & 0x3f);
  uint64_t head = (value & 0xffff0000u) | server->endpoint;
  return reference->v6 ? (struct key){head, local->high, local->low} : (struct key){local->low << 32 | head, 0, 0};
}

/* The key of the connection that the reply entry in `slot` belongs to. */
INLINE struct key request_key(struct creference *reference, struct key key, uint64_t *slot, const struct server *server,
                              bool v6) {
  if (is_full_nat(server))
    key = key_in(slot + slot_words(v6), v6);
  return key_at(key, reference->endpoint);
}

/* ---- Connections of a server ------------------------------------------------------------------------------------ */

#define ACTIVE_UNIT ((uint64_t)1 << 32)

INLINE uint64_t load_total(uint64_t connections) { return (connections >> 32) + (uint32_t)connections; }

INLINE void bind(struct creference *reference, unsigned number, bool active) {
  struct server_load *load = reference->table->loads + number;
  uint64_t before = fetch_add(&load->connections, active ? ACTIVE_UNIT : 1);
  uint32_t upper = reference->servers[number].upper;
  if (unlikely(upper != 0 && load_total(before) + 1 >= upper))
    store_relaxed(&load->overloaded, 1);
}

static void unbind(struct creference *reference, unsigned number, bool active) {
  struct server_load *load = reference->table->loads + number;
  const struct server *server = reference->servers + number;
  uint64_t total = load_total(fetch_add(&load->connections, 0 - (active ? ACTIVE_UNIT : 1))) - 1;
  if (load_relaxed(&load->overloaded) == 0)
    return;
  uint64_t upper = server->upper;
  if (server->lower != 0 ? total < server->lower : upper == 0 || total * 4 < upper * 3)
    store_relaxed(&load->overloaded, 0);
}

/* ---- Expiring --------------------------------------------------------------------------------------------------- */

COLD bool expire(struct creference *reference, uint64_t *slot, struct key key);

static void remove_reply_entry(struct creference *reference, uint64_t *slot, const struct server *server) {
  if (remove_entry(slot, is_full_nat(server), reference->v6))
    count_entries(reference, reference->v6, -1);
}

/* The entry for replies of a connection of `value`'s server, or NULL. */
static uint64_t *find_mirror(struct creference *reference, struct key reply, uint64_t value) {
  bool v6 = reference->v6;
  const struct lines *table = lines_of(reference, v6);
  uint64_t *slot = find(table, reply, hash_of(table, reply, v6), v6);
  return slot != NULL && server_of(load_acquire(value_of(slot, v6))) == server_of(value) ? slot : NULL;
}

/* The entry of replies goes with its connection when that is idle too; alone it goes at once. */
static bool expire_reply(struct creference *reference, uint64_t *slot, struct key key, uint64_t value) {
  bool v6 = reference->v6;
  const struct lines *table = lines_of(reference, v6);
  const struct server *server = server_at(reference, value);
  struct key request = request_key(reference, key, slot, server, v6);
  uint64_t *primary = find(table, request, hash_of(table, request, v6), v6);
  if (primary != NULL) {
    uint64_t other = load_acquire(value_of(primary, v6));
    if (!is_dead(other) && (uint32_t)other == (uint32_t)value)
      return is_idle_too_long(reference, other) && expire(reference, primary, request);
  }
  remove_reply_entry(reference, slot, server);
  return true;
}

/* Removes a connection whose entry at `slot` has been idle too long, unless its other entry has not. True: it is gone. */
COLD bool expire(struct creference *reference, uint64_t *slot, struct key key) {
  bool v6 = reference->v6;
  for (;;) {
    uint64_t value = load_acquire(value_of(slot, v6));
    if (is_dead(value) || !matches(slot, key, v6))
      return true;
    if (!is_idle_too_long(reference, value))
      return false;
    if ((uint16_t)key.head != reference->endpoint)
      return expire_reply(reference, slot, key, value);
    const struct server *server = server_at(reference, value);
    struct key reply = key;
    uint64_t *other = NULL;
    if (has_replies(server)) {
      reply = reply_key(reference, key, value, server);
      other = find_mirror(reference, reply, value);
    }
    uint64_t mirror = other != NULL ? load_acquire(value_of(other, v6)) : 0;
    if (other != NULL && !is_idle_too_long(reference, mirror)) {
      /* A one-sided conversation: carry the replies' stamp over. */
      compare_exchange(value_of(slot, v6), value, (value & ~STAMP_MASK) | (mirror & STAMP_MASK));
      return false;
    }
    if (!remove_if(slot, value, false, v6))
      continue;
    count_entries(reference, v6, -1);
    reference->totals.expired++;
    unbind(reference, server_of(value), is_active(reference->transport == 17 ? SEGMENT_UDP : 0, state_of(value)));
    if (other != NULL && (other = find_mirror(reference, reply, value)) != NULL)
      remove_reply_entry(reference, other, server);
    return true;
  }
}

/* ---- The hand ----------------------------------------------------------------------------------------------------- */

INLINE void sweep_line(struct creference *reference, const struct lines *table, uint64_t index, bool v6) {
  uint64_t *line = line_at(table, index);
  uint64_t any = load_relaxed(value_of(line, v6)) & OVERFLOW_MASK;
  for (unsigned position = 0; position < line_slots(v6); position++)
    any |= load_relaxed(line + position * slot_words(v6));
  if (any == 0)
    return;
  for (unsigned position = 0; position < line_slots(v6); position++) {
    uint64_t *slot = line + position * slot_words(v6);
    uint64_t endpoint = load_acquire(slot) & 0xffff;
    if (endpoint == 0 || endpoint == CONTINUATION)
      continue;
    uint64_t value = load_acquire(value_of(slot, v6));
    if (is_dead(value))
      continue;
    if (unlikely(is_idle_too_long(reference, value))) {
      expire(reference, slot, key_in(slot, v6));
    } else if (unlikely((value >> COARSE_SHIFT & 1) == 0 && idle_ticks(reference, value) > TICK_MASK / 4)) {
      uint64_t units = (coarse_tick(reference) - idle_ticks(reference, value) / TICKS_PER_COARSE_TICK) & TICK_MASK;
      compare_exchange(value_of(slot, v6), value,
                       (value & ~STAMP_MASK) | (uint64_t)1 << COARSE_SHIFT | units << TICK_SHIFT);
    }
  }
  if (load_relaxed(value_of(line, v6)) & OVERFLOW_MASK)
    clear_mark(table, index, v6);
}

INLINE void sweep_slice(struct creference *reference, uint64_t elapsed, bool busy, bool v6) {
  const struct lines *table = lines_of(reference, v6);
  uint64_t lines = table->mask + 1;
  uint64_t first = lines * reference->worker / reference->worker_count;
  uint64_t share = lines * (reference->worker + 1) / reference->worker_count - first;
  if (share == 0)
    return;
  uint64_t per_second = share * 1000000000u / SWEEP_PERIOD;
  if (per_second > SWEEP_LINES_PER_SECOND)
    per_second = SWEEP_LINES_PER_SECOND;
  uint64_t due = per_second * elapsed / 1000000000u + 1;
  due = due < share ? due : share;
  due = busy && due > SWEEP_BUSY_LINES ? SWEEP_BUSY_LINES : due;
  uint64_t position = reference->cursors[v6] % share;
  for (; due > 0; due--) {
    sweep_line(reference, table, first + position, v6);
    position = position + 1 == share ? 0 : position + 1;
  }
  reference->cursors[v6] = position;
}

static size_t entries_of(const struct creference_table *table, bool v6) {
  uint64_t sum = 0;
  for (size_t worker = 0; worker < WORKERS; worker++)
    sum += load_relaxed(&table->entries[worker].count[v6]);
  return (size_t)sum;
}

COLD void sweep_now(struct creference *reference, uint64_t elapsed, bool busy) {
  reference->swept = reference->now;
  if (elapsed > SWEEP_PERIOD)
    elapsed = SWEEP_PERIOD;
  if (!reference->v6 && entries_of(reference->table, false) != 0)
    sweep_slice(reference, elapsed, busy, false);
  if (reference->v6 && entries_of(reference->table, true) != 0)
    sweep_slice(reference, elapsed, busy, true);
}

/* Moves the hand on by what is due. */
INLINE void sweep_due(struct creference *reference, bool busy) {
  uint64_t elapsed = reference->now - reference->swept;
  if (likely(elapsed < 1000000u && busy))
    return;
  sweep_now(reference, elapsed, busy);
}

#endif
