/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that do not just go on as they were: their state changes, they have timed out, or there is none yet.
 *
 * A connection of NAT or FULLNAT has two entries. That of the requests is the connection; that of the replies mirrors
 * its state. Whoever changes the state writes both.
 */
#ifndef CREFERENCE_CONNECTION_H
#define CREFERENCE_CONNECTION_H

#include "expiry.h"
#include "parse.h"

#define LOCAL_PORT_ATTEMPTS 64

/* What has become of a packet's lookup: a connection, or an outcome. */
struct verdict {
  uint64_t *slot;
  uint64_t value;
  enum creference_outcome outcome;
};

INLINE struct verdict refuse(enum creference_outcome outcome) { return (struct verdict){NULL, 0, outcome}; }

INLINE unsigned next_state(const struct creference *reference, const struct packet *packet, uint64_t value) {
  return reference->states.next[packet->segment][situation_of(value) % SITUATIONS];
}

INLINE uint64_t touched(const struct creference *reference, uint64_t value) {
  return (value & ~STAMP_MASK) | reference->stamp << COARSE_SHIFT;
}

INLINE void recount(struct creference *reference, uint64_t old, uint64_t new) {
  bool was = is_active(0, state_of(old)), is = is_active(0, state_of(new));
  if (was != is)
    fetch_add(&reference->table->loads[server_of(new)].connections, is ? ACTIVE_UNIT - 1 : 1 - ACTIVE_UNIT);
}

INLINE void mirror_state(struct creference *reference, struct key reply, uint64_t value, bool v6) {
  uint64_t *slot = find_mirror(reference, reply, value);
  if (slot == NULL)
    return;
  for (;;) {
    uint64_t old = load_acquire(value_of(slot, v6));
    if (is_dead(old) || server_of(old) != server_of(value) ||
        compare_exchange(value_of(slot, v6), old, touched(reference, with_state(old, state_of(value)))))
      return;
  }
}

/* A reply changes the state: the truth lies in the other entry. */
INLINE void turn_connection(struct creference *reference, const struct packet *packet, uint64_t *slot, uint64_t value,
                            bool v6) {
  const struct lines *table = lines_of(reference, v6);
  struct key request = request_key(reference, packet->key, slot, server_at(reference, value), v6);
  uint64_t *primary = find(table, request, hash_of(table, request, v6), v6);
  if (primary == NULL)
    return;
  for (;;) {
    uint64_t old = load_acquire(value_of(primary, v6));
    if (is_dead(old))
      return;
    unsigned state = next_state(reference, packet, old);
    uint64_t new = touched(reference, with_state(old, state));
    if (!compare_exchange(value_of(primary, v6), old, new))
      continue;
    recount(reference, old, new);
    mirror_state(reference, packet->key, new, v6);
    return;
  }
}

/* A reply that a router refuses, so that IPVS does not see it: its hops are used up, or it is too big and must not be cut. */
INLINE bool is_refused(const struct creference *reference, const struct packet *packet, bool v6) {
  const uint8_t *header = packet->network;
  if (!(packet->flags & PACKET_REPLY))
    return false;
  if (header[v6 ? 7 : 8] <= 1)
    return true;
  return (v6 || (load16(header + 6) & swap16(0x4000)) != 0) && packet->total > reference->gateway.mtu;
}

/* Moves a connection on by one packet. False: the slot no longer holds it. */
INLINE bool advance(struct creference *reference, const struct packet *packet, uint64_t *slot, bool v6,
                    struct verdict *verdict) {
  for (;;) {
    uint64_t old = load_acquire(value_of(slot, v6));
    if (is_dead(old) || !matches(slot, packet->key, v6))
      return false;
    if (unlikely(is_idle_too_long(reference, old)) && expire(reference, slot, packet->key))
      return false;
    *verdict = (struct verdict){slot, old, CREFERENCE_PENDING};
    if (unlikely(is_refused(reference, packet, v6)))
      return true;
    unsigned state = next_state(reference, packet, old);
    uint64_t new = touched(reference, old);
    if (state != state_of(old)) {
      if (packet->flags & PACKET_REPLY) {
        turn_connection(reference, packet, slot, old, v6);
        verdict->value = load_acquire(value_of(slot, v6));
        return true;
      }
      new = with_state(new, state);
    }
    if (new != old && !compare_exchange(value_of(slot, v6), old, new))
      continue;
    verdict->value = new;
    if (state != state_of(old)) {
      recount(reference, old, new);
      const struct server *server = server_at(reference, new);
      if (has_replies(server))
        mirror_state(reference, reply_key(reference, packet->key, new, server), new, v6);
    }
    return true;
  }
}

/* ---- New connections ---------------------------------------------------------------------------------------------- */

/* Finds a free local address and port by inserting the entry for replies. */
INLINE enum creference_outcome take_local_port(struct creference *reference, const struct packet *packet, uint64_t hash,
                                               const struct server *server, bool v6, uint64_t *value) {
  const struct lines *table = lines_of(reference, v6);
  if (reference->local_count == 0)
    return CREFERENCE_LOCAL_PORTS_EXHAUSTED;
  uint64_t start = mix(&table->secret, hash);
  for (uint64_t attempt = 0; attempt < LOCAL_PORT_ATTEMPTS; attempt++) {
    uint64_t try = start + attempt * 0x9e3779b1u;
    uint64_t local = try % reference->local_count;
    uint64_t port = (uint16_t)(reference->local_first + try / 64 % reference->local_ports);
    *value &= ~((uint64_t)0x3fffff << LOCAL_PORT_SHIFT);
    *value |= local << LOCAL_ADDRESS_SHIFT | port << LOCAL_PORT_SHIFT;
    struct key reply = reply_key(reference, packet->key, *value, server);
    uint64_t reply_hash = hash_of(table, reply, v6), *slot = find(table, reply, reply_hash, v6);
    enum insertion insertion = EXISTING;
    if (likely(slot == NULL))
      insertion = insert(table, reply, reply_hash, *value, next_generation(reference), &packet->key, v6, &slot);
    if (likely(insertion == INSERTED)) {
      count_entries(reference, v6, 1);
      return CREFERENCE_PENDING;
    }
    if (insertion == FULL)
      return CREFERENCE_TABLE_FULL;
    /* One whose connection has timed out is only waiting for the hand. */
    if (is_idle_too_long(reference, load_acquire(value_of(slot, v6))))
      expire(reference, slot, reply);
  }
  return CREFERENCE_LOCAL_PORTS_EXHAUSTED;
}

