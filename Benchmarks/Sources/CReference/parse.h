/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes -> packet. Whole TCP and UDP packets in untagged frames, without IP options or extension headers, are parsed in
 * a straight line; whatever is not that, for whatever reason, is looked at again from the start by `parse_anything`.
 */
#ifndef CREFERENCE_PARSE_H
#define CREFERENCE_PARSE_H

#include "checksum.h"
#include "worker.h"

#define TCP 6
#define UDP 17
#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_VLAN 0x8100
#define TYPE_SERVICE_VLAN 0x88a8
#define EXTENSION_HEADERS 8

/* True when the IPv4 header without options adds up to 0xffff. The sum in 64 bits, carries added, is a multiple of that
 * then, and that it is one a multiplication tells: by the inverse of 0xffff, only multiples stay small. */
INLINE bool is_header_sound(const uint8_t *header) {
  uint64_t sum = add_with_carry(load64(header), load64(header + 8));
  sum = add_with_carry(sum, load32(header + 16));
  return sum * -0x0001000100010001u <= 0x0001000100010001u;
}

INLINE bool is_tag(unsigned type) { return type == TYPE_VLAN || type == TYPE_SERVICE_VLAN; }

INLINE bool is_extension(unsigned number) {
  return number == 0 || number == 43 || number == 44 || number == 60;
}

/* The transport header of a packet that ends at `end`. */
static enum creference_outcome parse_transport(struct packet *packet, unsigned protocol, const uint8_t *end) {
  if (protocol == 1 || protocol == 58)
    return CREFERENCE_OTHER;
  if (protocol != TCP && protocol != UDP)
    return CREFERENCE_NOT_OURS;
  if (packet->transport + 4 > end)
    return CREFERENCE_MALFORMED;
  if (packet->transport + (protocol == TCP ? 20 : 8) > end)
    return CREFERENCE_OTHER;
  packet->segment = protocol == TCP ? packet->transport[13] & SEGMENT_FLAGS : SEGMENT_UDP;
  return CREFERENCE_PENDING;
}

static enum creference_outcome parse_ipv4(struct packet *packet, const uint8_t *end) {
  uint8_t *header = packet->network;
  if (header + 20 > end)
    return CREFERENCE_MALFORMED;
  unsigned header_bytes = (header[0] & 0xfu) * 4, total = swap16(load16(header + 2));
  if (header[0] >> 4 != 4 || header_bytes < 20 || total < header_bytes || header + total > end)
    return CREFERENCE_MALFORMED;
  if (fold(sum_bytes(0, header, header_bytes)) != 0xffff)
    return CREFERENCE_BAD_HEADER_CHECKSUM;
  unsigned fragment = swap16(load16(header + 6)), protocol = header[9];
  packet->total = (uint16_t)total;
  packet->transport = header + header_bytes;
  if ((fragment & 0x1fff) != 0 && (protocol == TCP || protocol == UDP))
    return CREFERENCE_OTHER;
  enum creference_outcome outcome = parse_transport(packet, protocol, header + total);
  return outcome == CREFERENCE_PENDING && fragment & 0x2000 ? CREFERENCE_OTHER : outcome;
}

static enum creference_outcome parse_ipv6(struct packet *packet, const uint8_t *end) {
  uint8_t *header = packet->network, *position = header + 40;
  if (position > end)
    return CREFERENCE_MALFORMED;
  unsigned total = 40u + swap16(load16(header + 4)), next = header[6];
  if (header[0] >> 4 != 6 || header + total > end)
    return CREFERENCE_MALFORMED;
  end = header + total;
  packet->total = (uint16_t)total;
  packet->flags = PACKET_V6;
  bool has_fragment_header = false, is_fragment = false, is_later = false;
  for (int left = EXTENSION_HEADERS; is_extension(next) && !is_later; left--) {
    if (left == 0 || position + 8 > end)
      return CREFERENCE_MALFORMED;
    unsigned field = swap16(load16(position + 2)), number = next;
    next = position[0];
    position += number == 44 ? 8 : (position[1] + 1u) * 8;
    if (number == 44) {
      /* Once it is put together, a second one makes no sense. */
      if (has_fragment_header)
        return CREFERENCE_MALFORMED;
      has_fragment_header = true;
      is_fragment |= (field & 0xfff9) != 0;
      is_later = (field & 0xfff8) != 0;
    } else if (position > end) {
      return CREFERENCE_MALFORMED;
    }
  }
  packet->transport = position;
  if (is_later && (next == TCP || next == UDP))
    return CREFERENCE_OTHER;
  enum creference_outcome outcome = parse_transport(packet, next, end);
  /* What stands behind the fixed header is the TCP header to IPVS's state machine. */
  if (outcome == CREFERENCE_PENDING && next == TCP && position != header + 40 && total >= 60)
    packet->segment = header[53] & SEGMENT_FLAGS;
  return outcome == CREFERENCE_PENDING && is_fragment ? CREFERENCE_OTHER : outcome;
}

/* Everything that the straight line does not take. */
COLD enum creference_outcome parse_anything(struct packet *packet, uint8_t *frame, size_t byte_count, uint64_t own) {
  packet->total = 0;
  packet->flags = 0;
  if (byte_count < 34)
    return CREFERENCE_MALFORMED;
  if (load64(frame) << 16 != own)
    return CREFERENCE_OTHER_HOST;
  unsigned offset = 14, type = swap16(load16(frame + 12));
  for (int tags = 0; tags < 2 && is_tag(type); tags++) {
    type = swap16(load16(frame + offset + 2));
    offset += 4;
  }
  packet->network = frame + offset;
  if (type == TYPE_IPV4)
    return parse_ipv4(packet, frame + byte_count);
  if (type == TYPE_IPV6)
    return parse_ipv6(packet, frame + byte_count);
  return CREFERENCE_NOT_OURS;
}

/* The straight line. SEGMENT_NONE: look again. */
#define SEGMENT_NONE 0xff

INLINE unsigned parse_plain_ipv4(const uint8_t *frame, size_t byte_count, size_t total) {
  unsigned protocol = frame[23];
  if (unlikely(14 + total > byte_count || (load16(frame + 20) & 0xff3f) != 0 || !is_header_sound(frame + 14)))
    return SEGMENT_NONE;
  if (likely(protocol == TCP && total >= 40))
    return frame[47] & SEGMENT_FLAGS;
  return protocol == UDP && total >= 28 ? SEGMENT_UDP : SEGMENT_NONE;
}

INLINE unsigned parse_plain_ipv6(const uint8_t *frame, size_t byte_count, size_t total) {
  unsigned protocol = frame[20];
  if (unlikely(14 + total > byte_count))
    return SEGMENT_NONE;
  if (likely(protocol == TCP && total >= 60))
    return frame[67] & SEGMENT_FLAGS;
  return protocol == UDP && total >= 48 ? SEGMENT_UDP : SEGMENT_NONE;
}

#endif
