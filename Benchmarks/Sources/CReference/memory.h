/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in packets and words in the table: unaligned access, byte order, atomics. */
#ifndef CREFERENCE_MEMORY_H
#define CREFERENCE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define COLD static __attribute__((noinline, unused))
#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

INLINE uint16_t load16(const uint8_t *from) {
  uint16_t value;
  memcpy(&value, from, sizeof value);
  return value;
}

INLINE uint32_t load32(const uint8_t *from) {
  uint32_t value;
  memcpy(&value, from, sizeof value);
  return value;
}

INLINE uint64_t load64(const uint8_t *from) {
  uint64_t value;
  memcpy(&value, from, sizeof value);
  return value;
}

INLINE void store16(uint8_t *to, uint16_t value) { memcpy(to, &value, sizeof value); }
INLINE void store32(uint8_t *to, uint32_t value) { memcpy(to, &value, sizeof value); }
INLINE void store64(uint8_t *to, uint64_t value) { memcpy(to, &value, sizeof value); }

INLINE uint16_t swap16(uint16_t value) { return __builtin_bswap16(value); }
INLINE uint32_t swap32(uint32_t value) { return __builtin_bswap32(value); }
INLINE uint64_t swap64(uint64_t value) { return __builtin_bswap64(value); }

INLINE uint64_t load_relaxed(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
INLINE uint64_t load_acquire(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
INLINE void store_relaxed(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }
INLINE void store_release(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
INLINE bool compare_exchange(uint64_t *word, uint64_t old, uint64_t new) {
  return __atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
INLINE uint64_t fetch_add(uint64_t *word, uint64_t amount) {
  return __atomic_fetch_add(word, amount, __ATOMIC_RELAXED);
}

#endif
