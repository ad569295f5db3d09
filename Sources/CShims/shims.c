/* SPDX-License-Identifier: Apache-2.0 */
/* The few shims that need _GNU_SOURCE; all others are static inline in their headers. */
#define _GNU_SOURCE
#include "shims.h"
#include <string.h>

const char *lbd_errno_name(int number) { return strerrorname_np(number); }
