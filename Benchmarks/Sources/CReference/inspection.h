/* SPDX-License-Identifier: Apache-2.0 */
/* What happened: for whoever drives a worker. Included once, at the end of reference.c. */
#ifndef CREFERENCE_INSPECTION_H
#define CREFERENCE_INSPECTION_H

#include "expiry.h"

uint64_t creference_take(struct creference *reference) {
  if (reference->free_count == 0)
    return UINT64_MAX;
  return reference->free[--reference->free_count] + CREFERENCE_HEADROOM;
}

bool creference_offer(struct creference *reference, uint64_t address, uint32_t byte_count, unsigned interface) {
  if (reference->arrived_first[interface] == reference->arrived_count[interface])
    reference->arrived_first[interface] = reference->arrived_count[interface] = 0;
  size_t place = reference->arrived_count[interface];
  if (place == reference->capacity)
    return false;
  reference->arrived[interface][place] = (struct descriptor){address, byte_count, 0};
  reference->arrived_count[interface]++;
  return true;
}

void creference_sweep(struct creference *reference) {
  const struct lines *table = lines_of(reference, reference->v6);
  for (uint64_t line = 0; line <= table->mask; line++)
    sweep_line(reference, table, line, reference->v6);
}

enum creference_outcome creference_outcome_of(const struct creference *reference, size_t index) {
  return (enum creference_outcome)reference->outcomes[index];
}

/* What was sent for a packet of the last batch, or NULL. */
static const struct descriptor *find_sent(const struct creference *reference, size_t index, int *interface) {
  for (*interface = 0; *interface < INTERFACES; ++*interface)
    for (const struct descriptor *sent = reference->sent[*interface]; sent < reference->sent_end[*interface]; sent++)
      if (sent->index == index)
        return sent;
  *interface = -1;
  return NULL;
}

uint64_t creference_address_of(const struct creference *reference, size_t index) {
  int interface;
  const struct descriptor *sent = find_sent(reference, index, &interface);
  return sent != NULL ? sent->address : reference->frames[index].address;
}

uint32_t creference_byte_count_of(const struct creference *reference, size_t index) {
  int interface;
  const struct descriptor *sent = find_sent(reference, index, &interface);
  if (sent != NULL)
    return sent->byte_count;
  return reference->frames[index].byte_count;
}

int creference_egress_of(const struct creference *reference, size_t index) {
  int interface;
  find_sent(reference, index, &interface);
  return interface;
}

uint64_t creference_counter(const struct creference *reference, enum creference_outcome outcome) {
  return reference->totals.outcomes[outcome];
}

struct creference_server_counters creference_server_counter(const struct creference *reference, size_t server) {
  return reference->servers[server].counters;
}

uint64_t creference_expired(const struct creference *reference) { return reference->totals.expired; }

size_t creference_table_entries(const struct creference_table *table) {
  return entries_of(table, false) + entries_of(table, true);
}

size_t creference_table_bytes(const struct creference_table *table) { return table->byte_count; }

uint32_t creference_table_active(const struct creference_table *table, size_t server) {
  return (uint32_t)(load_relaxed(&table->loads[server].connections) >> 32);
}

uint32_t creference_table_inactive(const struct creference_table *table, size_t server) {
  return (uint32_t)load_relaxed(&table->loads[server].connections);
}

#endif
