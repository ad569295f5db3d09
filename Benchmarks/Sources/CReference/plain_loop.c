/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three loops over 32 packets: parse, validate, hash (CRC-32C), and prefetch the line of tags; find the tag and
 * prefetch the entry; check the entry's key, count, rewrite. Untagged IPv4 without options, TCP and UDP.
 */
#include "plain_loop.h"

#include <immintrin.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "checksum.h"

#define TCP 6
#define UDP 17
#define TAGS 8
#define LINE_LIMIT 8
#define HUGE_PAGE ((size_t)2 << 20)

/* A tag of 0 is a free place. */
struct line {
  _Alignas(64) uint16_t tags[TAGS];
  uint32_t indices[TAGS];
};

/* Everything as it stands in packets. */
struct entry {
  _Alignas(64) uint64_t addresses;
  uint32_t ports;
  uint16_t header_step, transport_step;
  uint64_t packets, bytes;
  uint64_t ethernet_first, ethernet_second;
  uint64_t new_addresses;
  uint32_t new_ports;
};

_Static_assert(sizeof(struct line) == 64, "a line of tags is a cache line");
_Static_assert(sizeof(struct entry) == 64, "an entry is a cache line");

struct plain_loop {
  struct line *lines;
  struct entry *entries;
  uint64_t line_mask;
  size_t capacity, count;
  enum plain_loop_mode mode;
  uint8_t *umem;
};

/* A packet between the loops. */
struct flight {
  uint64_t hash, addresses;
  uint32_t ports, total;
  struct entry *entry;
};

static void *map_huge(size_t bytes) {
  /* Enough more that the kernel can place huge pages in it. */
  void *memory = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return NULL;
  madvise(memory, bytes + HUGE_PAGE, MADV_HUGEPAGE);
  return memory;
}

struct plain_loop *plain_loop_create(size_t capacity, enum plain_loop_mode mode, void *umem) {
  struct plain_loop *loop = calloc(1, sizeof *loop);
  if (loop == NULL)
    return NULL;
  size_t line_count = 1;
  while (line_count * TAGS < capacity * 2)
    line_count *= 2;
  loop->lines = map_huge(line_count * sizeof *loop->lines);
  loop->entries = map_huge(capacity * sizeof *loop->entries);
  loop->line_mask = line_count - 1;
  loop->capacity = capacity;
  loop->mode = mode;
  loop->umem = umem;
  if (loop->lines == NULL || loop->entries == NULL) {
    plain_loop_destroy(loop);
    return NULL;
  }
  return loop;
}

void plain_loop_destroy(struct plain_loop *loop) {
  if (loop == NULL)
    return;
  if (loop->lines != NULL)
    munmap(loop->lines, (loop->line_mask + 1) * sizeof *loop->lines + HUGE_PAGE);
  if (loop->entries != NULL)
    munmap(loop->entries, loop->capacity * sizeof *loop->entries + HUGE_PAGE);
  free(loop);
}

/* The line below, the tag above, which is mixed so that flows of one line have different ones. */
INLINE uint64_t hash_flow(uint64_t addresses, uint32_t ports) {
  uint64_t crc = _mm_crc32_u32((uint32_t)_mm_crc32_u64(0x9e3779b9u, addresses), ports);
  return crc | crc * 0x85ebca6bu << 32;
}

INLINE uint16_t tag_of(uint64_t hash) { return (uint16_t)(hash >> 48) | 1; }

INLINE struct entry *find_tag(const struct plain_loop *loop, const struct line *line, uint16_t tag) {
  __m128i tags = _mm_load_si128((const __m128i *)line->tags);
  unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi16(tags, _mm_set1_epi16((short)tag)));
  return found == 0 ? NULL : loop->entries + line->indices[__builtin_ctz(found) / 2];
}

/* The flow's entry, wherever it stands: for those whose tag is another's too, or whose line was full. */
COLD struct entry *find_entry(const struct plain_loop *loop, uint64_t hash, uint64_t addresses, uint32_t ports) {
  for (uint64_t distance = 0; distance < LINE_LIMIT; distance++) {
    const struct line *line = loop->lines + ((hash + distance) & loop->line_mask);
    for (unsigned place = 0; place < TAGS; place++) {
      struct entry *entry = loop->entries + line->indices[place];
      if (line->tags[place] == tag_of(hash) && entry->addresses == addresses && entry->ports == ports)
        return entry;
      if (line->tags[place] == 0)
        return NULL;
    }
  }
  return NULL;
}

static uint64_t flow_addresses(const struct plain_loop_flow *flow) {
  return swap32(flow->client) | (uint64_t)swap32(flow->vip) << 32;
}

static uint32_t flow_ports(const struct plain_loop_flow *flow) {
  return swap16(flow->client_port) | (uint32_t)swap16(flow->vport) << 16;
}

