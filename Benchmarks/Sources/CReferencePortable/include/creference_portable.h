/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C reference once more, compiled for any x86-64: valgrind cannot run what -march=native makes on new machines.
 * Everything is as in creference.h; only the functions' names differ.
 */
#ifndef CREFERENCE_PORTABLE_H
#define CREFERENCE_PORTABLE_H

#include <creference.h>

struct creference_table *creference_portable_table_create(const struct creference_config *config);
void creference_portable_table_destroy(struct creference_table *table);
size_t creference_portable_table_entries(const struct creference_table *table);
size_t creference_portable_table_bytes(const struct creference_table *table);
uint32_t creference_portable_table_active(const struct creference_table *table, size_t server);
uint32_t creference_portable_table_inactive(const struct creference_table *table, size_t server);

struct creference *creference_portable_create(const struct creference_config *config, struct creference_table *table,
                                              void *umem, size_t frame_count, size_t chunk_byte_count);
void creference_portable_destroy(struct creference *reference);
uint64_t creference_portable_take(struct creference *reference);
bool creference_portable_offer(struct creference *reference, uint64_t address, uint32_t byte_count, unsigned interface);
size_t creference_portable_turn(struct creference *reference, uint64_t now_nanoseconds);
size_t creference_portable_turn_now(struct creference *reference);
void creference_portable_sweep(struct creference *reference);

enum creference_outcome creference_portable_outcome_of(const struct creference *reference, size_t index);
uint64_t creference_portable_address_of(const struct creference *reference, size_t index);
uint32_t creference_portable_byte_count_of(const struct creference *reference, size_t index);
int creference_portable_egress_of(const struct creference *reference, size_t index);

uint64_t creference_portable_counter(const struct creference *reference, enum creference_outcome outcome);
struct creference_server_counters creference_portable_server_counter(const struct creference *reference, size_t server);
uint64_t creference_portable_expired(const struct creference *reference);

#endif
