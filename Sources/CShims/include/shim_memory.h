/* SPDX-License-Identifier: Apache-2.0 */
/* Prefetch and atomics on mapped memory: the words live in memory that Swift does not own (shared with
 * XDP and with other processes), so they cannot be Synchronization.Atomic values. */
#ifndef LBD_SHIM_MEMORY_H
#define LBD_SHIM_MEMORY_H
#include <stdbool.h>
#include <stdint.h>
#pragma clang assume_nonnull begin

/* Swift has no prefetch intrinsic. */
static inline __attribute__((always_inline)) void lbd_prefetch(const void *address) {
  __builtin_prefetch(address, 0, 3);
}

static inline __attribute__((always_inline)) uint64_t lbd_load_relaxed(const uint64_t *word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}
static inline __attribute__((always_inline)) uint64_t lbd_load_acquire(const uint64_t *word) {
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
static inline __attribute__((always_inline)) void lbd_store_relaxed(uint64_t *word, uint64_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELAXED);
}
static inline __attribute__((always_inline)) void lbd_store_release(uint64_t *word, uint64_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
static inline __attribute__((always_inline)) bool lbd_compare_exchange(
    uint64_t *word, uint64_t expected, uint64_t desired) {
  return __atomic_compare_exchange_n(word, &expected, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
static inline __attribute__((always_inline)) uint64_t lbd_fetch_add(uint64_t *word, uint64_t amount) {
  return __atomic_fetch_add(word, amount, __ATOMIC_RELAXED);
}

#pragma clang assume_nonnull end
#endif
