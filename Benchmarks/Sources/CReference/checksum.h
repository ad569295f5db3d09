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
/* Added to another difference: in 64 bits, carries added. */
INLINE uint64_t add_difference64(uint64_t sum, uint64_t old, uint64_t new) {
  return add_with_carry(add_with_carry(sum, ~old), new);
}

/* The same in 16 bits and never 0, which 0xffff stands for. */
INLINE uint16_t delta(uint64_t difference) {
  uint16_t folded = fold(difference);
  return folded == 0 ? 0xffff : folded;
}

/*
 * A correction ready for use. Taking a delta away is adding its complement, in one's complement arithmetic, where the
 * result is kept below 0xffff: that is RFC 1624's equation 3, to the bit.
 */
INLINE uint16_t step(uint16_t delta) { return (uint16_t)~delta; }

INLINE uint16_t correct(uint16_t checksum, uint16_t step) {
  uint32_t sum = (uint32_t)checksum + step;
  return (uint16_t)(sum >= 0xffff ? sum - 0xffff : sum);
}

/* A correction that differs from packet to packet: without the detour over 16 bits. */
INLINE uint16_t correct_once(uint16_t checksum, uint64_t difference) {
  return (uint16_t)~fold(add_with_carry(difference, (uint16_t)~checksum));
}

/* One less in TTL: the first byte of its word. */
#define TTL_DELTA 0xfffeu

/*
 * TTL and checksum share a 32-bit word of the IPv4 header, the checksum above. A header step takes one off the one and
 * corrects the other at once.
 */
INLINE uint64_t header_step(uint16_t delta) { return ((uint64_t)step(delta) << 16) - 1; }

INLINE void correct_header(uint8_t *header, uint64_t header_step) {
  uint64_t sum = load32(header + 8) + header_step, limit = (uint64_t)0xffff << 16;
  store32(header + 8, (uint32_t)(sum >= limit ? sum - limit : sum));
}

/* The same where the difference (that of the hop included) is this packet's own. */
INLINE void correct_header_once(uint8_t *header, uint64_t difference) {
  uint32_t word = load32(header + 8);
  store32(header + 8, ((word & 0xffff) - 1) | (uint32_t)correct_once((uint16_t)(word >> 16), difference) << 16);
}

/* Any number of bytes. */
COLD uint64_t sum_bytes(uint64_t sum, const uint8_t *bytes, size_t count) {
  for (; count >= 8; bytes += 8, count -= 8)
    sum = add_with_carry(sum, load64(bytes));
  for (; count >= 2; bytes += 2, count -= 2)
    sum = add_with_carry(sum, load16(bytes));
  return count != 0 ? add_with_carry(sum, *bytes) : sum;
}

#endif
