/* SPDX-License-Identifier: Apache-2.0 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "pattern.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lbd_pattern {
  pcre2_code *code;
  lbd_pattern_limits limits;
};

static const struct {
  const char *name;
  uint32_t option;
} options_by_name[] = {
    {"allow_empty_class", PCRE2_ALLOW_EMPTY_CLASS},
    {"alt_bsux", PCRE2_ALT_BSUX},
    {"alt_circumflex", PCRE2_ALT_CIRCUMFLEX},
    {"alt_verbnames", PCRE2_ALT_VERBNAMES},
    {"auto_callout", PCRE2_AUTO_CALLOUT},
    {"caseless", PCRE2_CASELESS},
    {"dollar_endonly", PCRE2_DOLLAR_ENDONLY},
    {"dotall", PCRE2_DOTALL},
    {"dupnames", PCRE2_DUPNAMES},
    {"extended", PCRE2_EXTENDED},
    {"extended_more", PCRE2_EXTENDED_MORE},
    {"firstline", PCRE2_FIRSTLINE},
    {"literal", PCRE2_LITERAL},
    {"match_unset_backref", PCRE2_MATCH_UNSET_BACKREF},
    {"multiline", PCRE2_MULTILINE},
    {"never_backslash_c", PCRE2_NEVER_BACKSLASH_C},
    {"never_ucp", PCRE2_NEVER_UCP},
    {"never_utf", PCRE2_NEVER_UTF},
    {"no_auto_capture", PCRE2_NO_AUTO_CAPTURE},
    {"no_auto_possess", PCRE2_NO_AUTO_POSSESS},
    {"no_dotstar_anchor", PCRE2_NO_DOTSTAR_ANCHOR},
    {"no_start_optimize", PCRE2_NO_START_OPTIMIZE},
    {"ucp", PCRE2_UCP},
    {"ungreedy", PCRE2_UNGREEDY},
    {"use_offset_limit", PCRE2_USE_OFFSET_LIMIT},
    {"utf", PCRE2_UTF},
};

uint32_t lbd_pattern_option(const char *name) {
  for (size_t i = 0; i < sizeof options_by_name / sizeof *options_by_name; i++)
    if (strcmp(name, options_by_name[i].name) == 0) return options_by_name[i].option;
  return 0;
}

lbd_pattern *lbd_pattern_compile(
    const char *text, size_t count, uint32_t options, lbd_pattern_limits limits, char *error, size_t error_size,
    size_t *error_offset) {
  int number = 0;
  PCRE2_SIZE offset = 0;
  *error_offset = 0;
  lbd_pattern *pattern = malloc(sizeof *pattern);
  if (!pattern) {
    snprintf(error, error_size, "out of memory");
    return NULL;
  }
  /* Bytes that are no UTF-8 then only match nothing, instead of being an error. */
  if (options & PCRE2_UTF) options |= PCRE2_MATCH_INVALID_UTF;
  pattern->limits = limits;
  /* A callout before every item is how a search is charged for what it does; see below. */
  options |= PCRE2_USE_OFFSET_LIMIT | PCRE2_AUTO_CALLOUT;
  pattern->code = pcre2_compile((PCRE2_SPTR)text, count, options, &number, &offset, NULL);
  if (pattern->code) return pattern;
  if (pcre2_get_error_message(number, (PCRE2_UCHAR *)error, error_size) < 0)
    snprintf(error, error_size, "error %d", number);
  *error_offset = offset;
  free(pattern);
  return NULL;
}

/* PCRE2's own limit of steps begins anew at every place where a match may begin, so a body of a million bytes may take a
   million times as long. What is charged here is the whole search: every item that is tried, and the bytes that were run
   over since the one before. */
typedef struct {
  uint64_t left;
  PCRE2_SIZE position;
} search_budget;

static int charge(pcre2_callout_block *block, void *data) {
  search_budget *budget = data;
  PCRE2_SIZE here = block->current_position;
  PCRE2_SIZE distance = here > budget->position ? here - budget->position : budget->position - here;
  uint64_t cost = 1 + distance / 16;
  budget->position = here;
  if (budget->left < cost) return PCRE2_ERROR_MATCHLIMIT;
  budget->left -= cost;
  return 0;
}

int lbd_pattern_find(
    const lbd_pattern *pattern, const uint8_t *text, size_t count, size_t first, size_t last) {
  int result = -1;
  if (first > count) return 0;
  pcre2_match_context *context = pcre2_match_context_create(NULL);
  pcre2_match_data *data = pcre2_match_data_create(1, NULL);
  if (context && data) {
    pcre2_set_match_limit(context, pattern->limits.steps);
    pcre2_set_depth_limit(context, pattern->limits.depth);
    pcre2_set_heap_limit(context, pattern->limits.kibibytes);
    search_budget budget = {pattern->limits.search, first};
    pcre2_set_callout(context, charge, &budget);
    if (last != SIZE_MAX) pcre2_set_offset_limit(context, last);
    int code = pcre2_match(pattern->code, text ? text : (PCRE2_SPTR) "", count, first, 0, data, context);
    if (code >= 0)
      result = 1;
    else if (code == PCRE2_ERROR_NOMATCH)
      result = 0;
    else if (code != PCRE2_ERROR_MATCHLIMIT && code != PCRE2_ERROR_DEPTHLIMIT && code != PCRE2_ERROR_HEAPLIMIT &&
             code != PCRE2_ERROR_NOMEMORY)
      result = -2;
  }
  pcre2_match_data_free(data);
  pcre2_match_context_free(context);
  return result;
}

void lbd_pattern_free(lbd_pattern *pattern) {
  pcre2_code_free(pattern->code);
  free(pattern);
}
