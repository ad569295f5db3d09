/* SPDX-License-Identifier: Apache-2.0 */
/* Making tables and workers, and undoing them. Included once, at the end of reference.c. */
#ifndef CREFERENCE_CREATION_H
#define CREFERENCE_CREATION_H

#include <stdlib.h>
#include <sys/mman.h>

#include "classify.h"

static uint64_t power_of_two(uint64_t least) {
  return least <= 1 ? 1 : (uint64_t)1 << (64 - __builtin_clzll(least - 1));
}

/* ---- The table ----------------------------------------------------------------------------------------------------- */

#define HUGE_PAGE ((size_t)2 << 20)

struct creference_table *creference_table_create(const struct creference_config *config) {
  struct creference_table *table = aligned_alloc(64, sizeof *table);
  struct server_load *loads = calloc(CREFERENCE_SERVERS, sizeof *loads);
  uint64_t slots = power_of_two(config->connection_capacity) * (config->both_directions ? 4 : 2);
  uint64_t lines[2] = {slots / 4, slots / 2};
  size_t bytes = (lines[0] + lines[1]) * LINE_WORDS * 8;
  /* More than needed, so that it can start at a huge page. Pages of the other family are never touched. */
  uint8_t *memory = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                         -1, 0);
  if (table == NULL || loads == NULL || memory == MAP_FAILED) {
    if (memory != MAP_FAILED)
      munmap(memory, bytes + HUGE_PAGE);
    free(loads);
    free(table);
    return NULL;
  }
  memset(table, 0, sizeof *table);
  uint8_t *start = memory + (-(uintptr_t)memory & (HUGE_PAGE - 1));
  madvise(start, bytes, MADV_HUGEPAGE);
  struct secret secret = make_secret(config->seed);
  table->lines[0] = (struct lines){(uint64_t *)(void *)start, lines[0] - 1, secret};
  table->lines[1] = (struct lines){(uint64_t *)(void *)(start + lines[0] * LINE_WORDS * 8), lines[1] - 1, secret};
  table->loads = loads;
  table->memory = memory;
  table->byte_count = lines[config->ipv6] * LINE_WORDS * 8;
  return table;
}

void creference_table_destroy(struct creference_table *table) {
  if (table == NULL)
    return;
  size_t bytes = (table->lines[0].mask + table->lines[1].mask + 2) * LINE_WORDS * 8;
  munmap(table->memory, bytes + HUGE_PAGE);
  free(table->loads);
  free(table);
}

/* ---- A worker -------------------------------------------------------------------------------------------------------- */

static struct hop make_hop(uint64_t destination, uint64_t source, uint16_t mtu, uint16_t vlan, uint8_t interface,
                           bool v6) {
  uint64_t type = swap16(v6 ? TYPE_IPV6 : TYPE_IPV4);
  return (struct hop){
      .first = swap64(destination << 16 | source >> 32),
      .second = swap64(source << 16) | type << 48,
      .mtu = mtu,
      .vlan = vlan,
      .interface = interface,
  };
}

static void address_words(uint64_t words[2], struct creference_address address, bool v6) {
  words[0] = v6 ? swap64(address.high) : swap32((uint32_t)address.low);
  words[1] = v6 ? swap64(address.low) : 0;
}

static uint64_t address_change(const uint64_t old[2], const uint64_t new[2], bool v6) {
  if (!v6)
    return difference32((uint32_t)old[0], (uint32_t)new[0]);
  return add_difference64(add_difference64(0, old[0], new[0]), old[1], new[1]);
}

