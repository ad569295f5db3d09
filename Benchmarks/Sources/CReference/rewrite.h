/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the packet looks like when it leaves. Everything that is the same for all packets to or from a server is ready
 * in its record: Ethernet header, addresses, the corrections of both checksums, the outer header's sum.
 */
#ifndef CREFERENCE_REWRITE_H
#define CREFERENCE_REWRITE_H

#include "parse.h"

/* How a packet leaves: `extra` bytes of an outer header are in front of it. Without a hop it does not leave. */
struct departure {
  const struct hop *hop;
  unsigned extra;
  enum creference_outcome outcome;
};

INLINE struct departure leave(const struct hop *hop, enum creference_outcome outcome) {
  return (struct departure){hop, 0, outcome};
}

INLINE struct departure stay(void) { return (struct departure){NULL, 0, CREFERENCE_OTHER}; }

/* False for what lbd would answer (hop limit used up, too big) or send in pieces. */
INLINE bool can_leave(const struct packet *packet, const struct hop *hop, unsigned extra, unsigned hops) {
  return likely(hops > 1) && likely(packet->total + extra <= hop->mtu);
}

/* A UDP checksum that was not computed: over the whole datagram (RFC 768, RFC 8200 section 8.1). */
COLD void complete_udp(const struct packet *packet) {
  uint8_t *network = packet->network, *transport = packet->transport;
  size_t count = (size_t)(network + packet->total - transport);
  uint64_t sum = add_with_carry(swap32((uint32_t)count), swap16(UDP));
  sum = packet->flags & PACKET_V6 ? sum_bytes(sum, network + 8, 32) : sum_bytes(sum, network + 12, 8);
  uint16_t value = (uint16_t)~fold(sum_bytes(sum, transport, count));
  store16(transport + 6, value == 0 ? 0xffff : value);
}

/* Corrects the transport's checksum, once addresses and ports have been written. */
INLINE void correct_transport(const struct packet *packet, uint16_t step) {
  if (likely((packet->segment & SEGMENT_UDP) == 0)) {
    store16(packet->transport + 16, correct(load16(packet->transport + 16), step));
    return;
  }
  uint16_t old = load16(packet->transport + 6);
  if (unlikely(old == 0)) {
    complete_udp(packet);
    return;
  }
  uint16_t new = correct(old, step);
  store16(packet->transport + 6, new == 0 ? 0xffff : new);
}

/* The same for a correction that is this packet's own. */
INLINE void correct_transport_once(const struct packet *packet, uint64_t difference) {
  if (likely((packet->segment & SEGMENT_UDP) == 0))
    store16(packet->transport + 16, correct_once(load16(packet->transport + 16), difference));
  else
    correct_transport(packet, step(delta(difference)));
}

/* Replies go to their client by the default route, or directly. */
INLINE const struct hop *route(const struct creference *reference, uint64_t high, uint64_t low) {
  uint64_t difference = ((high ^ reference->prefix[0]) & reference->prefix_mask[0]) |
                        ((low ^ reference->prefix[1]) & reference->prefix_mask[1]);
  return difference == 0 ? &reference->onlink : &reference->gateway;
}

INLINE uint8_t outer_class(uint8_t class) { return (class & 3) == 3 ? (class & 0xfc) | 2 : class; }

INLINE void wrap_v4(struct creference *reference, const struct packet *packet, const struct server *server) {
  uint8_t *inner = packet->network, *outer = inner - 20;
  uint32_t dont_fragment = load16(inner + 6) & swap16(0x4000);
  uint32_t number = ++reference->identification;
  uint16_t identification = dont_fragment ? 0 : (uint16_t)number;
  uint32_t first = 0x45u | (uint32_t)outer_class(inner[1]) << 8 | (uint32_t)swap16((uint16_t)(packet->total + 20)) << 16;
  uint32_t second = identification | dont_fragment << 16;
  uint32_t third = inner[8] | 4u << 8;
  uint16_t checksum = (uint16_t)~fold(server->tunnel_sum + first + second + third);
  store64(outer, first | (uint64_t)second << 32);
  store64(outer + 8, third | (uint32_t)checksum << 16 | server->tunnel_source[0] << 32);
  store32(outer + 16, (uint32_t)server->address[0]);
}

