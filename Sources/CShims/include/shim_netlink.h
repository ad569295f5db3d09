/* SPDX-License-Identifier: Apache-2.0 */
/* rtnetlink: the kernel's own structures, and the two things the importer cannot give: recvfrom (its address argument
 * is a transparent union) and the interface flags (linux/if.h and net/if.h exclude each other). */
#ifndef LBD_SHIM_NETLINK_H
#define LBD_SHIM_NETLINK_H
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <sys/socket.h>
#pragma clang assume_nonnull begin

#define LBD_INTERFACE_UP 0x1u
#define LBD_INTERFACE_LOOPBACK 0x8u
#define LBD_INTERFACE_CARRIER 0x10000u

/* Older headers lack it: counters are left out of a list of links. */
#define LBD_LINK_FILTER_SKIP_STATISTICS 8u

/* One datagram; `sender` is the netlink port it came from (0: the kernel). */
static inline ssize_t lbd_netlink_receive(
    int descriptor, void *bytes, size_t count, int flags, uint32_t *sender) {
  struct sockaddr_nl address = {0};
  socklen_t length = sizeof address;
  ssize_t result = recvfrom(descriptor, bytes, count, flags, (struct sockaddr *)&address, &length);
  *sender = address.nl_pid;
  return result;
}

/* Lets the kernel choose the port, and learns of nothing but answers until groups are joined. */
static inline int lbd_netlink_bind(int descriptor) {
  struct sockaddr_nl address = {.nl_family = AF_NETLINK};
  return bind(descriptor, (struct sockaddr *)&address, sizeof address);
}

#pragma clang assume_nonnull end
#endif
