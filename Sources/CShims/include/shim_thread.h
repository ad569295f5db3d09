/* SPDX-License-Identifier: Apache-2.0 */
/* Pinned threads and memory calls whose declarations need _GNU_SOURCE (shims.c). */
#ifndef LBD_SHIM_THREAD_H
#define LBD_SHIM_THREAD_H
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#pragma clang assume_nonnull begin

/* Starts a thread; core < 0: wherever its creator may run. 0, or the errno. */
int lbd_thread_start(
    pthread_t *thread, int core, void *_Nullable (*_Nonnull body)(void *_Nullable), void *_Nullable argument);
/* Names the calling thread; the kernel keeps 15 bytes. */
void lbd_thread_name_current(const char *name);
/* 0, or the errno. */
int lbd_thread_pin_current(int core);
/* Fills `cores` with the numbers of the cores the calling thread may use; how many, or -errno. */
int lbd_thread_available_cores(int *cores, int capacity);
/* Gives the calling thread (only) a network namespace of its own; it goes with the thread. 0, or the errno. */
int lbd_thread_unshare_network(void);

/* A descriptor, or -errno. */
int lbd_memory_file(const char *name, int huge_pages);
/* Gives every page its memory now; 0, or the errno (EINVAL before Linux 5.14). */
int lbd_memory_populate(void *address, uint64_t count);
/* Bytes of the machine's memory that are free or in buffers; 0 when the kernel does not say. */
uint64_t lbd_memory_available(void);

#pragma clang assume_nonnull end
/* The calling thread's number. */
static inline int lbd_thread_number(void) { return (int)syscall(SYS_gettid); }

/* Sends a signal to one thread of this process; fit for signal handlers, leaves errno alone. Nothing happens when there
   is no such thread. */
static inline void lbd_signal_thread(int thread, int signal_number) {
  int saved = errno;
  syscall(SYS_tgkill, getpid(), thread, signal_number);
  errno = saved;
}

#endif
