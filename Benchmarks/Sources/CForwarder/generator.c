/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load generator: one long BPF_PROG_TEST_RUN over live frames. Setting a run up and taking it down sleeps for ten
 * milliseconds or so, therefore a run is as long as can be and a signal ends it.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "internal.h"

#define RUN_FRAMES (1u << 30)
#define BATCH 64
#define STOP_SIGNAL SIGUSR2

struct cf_generator {
  cf_rig *rig;
  int program;
  int progress;
  pthread_t thread;
  volatile bool is_stopped;
  volatile bool has_ended;
  int error;
};

static void wake(int number) { (void)number; }

static void *generate(void *argument) {
  cf_generator *generator = argument;
  static const uint8_t frame[WIRE_FRAME_BYTES];
  while (!generator->is_stopped) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof frame, .repeat = RUN_FRAMES,
                .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
    int error = bpf_prog_test_run_opts(generator->program, &options);
    if (error && errno != EINTR && errno != EAGAIN) {
      generator->error = errno;
      break;
    }
  }
  generator->has_ended = true;
  return NULL;
}

cf_generator *cf_generator_start(cf_rig *rig, const char *network_namespace, int core, const struct wire_plan *plan,
                                 char *message) {
  uint32_t key = 0;
  struct wire_progress progress = {.random = 0x243f6a8885a308d3};
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = wake;
  sigaction(STOP_SIGNAL, &action, NULL);

  cf_generator *generator = calloc(1, sizeof *generator);
  generator->rig = rig;
  generator->program = bpf_program__fd(bpf_object__find_program_by_name(rig->object, "bench_generate"));
  generator->progress = bpf_object__find_map_fd_by_name(rig->object, "bench_progress");
  int map = bpf_object__find_map_fd_by_name(rig->object, "bench_plan");
  int previous = -1;
  if (bpf_map_update_elem(map, &key, plan, BPF_ANY) || bpf_map_update_elem(generator->progress, &key, &progress, 0))
    cf_fail(message, "tell the generator its plan", errno);
  else if ((previous = cf_enter(network_namespace)) < 0)
    cf_fail(message, "enter the generator's namespace", errno);
  else {
    /* A thread is born into the namespace of its maker. */
    int error = cf_thread_start(&generator->thread, core, generate, generator);
    cf_leave(previous);
    if (error == 0)
      return generator;
    cf_fail(message, "start the generator", error);
  }
  free(generator);
  return NULL;
}

uint64_t cf_generator_count(const cf_generator *generator) {
  uint32_t key = 0;
  struct wire_progress progress = {0};
  bpf_map_lookup_elem(generator->progress, &key, &progress);
  return progress.count;
}

uint64_t cf_generator_cpu_ns(const cf_generator *generator) { return cf_thread_cpu_ns(generator->thread); }

int cf_generator_stop(cf_generator *generator) {
  generator->is_stopped = true;
  /* Again and again: a signal that comes just before the run begins is lost on it. */
  while (!generator->has_ended) {
    pthread_kill(generator->thread, STOP_SIGNAL);
    usleep(2000);
  }
  pthread_join(generator->thread, NULL);
  int error = generator->error;
  free(generator);
  return error;
}
