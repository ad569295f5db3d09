/* SPDX-License-Identifier: Apache-2.0 */
/* Processes, namespaces and the system's log: what the Swift importer leaves out. */
#ifndef LBD_SHIM_PROCESS_H
#define LBD_SHIM_PROCESS_H
#include <syslog.h>
#include <unistd.h>
#pragma clang assume_nonnull begin

/* As fork(2). Only for a process that has one thread. */
static inline int lbd_process_fork(void) { return fork(); }
/* Moves the calling thread into a network namespace, with a view of /sys that belongs to it. 0, or the errno. */
int lbd_process_enter_network(int descriptor);

/* `identity` is not copied: it must last. */
static inline void lbd_syslog_open(const char *identity, int facility) {
  openlog(identity, LOG_PID | LOG_NDELAY, facility << 3);
}
static inline void lbd_syslog_write(int priority, const char *text) { syslog(priority, "%s", text); }

#pragma clang assume_nonnull end
#endif
