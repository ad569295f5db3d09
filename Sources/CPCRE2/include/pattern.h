/* SPDX-License-Identifier: Apache-2.0 */
/* PCRE2 behind names of our own: its header needs a macro before it is read, and its names are macros themselves. */
#ifndef LBD_PATTERN_H
#define LBD_PATTERN_H
#include <stddef.h>
#include <stdint.h>
#pragma clang assume_nonnull begin

typedef struct lbd_pattern lbd_pattern;

/* What a match may cost at most, so that no text can keep a thread busy. */
typedef struct {
  uint64_t search;     /* items of the pattern that are tried, in all */
  uint32_t steps;      /* calls of the matcher's inner loop, for each place where a match may begin */
  uint32_t depth;      /* nested backtracking points */
  uint32_t kibibytes;  /* heap */
} lbd_pattern_limits;

/* "caseless" -> PCRE2_CASELESS; 0 for a name that is none. */
uint32_t lbd_pattern_option(const char *name);

/* NULL when the pattern is not understood; then `error` has the reason and `error_offset` the place in the pattern. */
lbd_pattern *_Nullable lbd_pattern_compile(
    const char *text, size_t count, uint32_t options, lbd_pattern_limits limits, char *error, size_t error_size,
    size_t *error_offset);

/* Looks for a match that begins at `first` or later, and not after `last` (SIZE_MAX: anywhere).
   1: found; 0: not found; -1: a limit was reached; -2: the text cannot be looked at (invalid UTF-8). */
int lbd_pattern_find(
    const lbd_pattern *pattern, const uint8_t *_Nullable text, size_t count, size_t first, size_t last);

void lbd_pattern_free(lbd_pattern *pattern);

#pragma clang assume_nonnull end
#endif
