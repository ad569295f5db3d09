/* SPDX-License-Identifier: Apache-2.0 */
/* AF_XDP: libxdp's ring functions import as they are; here is what does not. */
#ifndef LBD_SHIM_XDP_H
#define LBD_SHIM_XDP_H
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <xdp/xsk.h>
#pragma clang assume_nonnull begin

/* Newer than the installed header. */
#define LBD_XDP_MAX_TX_SKB_BUDGET 9

/* Has the kernel look at the transmit ring: 0, or the errno. The destination of sendto is a transparent union,
 * which does not import. */
static inline int lbd_xdp_kick(int descriptor) {
  return sendto(descriptor, (void *_Nullable)0, 0, MSG_DONTWAIT, (struct sockaddr *_Nullable)0, 0) < 0 ? errno : 0;
}

/* Has the kernel look at the fill ring. poll does that on every kernel with AF_XDP, recvfrom only since 5.11. */
static inline void lbd_xdp_wake_fill(int descriptor) {
  struct pollfd entry = {descriptor, POLLIN, 0};
  (void)poll(&entry, 1, 0);
}

/* Entries that the kernel has not taken yet; the producer word is ours, the consumer word the kernel's. */
static inline __attribute__((always_inline)) uint32_t lbd_xdp_pending(const struct xsk_ring_prod *ring) {
  return *ring->producer - __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
}

static inline int lbd_xdp_map_insert(int map, uint32_t key, int socket) {
  return bpf_map_update_elem(map, &key, &socket, BPF_ANY) == 0 ? 0 : errno;
}

static inline int lbd_xdp_options(int descriptor, uint32_t *flags) {
  struct xdp_options options = {0};
  socklen_t size = sizeof options;
  if (getsockopt(descriptor, SOL_XDP, XDP_OPTIONS, &options, &size) != 0) return errno;
  *flags = options.flags;
  return 0;
}

static inline int lbd_xdp_statistics(int descriptor, struct xdp_statistics *statistics) {
  socklen_t size = sizeof *statistics;
  return getsockopt(descriptor, SOL_XDP, XDP_STATISTICS, statistics, &size) == 0 ? 0 : errno;
}

#pragma clang assume_nonnull end
#endif
