/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CFORWARDER_INTERNAL_H
#define CFORWARDER_INTERNAL_H
#include <bpf/libbpf.h>
#include <pthread.h>
#include <time.h>
#include "cforwarder.h"

#define CF_ATTACHMENTS 4

struct cf_rig {
  struct bpf_object *object;
  struct bpf_link *links[CF_ATTACHMENTS];
  int link_count;
};

/* Moves the calling thread to a namespace; the descriptor of the one it was in, or -1 with errno set. */
int cf_enter(const char *network_namespace);
/* Moves it back. */
void cf_leave(int previous);
/* "STEP: reason" into the message; returns the errno. */
int cf_fail(char *message, const char *step, int error);
/* A thread on one core. */
int cf_thread_start(pthread_t *thread, int core, void *(*body)(void *), void *argument);

static inline uint64_t cf_thread_cpu_ns(pthread_t thread) {
  clockid_t clock;
  struct timespec time;
  if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &time) != 0)
    return 0;
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

#endif