static void make_server(struct server *server, const struct creference_config *config, size_t number) {
  const struct creference_server *from = config->servers + number;
  bool v6 = config->ipv6;
  server->hop = make_hop(from->mac, config->interface_macs[from->interface], from->mtu, from->vlan, from->interface, v6);
  server->method = (uint8_t)(config->mode << 2);
  server->port = swap16(from->port);
  server->vport = swap16(config->vport);
  server->endpoint = from->endpoint;
  server->upper = from->upper;
  server->lower = from->lower;
  address_words(server->address, from->address, v6);
  address_words(server->vip, config->vip, v6);
  address_words(server->tunnel_source, config->tunnel_source, v6);
  uint64_t request = address_change(server->vip, server->address, v6);
  uint64_t reply = address_change(server->address, server->vip, v6);
  server->header_delta[0] = delta(add_with_carry(request, TTL_DELTA));
  server->header_delta[1] = delta(add_with_carry(reply, TTL_DELTA));
  server->transport_delta[0] = delta(add_with_carry(request, difference16(server->vport, server->port)));
  server->transport_delta[1] = delta(add_with_carry(reply, difference16(server->port, server->vport)));
  for (int direction = 0; direction < 2; direction++) {
    server->header_step[direction] = header_step(server->header_delta[direction]);
    server->transport_step[direction] = step(server->transport_delta[direction]);
  }
  server->tunnel_sum = server->tunnel_source[0] + server->address[0];
}

static void add_near_end(struct creference *reference, struct creference_address address, uint16_t port, unsigned side,
                         uint16_t endpoint) {
  uint64_t kind = near_kind(reference->transport == UDP ? SEGMENT_UDP : 0, side);
  if (!reference->v6) {
    uint64_t word = near_word_v4(swap32((uint32_t)address.low), swap16(port), kind);
    uint64_t place = word * GOLDEN >> reference->near_shift;
    while (reference->near_ends_v4[place].word != 0)
      place = (place + 1) & reference->near_mask;
    reference->near_ends_v4[place] = (struct near_end_v4){word, endpoint};
    return;
  }
  uint64_t word = near_word_v4(0, swap16(port), kind), high = swap64(address.high), low = swap64(address.low);
  uint64_t place = near_hash_v6(word, high, low) >> reference->near_shift;
  while (reference->near_ends_v6[place].word != 0)
    place = (place + 1) & reference->near_mask;
  reference->near_ends_v6[place] = (struct near_end_v6){word, high, low, endpoint};
}

static void make_near_ends(struct creference *reference, const struct creference_config *config) {
  uint64_t capacity = power_of_two((config->server_count + 1) * 4);
  capacity = capacity < 16 ? 16 : capacity;
  reference->near_mask = (unsigned)capacity - 1;
  reference->near_shift = 64 - (unsigned)__builtin_ctzll(capacity);
  add_near_end(reference, config->vip, config->vport, DESTINATION, config->endpoint);
  if (config->mode != CREFERENCE_NAT && config->mode != CREFERENCE_FULLNAT)
    return;
  for (size_t number = 0; number < config->server_count; number++) {
    const struct creference_server *server = config->servers + number;
    add_near_end(reference, server->address, server->port, SOURCE, server->endpoint);
  }
}

static void make_routes(struct creference *reference, const struct creference_config *config) {
  bool v6 = config->ipv6;
  uint64_t own = config->interface_macs[0];
  reference->gateway = make_hop(config->gateway_mac, own, config->gateway_mtu, 0, 0, v6);
  reference->onlink = make_hop(config->onlink_mac, own, config->gateway_mtu, 0, 0, v6);
  unsigned length = config->onlink_length;
  /* Without a prefix one that no client has. */
  reference->prefix[0] = reference->prefix[1] = reference->prefix_mask[0] = reference->prefix_mask[1] = UINT64_MAX;
  if (length == 0)
    return;
  if (!v6) {
    reference->prefix_mask[1] = UINT64_MAX << (32 - length) & UINT32_MAX;
  } else {
    reference->prefix_mask[0] = length >= 64 ? UINT64_MAX : UINT64_MAX << (64 - length);
    reference->prefix_mask[1] = length <= 64 ? 0 : UINT64_MAX << (128 - length);
  }
  reference->prefix[0] = config->onlink_prefix.high;
  reference->prefix[1] = config->onlink_prefix.low;
}