INLINE void wrap_v6(const struct packet *packet, const struct server *server) {
  uint8_t *inner = packet->network, *outer = inner - 40;
  uint8_t class = outer_class((uint8_t)(swap16(load16(inner)) >> 4));
  uint32_t first = swap32(0x60000000u | (uint32_t)class << 20);
  uint32_t second = swap16(packet->total) | 41u << 16 | (uint32_t)inner[7] << 24;
  store64(outer, first | (uint64_t)second << 32);
  store64(outer + 8, server->tunnel_source[0]);
  store64(outer + 16, server->tunnel_source[1]);
  store64(outer + 24, server->address[0]);
  store64(outer + 32, server->address[1]);
}

/* FULLNAT: the sender becomes the local address and port of the connection. */
INLINE void translate_request_v4(struct creference *reference, const struct packet *packet, const struct server *server,
                                 uint64_t value) {
  uint8_t *header = packet->network;
  uint32_t local = swap32((uint32_t)reference->locals[value >> LOCAL_ADDRESS_SHIFT & 0x3f].low);
  uint16_t port = swap16((uint16_t)(value >> LOCAL_PORT_SHIFT));
  uint64_t change = difference32(load32(header + 12), local);
  correct_header_once(header, change + server->header_delta[0]);
  change += difference16(load16(packet->transport), port);
  store64(header + 12, local | server->address[0] << 32);
  store32(packet->transport, port | (uint32_t)server->port << 16);
  correct_transport_once(packet, add_with_carry(change, server->transport_delta[0]));
}

INLINE void translate_request_v6(struct creference *reference, const struct packet *packet, const struct server *server,
                                 uint64_t value) {
  uint8_t *header = packet->network;
  const struct creference_address *local = reference->locals + (value >> LOCAL_ADDRESS_SHIFT & 0x3f);
  uint64_t high = swap64(local->high), low = swap64(local->low);
  uint16_t port = swap16((uint16_t)(value >> LOCAL_PORT_SHIFT));
  uint64_t change = difference16(load16(packet->transport), port);
  change = add_difference64(change, load64(header + 8), high);
  change = add_difference64(change, load64(header + 16), low);
  header[7]--;
  store64(header + 8, high);
  store64(header + 16, low);
  store64(header + 24, server->address[0]);
  store64(header + 32, server->address[1]);
  store32(packet->transport, port | (uint32_t)server->port << 16);
  correct_transport_once(packet, add_with_carry(change, server->transport_delta[0]));
}

/* FULLNAT: the client stands beside the entry for replies. */
INLINE void translate_reply_v4(const struct packet *packet, const struct server *server, uint64_t client) {
  uint8_t *header = packet->network;
  uint32_t address = swap32((uint32_t)(client >> 32));
  uint16_t port = swap16((uint16_t)(client >> 16));
  uint64_t change = difference32(load32(header + 16), address);
  correct_header_once(header, change + server->header_delta[1]);
  change += difference16(load16(packet->transport + 2), port);
  store64(header + 12, (uint32_t)server->vip[0] | (uint64_t)address << 32);
  store32(packet->transport, server->vport | (uint32_t)port << 16);
  correct_transport_once(packet, add_with_carry(change, server->transport_delta[1]));
}

INLINE void translate_reply_v6(const struct packet *packet, const struct server *server, struct key client) {
  uint8_t *header = packet->network;
  uint64_t high = swap64(client.high), low = swap64(client.low);
  uint16_t port = swap16((uint16_t)(client.head >> 16));
  uint64_t change = difference16(load16(packet->transport + 2), port);
  change = add_difference64(change, load64(header + 24), high);
  change = add_difference64(change, load64(header + 32), low);
  header[7]--;
  store64(header + 8, server->vip[0]);
  store64(header + 16, server->vip[1]);
  store64(header + 24, high);
  store64(header + 32, low);
  store32(packet->transport, server->vport | (uint32_t)port << 16);
  correct_transport_once(packet, add_with_carry(change, server->transport_delta[1]));
}

/* The way of rewriting: forwarding method, direction, family. */
#define WAY(method, reply, v6) ((method) << 2 | (reply) << 1 | (v6))

