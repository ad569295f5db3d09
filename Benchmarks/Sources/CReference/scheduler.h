/* SPDX-License-Identifier: Apache-2.0 */
/* Round robin, weighted least connection, source hashing, Maglev hashing: which real server takes a new connection. */
#ifndef CREFERENCE_SCHEDULER_H
#define CREFERENCE_SCHEDULER_H

#include "creference.h"
#include "memory.h"

#define SOURCE_BUCKETS 256
#define MAGLEV_BUCKETS 4093
#define NO_SERVER 0xffff

/* Shared by the workers: active << 32 | inactive, and 1 while the upper threshold is reached. */
struct server_load {
  uint64_t connections;
  uint64_t overloaded;
};

/* Shared by the workers: the number of the server picked last, plus one. */
struct scheduler_state {
  _Alignas(64) uint64_t cursor;
};

struct scheduler {
  enum creference_scheduler kind;
  unsigned count;
  uint32_t weights[CREFERENCE_SERVERS];
  uint16_t buckets[MAGLEV_BUCKETS];
};

INLINE bool is_eligible(const struct scheduler *scheduler, const struct server_load *loads, unsigned number) {
  return scheduler->weights[number] != 0 && __atomic_load_n(&loads[number].overloaded, __ATOMIC_RELAXED) == 0;
}

INLINE unsigned pick_round_robin(const struct scheduler *scheduler, const struct server_load *loads,
                                 struct scheduler_state *state) {
  for (;;) {
    uint64_t old = load_relaxed(&state->cursor);
    /* The cursor is one more than the number of the last pick: the next one, then. */
    unsigned number = (unsigned)old, left = scheduler->count;
    for (; left > 0; left--, number++) {
      if (number >= scheduler->count)
        number = 0;
      if (likely(is_eligible(scheduler, loads, number)))
        break;
    }
    if (left == 0)
      return NO_SERVER;
    if (likely(old == number + 1 || compare_exchange(&state->cursor, old, number + 1)))
      return number;
  }
}

INLINE unsigned pick_least_connection(const struct scheduler *scheduler, const struct server_load *loads) {
  unsigned best = NO_SERVER;
  uint64_t best_overhead = 0, best_weight = 1;
  for (unsigned number = 0; number < scheduler->count; number++) {
    if (!is_eligible(scheduler, loads, number))
      continue;
    uint64_t connections = load_relaxed(&loads[number].connections);
    uint64_t overhead = (connections >> 32 << 8) + (uint32_t)connections, weight = scheduler->weights[number];
    if (best == NO_SERVER ||
        (unsigned __int128)best_overhead * weight > (unsigned __int128)overhead * best_weight) {
      best = number;
      best_overhead = overhead;
      best_weight = weight;
    }
  }
  return best;
}

INLINE uint64_t rotate(uint64_t word, unsigned bits) { return word << bits | word >> (64 - bits); }