static bool makes_sense(const struct creference_config *config) {
  if (config->server_count > CREFERENCE_SERVERS || config->local_count > CREFERENCE_LOCALS || config->endpoint == 0 ||
      config->worker_count == 0 || config->worker >= config->worker_count || config->worker_count > WORKERS ||
      (config->transport != 6 && config->transport != 17) || config->local_port_first > config->local_port_last)
    return false;
  for (size_t number = 0; number < config->server_count; number++)
    if (config->servers[number].interface >= INTERFACES)
      return false;
  return true;
}

static void configure(struct creference *reference, const struct creference_config *config) {
  uint32_t identities[CREFERENCE_SERVERS] = {0};
  for (size_t number = 0; number < config->server_count; number++) {
    struct creference_address address = config->servers[number].address;
    uint64_t both = address.high ^ address.low;
    uint32_t folded = config->ipv6 ? (uint32_t)(both >> 32 ^ both) : (uint32_t)address.low;
    identities[number] = config->servers[number].port + folded;
    make_server(reference->servers + number, config, number);
  }
  for (unsigned interface = 0; interface < INTERFACES; interface++)
    reference->own[interface] = swap64(config->interface_macs[interface] << 16) << 16;
  for (size_t index = 0; index < config->local_count; index++)
    reference->locals[index] = config->locals[index];
  reference->local_count = (unsigned)config->local_count;
  reference->local_first = config->local_port_first;
  reference->local_ports = (unsigned)config->local_port_last - config->local_port_first + 1;
  reference->endpoint = config->endpoint;
  reference->transport = config->transport;
  reference->v6 = config->ipv6;
  reference->worker = config->worker;
  reference->worker_count = config->worker_count;
  reference->generation = 1u << 31 | config->worker << 24;
  struct secret secret = make_secret(config->seed + config->worker);
  reference->identification = (uint32_t)mix(&secret, config->seed);
  make_states(&reference->states);
  make_scheduler(&reference->scheduler, config, identities);
  make_near_ends(reference, config);
  make_routes(reference, config);
}

struct creference *creference_create(const struct creference_config *config, struct creference_table *table, void *umem,
                                     size_t frame_count, size_t chunk_byte_count) {
  if (!makes_sense(config) || table == NULL || umem == NULL || chunk_byte_count < 2048 ||
      (chunk_byte_count & (chunk_byte_count - 1)) != 0)
    return NULL;
  struct creference *reference = aligned_alloc(_Alignof(struct creference), sizeof *reference);
  if (reference == NULL)
    return NULL;
  memset(reference, 0, sizeof *reference);
  reference->table = table;
  reference->umem = umem;
  reference->capacity = frame_count;
  reference->chunk_byte_count = chunk_byte_count;
  bool is_complete = (reference->free = calloc(frame_count, sizeof *reference->free)) != NULL;
  for (unsigned interface = 0; interface < INTERFACES; interface++) {
    reference->arrived[interface] = calloc(frame_count, sizeof **reference->arrived);
    reference->sent[interface] = calloc(frame_count + CREFERENCE_BATCH, sizeof **reference->sent);
    reference->sent_end[interface] = reference->sent[interface];
    is_complete = is_complete && reference->arrived[interface] != NULL && reference->sent[interface] != NULL;
  }
  if (!is_complete) {
    creference_destroy(reference);
    return NULL;
  }
  /* The frame used last is taken first: it is still in the cache. */
  for (size_t index = 0; index < frame_count; index++)
    reference->free[index] = (frame_count - 1 - index) * chunk_byte_count;
  reference->free_count = frame_count;
  configure(reference, config);
  return reference;
}

void creference_destroy(struct creference *reference) {
  if (reference == NULL)
    return;
  for (unsigned interface = 0; interface < INTERFACES; interface++) {
    free(reference->arrived[interface]);
    free(reference->sent[interface]);
  }
  free(reference->free);
  free(reference);
}

#endif
