/* SPDX-License-Identifier: Apache-2.0 */
/* Interface ioctls: request numbers are function-like macros and struct ifreq is a union of unions. */
#ifndef LBD_SHIM_TUN_H
#define LBD_SHIM_TUN_H
#include <stdint.h>
#pragma clang assume_nonnull begin

/* Makes `descriptor` (of /dev/net/tun) the device `name` without packet information; 0, or the errno. */
int lbd_tun_attach(int descriptor, const char *name);
/* `descriptor` is any socket. 0, or the errno. */
int lbd_interface_set_up(int descriptor, const char *name);
/* One ethtool command with a 32-bit value; `value` is read or written by the command. 0, or the errno. */
int lbd_ethtool_value(int descriptor, const char *name, uint32_t command, uint32_t *value);

#pragma clang assume_nonnull end
#endif
