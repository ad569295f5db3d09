/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors to wait with; the Glibc module leaves these headers out. */
#ifndef LBD_SHIM_WAIT_H
#define LBD_SHIM_WAIT_H
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#endif
