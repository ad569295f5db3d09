/* SPDX-License-Identifier: Apache-2.0 */
/* One datagram to a Unix socket, abstract when the path begins with '@'. */
#ifndef LBD_SHIM_UNIX_H
#define LBD_SHIM_UNIX_H
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
#pragma clang assume_nonnull begin

/* 0, or the errno. */
static inline int lbd_unix_send(int descriptor, const char *path, const void *bytes, size_t count) {
  struct sockaddr_un address;
  size_t length = strlen(path);
  if (length == 0 || length >= sizeof address.sun_path) return ENAMETOOLONG;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = 0;
  /* An abstract name has no terminator: its length is the address's. */
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '@' ? 0 : 1));
  return sendto(descriptor, bytes, count, MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0 ? errno : 0;
}

/* Gives a file an access list, in the kernel's own form. 0, or -1 with errno. */
static inline int lbd_unix_access_list(const char *path, const void *list, size_t length) {
    return setxattr(path, "system.posix_acl_access", list, length, 0);
}

#pragma clang assume_nonnull end
#endif
