/* SPDX-License-Identifier: Apache-2.0 */
/* strerrorname_np needs _GNU_SOURCE, which a module header must not define (it changes fd_set). */
#ifndef LBD_SHIM_ERRNO_H
#define LBD_SHIM_ERRNO_H
#pragma clang assume_nonnull begin
/* "EBUSY", or NULL for a number the C library does not know. */
const char *_Nullable lbd_errno_name(int number);
#pragma clang assume_nonnull end
#endif
