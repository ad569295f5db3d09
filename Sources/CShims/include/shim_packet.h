/* SPDX-License-Identifier: Apache-2.0 */
/* AF_PACKET rings: layouts from the kernel's headers, and the status words, which are shared with the kernel. */
#ifndef LBD_SHIM_PACKET_H
#define LBD_SHIM_PACKET_H
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#pragma clang assume_nonnull begin

/* Newer than the oldest header this builds with. */
#define LBD_VIRTIO_GSO_UDP_L4 5

static inline __attribute__((always_inline)) uint32_t lbd_packet_block_status(const void *block) {
  return __atomic_load_n(&((const struct tpacket_block_desc *)block)->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
}
static inline __attribute__((always_inline)) void lbd_packet_block_release(void *block) {
  __atomic_store_n(
      &((struct tpacket_block_desc *)block)->hdr.bh1.block_status, (uint32_t)TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}
static inline __attribute__((always_inline)) uint32_t lbd_packet_frame_status(const void *frame) {
  return __atomic_load_n(&((const struct tpacket2_hdr *)frame)->tp_status, __ATOMIC_ACQUIRE);
}
static inline __attribute__((always_inline)) void lbd_packet_frame_submit(void *frame, uint32_t length) {
  struct tpacket2_hdr *header = (struct tpacket2_hdr *)frame;
  header->tp_len = length;
  __atomic_store_n(&header->tp_status, (uint32_t)TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
}

/* Sends what the transmit ring holds: 0, or the errno. */
static inline int lbd_packet_kick(int descriptor) {
  return send(descriptor, (void *_Nullable)0, 0, MSG_DONTWAIT) < 0 ? errno : 0;
}

/* Binds to one interface; protocol in host byte order, 0 for a socket that only sends. */
static inline int lbd_packet_bind(int descriptor, int interface_index, uint16_t protocol) {
  struct sockaddr_ll address;
  memset(&address, 0, sizeof address);
  address.sll_family = AF_PACKET;
  address.sll_protocol = (uint16_t)(protocol << 8 | protocol >> 8);
  address.sll_ifindex = interface_index;
  return bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
}

/* Frames lost since the last call (reading resets the kernel's count). */
static inline uint64_t lbd_packet_drops(int descriptor) {
  union tpacket_stats_u statistics;
  socklen_t size = sizeof statistics;
  memset(&statistics, 0, sizeof statistics);
  if (getsockopt(descriptor, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) != 0) return 0;
  return statistics.stats3.tp_drops;
}

#pragma clang assume_nonnull end
#endif