/* The entry for replies of a masqueraded connection. */
INLINE bool insert_reply(struct creference *reference, struct key reply, uint64_t value, bool v6) {
  const struct lines *table = lines_of(reference, v6);
  uint64_t hash = hash_of(table, reply, v6), *slot = find(table, reply, hash, v6);
  enum insertion insertion = EXISTING;
  if (likely(slot == NULL))
    insertion = insert(table, reply, hash, value, next_generation(reference), NULL, v6, &slot);
  if (likely(insertion == INSERTED)) {
    count_entries(reference, v6, 1);
    return true;
  }
  if (insertion == FULL)
    return false;
  /* The same client port has reached the same server before: the newest connection gets the replies. */
  for (;;) {
    uint64_t old = load_acquire(value_of(slot, v6));
    if (is_dead(old) || compare_exchange(value_of(slot, v6), old, (value & ~OVERFLOW_MASK) | (old & OVERFLOW_MASK)))
      return true;
  }
}

/* Takes back the local port of a connection that could not be opened. */
COLD void remove_local_port(struct creference *reference, struct key key, uint64_t value, const struct server *server) {
  if (!is_full_nat(server))
    return;
  uint64_t *slot = find_mirror(reference, reply_key(reference, key, value, server), value);
  if (slot != NULL)
    remove_reply_entry(reference, slot, server);
}

INLINE uint32_t folded_client(const struct packet *packet, bool v6) {
  uint64_t word = packet->key.high ^ packet->key.low;
  return v6 ? (uint32_t)(word >> 32 ^ word) : (uint32_t)(packet->key.head >> 32);
}

/* Schedules a packet that has no connection, if it may open one. */
INLINE struct verdict open_connection(struct creference *reference, const struct packet *packet, bool v6) {
  const struct lines *table = lines_of(reference, v6);
  bool is_tcp = (packet->segment & SEGMENT_UDP) == 0;
  if (is_tcp && (packet->transport[13] & (TCP_SYN | TCP_RST)) != TCP_SYN)
    return refuse(CREFERENCE_NO_CONNECTION);
  if ((packet->key.head >> 16 & 0xffff) == 20)
    return refuse(CREFERENCE_PRIVILEGED_SOURCE);
  unsigned number = pick(&reference->scheduler, reference->table->loads, &reference->table->state,
                         folded_client(packet, v6));
  if (unlikely(number == NO_SERVER))
    return refuse(CREFERENCE_OTHER);
  const struct server *server = reference->servers + number;
  uint64_t value = touched(reference, number | (has_replies(server) ? 0 : NO_OUTPUT));
  if (is_tcp)
    value = with_state(value, next_state(reference, packet, value));
  uint64_t hash = hash_of(table, packet->key, v6), *slot;
  if (is_full_nat(server)) {
    enum creference_outcome outcome = take_local_port(reference, packet, hash, server, v6, &value);
    if (unlikely(outcome != CREFERENCE_PENDING))
      return refuse(outcome);
  }
  enum insertion insertion =
      insert(table, packet->key, hash, value, next_generation(reference), NULL, v6, &slot);
  if (unlikely(insertion != INSERTED)) {
    remove_local_port(reference, packet->key, value, server);
    struct verdict verdict;
    if (insertion == EXISTING && advance(reference, packet, slot, v6, &verdict))
      return verdict;
    return refuse(CREFERENCE_TABLE_FULL);
  }
  count_entries(reference, v6, 1);
  if (server->method == CREFERENCE_NAT << 2 &&
      unlikely(!insert_reply(reference, key_at(packet->key, server->endpoint), value, v6))) {
    if (remove_entry(slot, false, v6))
      count_entries(reference, v6, -1);
    return refuse(CREFERENCE_TABLE_FULL);
  }
  bind(reference, number, is_active(packet->segment, state_of(value)));
  reference->servers[number].counters.connections++;
  return (struct verdict){slot, value, CREFERENCE_PENDING};
}

/* Whatever is not a plain packet of a steady connection. */
INLINE struct verdict look_closely(struct creference *reference, const struct packet *packet, bool v6) {
  const struct lines *table = lines_of(reference, v6);
  struct verdict verdict;
  uint64_t *slot = find(table, packet->key, hash_of(table, packet->key, v6), v6);
  if (slot != NULL && likely(advance(reference, packet, slot, v6, &verdict)))
    return verdict;
  if (packet->flags & PACKET_REPLY)
    return refuse(CREFERENCE_NO_REPLY_CONNECTION);
  return open_connection(reference, packet, v6);
}

COLD void look_closely_v4(struct creference *reference, const struct packet *packet, struct verdict *verdict) {
  *verdict = look_closely(reference, packet, false);
}

COLD void look_closely_v6(struct creference *reference, const struct packet *packet, struct verdict *verdict) {
  *verdict = look_closely(reference, packet, true);
}

#endif
