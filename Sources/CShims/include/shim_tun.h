/* SPDX-License-Identifier: Apache-2.0 */
/* Interface ioctls: request numbers are function-like macros and struct ifreq is a union of unions. */
#ifndef LBD_SHIM_TUN_H
#define LBD_SHIM_TUN_H
#pragma clang assume_nonnull begin

/* Makes `descriptor` (of /dev/net/tun) the device `name` without packet information; 0, or the errno. */
int lbd_tun_attach(int descriptor, const char *name);
/* `descriptor` is any socket. 0, or the errno. */
int lbd_interface_set_up(int descriptor, const char *name);

#pragma clang assume_nonnull end
#endif