bool plain_loop_add(struct plain_loop *loop, const struct plain_loop_flow *flow) {
  if (loop->count == loop->capacity)
    return false;
  struct entry entry = {.addresses = flow_addresses(flow), .ports = flow_ports(flow)};
  entry.new_addresses = swap32(flow->source) | (uint64_t)swap32(flow->destination) << 32;
  entry.new_ports = swap16(flow->source_port) | (uint32_t)swap16(flow->destination_port) << 16;
  uint64_t change = add_difference64(0, entry.addresses, entry.new_addresses);
  entry.header_step = step(delta(add_with_carry(change, TTL_DELTA)));
  entry.transport_step = step(delta(add_with_carry(change, difference32(entry.ports, entry.new_ports))));
  entry.ethernet_first = swap64(flow->server_mac << 16 | flow->own_mac >> 32);
  entry.ethernet_second = swap64(flow->own_mac << 16) | (uint64_t)swap16(0x0800) << 48;
  uint64_t hash = hash_flow(entry.addresses, entry.ports);
  for (uint64_t distance = 0; distance < LINE_LIMIT; distance++) {
    struct line *line = loop->lines + ((hash + distance) & loop->line_mask);
    for (unsigned place = 0; place < TAGS; place++) {
      if (line->tags[place] != 0)
        continue;
      line->tags[place] = tag_of(hash);
      line->indices[place] = (uint32_t)loop->count;
      loop->entries[loop->count++] = entry;
      return true;
    }
  }
  return false;
}

uint64_t plain_loop_packets(const struct plain_loop *loop, const struct plain_loop_flow *flow) {
  uint64_t addresses = flow_addresses(flow);
  uint32_t ports = flow_ports(flow);
  const struct entry *entry = find_entry(loop, hash_flow(addresses, ports), addresses, ports);
  return entry == NULL ? 0 : entry->packets;
}

/* True for a whole, sound packet; what is not has a total of 0. */
INLINE bool parse(const uint8_t *frame, size_t byte_count, struct flight *flight) {
  flight->total = 0;
  if (unlikely(byte_count < 34 || (load32(frame + 12) & 0xffffff) != 0x450008))
    return false;
  uint32_t total = swap16(load16(frame + 16));
  unsigned protocol = frame[23];
  uint64_t sum = add_with_carry(load64(frame + 14), load64(frame + 22));
  if (unlikely(total + 14 > byte_count || (load16(frame + 20) & 0xff3f) != 0 ||
               fold(add_with_carry(sum, load32(frame + 30))) != 0xffff || frame[22] <= 1))
    return false;
  if (unlikely(protocol == TCP ? total < 40 : protocol != UDP || total < 28))
    return false;
  flight->addresses = load64(frame + 26);
  flight->ports = load32(frame + 34);
  flight->total = total;
  return true;
}

INLINE void rewrite_nat(uint8_t *frame, const struct entry *entry) {
  uint32_t word = load32(frame + 22);
  store32(frame + 22, ((word & 0xffff) - 1) | (uint32_t)correct((uint16_t)(word >> 16), entry->header_step) << 16);
  store64(frame + 26, entry->new_addresses);
  store32(frame + 34, entry->new_ports);
  if (likely((word >> 8 & 0xff) == TCP)) {
    store16(frame + 50, correct(load16(frame + 50), entry->transport_step));
  } else if (load16(frame + 40) != 0) {
    uint16_t new = correct(load16(frame + 40), entry->transport_step);
    store16(frame + 40, new == 0 ? 0xffff : new);
  }
}

INLINE size_t process_batch(struct plain_loop *loop, const struct plain_loop_frame *frames, size_t count, bool nat) {
  struct flight flights[PLAIN_LOOP_BATCH];
  uint8_t *umem = loop->umem;
  struct line *lines = loop->lines;
  uint64_t mask = loop->line_mask;
  size_t forwarded = 0;
  for (size_t index = 0; index < count; index++)
    __builtin_prefetch(umem + frames[index].address, 1);
  for (size_t index = 0; index < count; index++) {
    struct flight *flight = flights + index;
    if (!parse(umem + frames[index].address, frames[index].byte_count, flight))
      continue;
    flight->hash = hash_flow(flight->addresses, flight->ports);
    __builtin_prefetch(lines + (flight->hash & mask));
  }
  for (size_t index = 0; index < count; index++) {
    struct flight *flight = flights + index;
    flight->entry = NULL;
    if (flight->total == 0)
      continue;
    flight->entry = find_tag(loop, lines + (flight->hash & mask), tag_of(flight->hash));
    __builtin_prefetch(flight->entry, 1);
  }
  for (size_t index = 0; index < count; index++) {
    struct flight *flight = flights + index;
    if (flight->total == 0)
      continue;
    struct entry *entry = flight->entry;
    if (unlikely(entry == NULL || entry->addresses != flight->addresses || entry->ports != flight->ports)) {
      entry = find_entry(loop, flight->hash, flight->addresses, flight->ports);
      if (entry == NULL)
        continue;
    }
    uint8_t *frame = umem + frames[index].address;
    entry->packets++;
    entry->bytes += flight->total;
    if (nat)
      rewrite_nat(frame, entry);
    store64(frame, entry->ethernet_first);
    store64(frame + 6, entry->ethernet_second);
    forwarded++;
  }
  return forwarded;
}

size_t plain_loop_process(struct plain_loop *loop, const struct plain_loop_frame *frames, size_t count) {
  size_t forwarded = 0;
  for (; count > 0; frames += PLAIN_LOOP_BATCH) {
    size_t batch = count < PLAIN_LOOP_BATCH ? count : PLAIN_LOOP_BATCH;
    forwarded += loop->mode == PLAIN_LOOP_NAT ? process_batch(loop, frames, batch, true)
                                              : process_batch(loop, frames, batch, false);
    count -= batch;
  }
  return forwarded;
}
