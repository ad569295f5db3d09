/* SPDX-License-Identifier: Apache-2.0 */
/* The keyed hash: a word times a secret odd number; of an IPv6 address, products of its halves with secrets added; mixed
 * once more so that the low bits depend on every bit. */
#ifndef CREFERENCE_HASH_H
#define CREFERENCE_HASH_H

#include "memory.h"

struct secret {
  uint64_t offset, multiplier, addends[4];
};

static uint64_t scramble(uint64_t word) {
  word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
  word = (word ^ word >> 27) * 0x94d049bb133111ebu;
  return word ^ word >> 31;
}

static struct secret make_secret(uint64_t seed) {
  return (struct secret){scramble(seed + 0x9e3779b97f4a7c15u), scramble(seed + 0x3c6ef372fe94f82au) | 1,
                         {scramble(seed + 0xdaa66d2c7ddf743fu), scramble(seed + 0x78dde6e5fd29f054u),
                          scramble(seed + 0x1715609f7c746c69u), scramble(seed + 0xb54cda58fbbee87eu)}};
}

INLINE uint64_t spread(uint64_t word) { return (word ^ word >> 32) * 0xd6e8feb86659fd93u; }

/* 64 mixed bits. */
INLINE uint64_t mix(const struct secret *secret, uint64_t word) {
  uint64_t mixed = spread((word ^ secret->offset) * secret->multiplier);
  return mixed ^ mixed >> 32;
}

INLINE uint64_t hash_one(const struct secret *secret, uint64_t word) {
  return spread((word ^ secret->offset) * secret->multiplier) >> 32;
}

INLINE uint64_t hash_three(const struct secret *secret, uint64_t word, uint64_t high, uint64_t low) {
  uint64_t outer = ((high >> 32) + secret->addends[0]) * ((uint32_t)low + secret->addends[3]);
  uint64_t inner = ((low >> 32) + secret->addends[2]) * ((uint32_t)high + secret->addends[1]);
  return spread((word ^ secret->offset) * secret->multiplier + outer + inner) >> 32;
}

#endif
