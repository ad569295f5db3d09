/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum (RFC 1071) and its correction (RFC 1624), on words as they stand in memory. */
#ifndef CREFERENCE_CHECKSUM_H
#define CREFERENCE_CHECKSUM_H

#include "memory.h"

/* One's complement sum of the four halves; 0 only for 0. */
INLINE uint16_t fold(uint64_t sum) {
  /* The upper half of a number plus itself turned by half its width is the sum of the halves, carry included. */
  uint64_t turned = sum + (sum << 32 | sum >> 32);
  uint32_t half = (uint32_t)(turned >> 32);
  uint32_t quarter = half + (half << 16 | half >> 16);
  return (uint16_t)(quarter >> 16);
}

INLINE uint64_t add_with_carry(uint64_t sum, uint64_t word) {
  sum += word;
  return sum + (sum < word);
}

/* Replacing `old` by `new` changes a checksum by so much. */
INLINE uint64_t difference16(uint16_t old, uint16_t new) { return (uint64_t)(uint16_t)~old + new; }
INLINE uint64_t difference32(uint32_t old, uint32_t new) { return (uint64_t)(uint32_t)~old + new; }
INLINE uint64_t difference64(uint64_t old, uint64_t new) {
  return difference32((uint32_t)old, (uint32_t)new) + difference32((uint32_t)(old >> 32), (uint32_t)(new >> 32));
}

/* The same in 16 bits and never 0, which 0xffff stands for. */
INLINE uint16_t delta(uint64_t difference) {
  uint16_t folded = fold(difference);
  return folded == 0 ? 0xffff : folded;
}

INLINE uint16_t correct(uint16_t checksum, uint16_t delta) {
  uint32_t sum = (uint32_t)(uint16_t)~checksum + delta;
  return (uint16_t)~(sum + (sum >> 16));
}

/* One less in TTL: the first byte of its word. */
#define TTL_DELTA 0xfffeu

/* Any number of bytes. */
COLD uint64_t sum_bytes(uint64_t sum, const uint8_t *bytes, size_t count) {
  for (; count >= 8; bytes += 8, count -= 8)
    sum = add_with_carry(sum, load64(bytes));
  for (; count >= 2; bytes += 2, count -= 2)
    sum = add_with_carry(sum, load16(bytes));
  return count != 0 ? add_with_carry(sum, *bytes) : sum;
}

#endif