INLINE void sip_round(uint64_t v[4]) {
  v[0] += v[1], v[2] += v[3];
  v[1] = rotate(v[1], 13) ^ v[0], v[3] = rotate(v[3], 16) ^ v[2];
  v[0] = rotate(v[0], 32);
  v[2] += v[1], v[0] += v[3];
  v[1] = rotate(v[1], 17) ^ v[2], v[3] = rotate(v[3], 21) ^ v[0];
  v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 of a 32-bit number, in 32 bits, with a key of two equal halves. */
INLINE uint32_t sip_hash(uint64_t half, uint32_t number) {
  uint64_t v[4] = {half ^ 0x736f6d6570736575u, half ^ 0x646f72616e646f6du, half ^ 0x6c7967656e657261u,
                   half ^ 0x7465646279746573u};
  uint64_t block = (uint64_t)4 << 56 | number;
  v[3] ^= block;
  sip_round(v);
  v[0] ^= block;
  v[2] ^= 0xff;
  sip_round(v);
  sip_round(v);
  sip_round(v);
  return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
}

#define MAGLEV_KEY 2654435761u
#define MAGLEV_SKIP_KEY 2654446892u

/* The server's number, or NO_SERVER. `client` is the client's address folded to 32 bits. */
INLINE unsigned pick(const struct scheduler *scheduler, const struct server_load *loads, struct scheduler_state *state,
                     uint32_t client) {
  unsigned number;
  switch (scheduler->kind) {
  case CREFERENCE_RR:
    return pick_round_robin(scheduler, loads, state);
  case CREFERENCE_WLC:
    return pick_least_connection(scheduler, loads);
  case CREFERENCE_SH:
    number = scheduler->buckets[client * 0x61c88647u >> 24];
    break;
  default:
    number = scheduler->buckets[sip_hash(MAGLEV_KEY, client) % MAGLEV_BUCKETS];
    break;
  }
  return number != NO_SERVER && is_eligible(scheduler, loads, number) ? number : NO_SERVER;
}

/* ---- Making the tables ------------------------------------------------------------------------------------------- */

static void deal_source_buckets(struct scheduler *scheduler) {
  unsigned number = 0;
  uint32_t left = 0;
  for (unsigned bucket = 0; bucket < SOURCE_BUCKETS && scheduler->count > 0; bucket++) {
    if (left == 0)
      left = scheduler->weights[number] > 1 ? scheduler->weights[number] : 1;
    scheduler->buckets[bucket] = (uint16_t)number;
    if (--left == 0)
      number = (number + 1) % scheduler->count;
  }
}

static uint32_t greatest_common_divisor(uint32_t a, uint32_t b) { return b == 0 ? a : greatest_common_divisor(b, a % b); }

static void deal_maglev_buckets(struct scheduler *scheduler, const uint32_t *identities) {
  uint32_t step = 0, maximum = 0, position[CREFERENCE_SERVERS], skip[CREFERENCE_SERVERS];
  for (unsigned number = 0; number < scheduler->count; number++) {
    step = greatest_common_divisor(step, scheduler->weights[number]);
    maximum = scheduler->weights[number] > maximum ? scheduler->weights[number] : maximum;
    position[number] = sip_hash(MAGLEV_KEY, identities[number]) % MAGLEV_BUCKETS;
    skip[number] = sip_hash(MAGLEV_SKIP_KEY, identities[number]) % (MAGLEV_BUCKETS - 1) + 1;
  }
  if (step == 0)
    return;
  unsigned bits = 32 - (unsigned)__builtin_clz(maximum / step), shift = bits > 6 ? bits - 6 : 0;
  unsigned left = MAGLEV_BUCKETS;
  for (unsigned number = 0; left > 0; number = (number + 1) % scheduler->count) {
    uint32_t turns = scheduler->weights[number] / step >> shift;
    if (turns == 0)
      turns = scheduler->weights[number] != 0;
    for (; turns > 0 && left > 0; turns--, left--) {
      while (scheduler->buckets[position[number]] != NO_SERVER)
        position[number] = (position[number] + skip[number]) % MAGLEV_BUCKETS;
      scheduler->buckets[position[number]] = (uint16_t)number;
    }
  }
}

/* `identities`: by server, its port plus its folded address. */
static void make_scheduler(struct scheduler *scheduler, const struct creference_config *config,
                           const uint32_t *identities) {
  scheduler->kind = config->scheduler;
  scheduler->count = (unsigned)config->server_count;
  for (unsigned number = 0; number < scheduler->count; number++) {
    int32_t weight = config->servers[number].weight;
    scheduler->weights[number] = weight > 0 ? (uint32_t)weight : 0;
  }
  for (unsigned bucket = 0; bucket < MAGLEV_BUCKETS; bucket++)
    scheduler->buckets[bucket] = NO_SERVER;
  if (scheduler->kind == CREFERENCE_SH)
    deal_source_buckets(scheduler);
  if (scheduler->kind == CREFERENCE_MH)
    deal_maglev_buckets(scheduler, identities);
}

#endif