INLINE struct departure rewrite(struct creference *reference, const struct packet *packet, struct server *server,
                                uint64_t *slot, uint64_t value) {
  uint8_t *header = packet->network;
  const struct hop *hop = &server->hop;
  struct key client;
  switch (server->method | packet->flags) {
  case WAY(CREFERENCE_DR, 0, 0):
    if (!can_leave(packet, hop, 0, header[8]))
      return stay();
    correct_header(header, header_step(TTL_DELTA));
    return leave(hop, CREFERENCE_DIRECT_ROUTING);
  case WAY(CREFERENCE_DR, 0, 1):
    if (!can_leave(packet, hop, 0, header[7]))
      return stay();
    header[7]--;
    return leave(hop, CREFERENCE_DIRECT_ROUTING);
  case WAY(CREFERENCE_NAT, 0, 0):
    if (!can_leave(packet, hop, 0, header[8]))
      return stay();
    correct_header(header, server->header_step[0]);
    store32(header + 16, (uint32_t)server->address[0]);
    store16(packet->transport + 2, server->port);
    correct_transport(packet, server->transport_step[0]);
    return leave(hop, CREFERENCE_MASQUERADE_REQUEST);
  case WAY(CREFERENCE_NAT, 0, 1):
    if (!can_leave(packet, hop, 0, header[7]))
      return stay();
    header[7]--;
    store64(header + 24, server->address[0]);
    store64(header + 32, server->address[1]);
    store16(packet->transport + 2, server->port);
    correct_transport(packet, server->transport_step[0]);
    return leave(hop, CREFERENCE_MASQUERADE_REQUEST);
  case WAY(CREFERENCE_NAT, 1, 0):
    hop = route(reference, 0, packet->key.head >> 32);
    if (!can_leave(packet, hop, 0, header[8]))
      return stay();
    correct_header(header, server->header_step[1]);
    store32(header + 12, (uint32_t)server->vip[0]);
    store16(packet->transport, server->vport);
    correct_transport(packet, server->transport_step[1]);
    return leave(hop, CREFERENCE_MASQUERADE_REPLY);
  case WAY(CREFERENCE_NAT, 1, 1):
    hop = route(reference, packet->key.high, packet->key.low);
    if (!can_leave(packet, hop, 0, header[7]))
      return stay();
    header[7]--;
    store64(header + 8, server->vip[0]);
    store64(header + 16, server->vip[1]);
    store16(packet->transport, server->vport);
    correct_transport(packet, server->transport_step[1]);
    return leave(hop, CREFERENCE_MASQUERADE_REPLY);
  case WAY(CREFERENCE_TUN, 0, 0):
    if (!can_leave(packet, hop, 20, header[8]))
      return stay();
    correct_header(header, header_step(TTL_DELTA));
    wrap_v4(reference, packet, server);
    return (struct departure){hop, 20, CREFERENCE_TUNNEL};
  case WAY(CREFERENCE_TUN, 0, 1):
    if (!can_leave(packet, hop, 40, header[7]))
      return stay();
    header[7]--;
    wrap_v6(packet, server);
    return (struct departure){hop, 40, CREFERENCE_TUNNEL};
  case WAY(CREFERENCE_FULLNAT, 0, 0):
    if (!can_leave(packet, hop, 0, header[8]))
      return stay();
    translate_request_v4(reference, packet, server, value);
    return leave(hop, CREFERENCE_FULLNAT_REQUEST);
  case WAY(CREFERENCE_FULLNAT, 0, 1):
    if (!can_leave(packet, hop, 0, header[7]))
      return stay();
    translate_request_v6(reference, packet, server, value);
    return leave(hop, CREFERENCE_FULLNAT_REQUEST);
  case WAY(CREFERENCE_FULLNAT, 1, 0):
    client = key_in(slot + 2, false);
    hop = route(reference, 0, client.head >> 32);
    if (!can_leave(packet, hop, 0, header[8]))
      return stay();
    translate_reply_v4(packet, server, client.head);
    return leave(hop, CREFERENCE_FULLNAT_REPLY);
  case WAY(CREFERENCE_FULLNAT, 1, 1):
    client = key_in(slot + 4, true);
    hop = route(reference, client.high, client.low);
    if (!can_leave(packet, hop, 0, header[7]))
      return stay();
    translate_reply_v6(packet, server, client);
    return leave(hop, CREFERENCE_FULLNAT_REPLY);
  default:
    return stay();
  }
}

INLINE void write_ethernet(uint8_t *frame, const struct hop *hop) {
  store64(frame, hop->first);
  store64(frame + 6, hop->second);
}

INLINE void write_tagged_ethernet(uint8_t *frame, const struct hop *hop) {
  store64(frame, hop->first);
  store64(frame + 6, (hop->second << 16 >> 16) | (uint64_t)swap16(TYPE_VLAN) << 48);
  store32(frame + 14, swap16(hop->vlan) | (uint32_t)(hop->second >> 48) << 16);
}

#endif
