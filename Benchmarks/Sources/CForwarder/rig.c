/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces, programs, and what can be learnt about other processes. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/perf_event.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "internal.h"

#define CORE_LIMIT 1024

int cf_fail(char *message, const char *step, int error) {
  int number = error < 0 ? -error : error;
  snprintf(message, CF_MESSAGE_BYTES, "%s: %s", step, strerror(number));
  return number;
}

int cf_enter(const char *network_namespace) {
  char path[128];
  snprintf(path, sizeof path, "/var/run/netns/%s", network_namespace);
  int previous = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  int next = open(path, O_RDONLY | O_CLOEXEC);
  if (previous < 0 || next < 0 || setns(next, CLONE_NEWNET) != 0) {
    int error = errno;
    if (previous >= 0)
      close(previous);
    if (next >= 0)
      close(next);
    errno = error;
    return -1;
  }
  close(next);
  return previous;
}

void cf_leave(int previous) {
  (void)setns(previous, CLONE_NEWNET);
  close(previous);
}

int cf_thread_start(pthread_t *thread, int core, void *(*body)(void *), void *argument) {
  pthread_attr_t attributes;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  pthread_attr_init(&attributes);
  pthread_attr_setaffinity_np(&attributes, sizeof cores, &cores);
  int error = pthread_create(thread, &attributes, body, argument);
  pthread_attr_destroy(&attributes);
  return error;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments) {
  (void)level, (void)format, (void)arguments;
  return 0;
}

cf_rig *cf_rig_open(const char *object_path, char *message) {
  libbpf_set_print(quiet);
  struct bpf_object *object = bpf_object__open_file(object_path, NULL);
  if (!object) {
    cf_fail(message, "read the BPF programs", errno);
    return NULL;
  }
  int error = bpf_object__load(object);
  if (error) {
    cf_fail(message, "load the BPF programs", error);
    bpf_object__close(object);
    return NULL;
  }
  cf_rig *rig = calloc(1, sizeof *rig);
  rig->object = object;
  return rig;
}

void cf_rig_close(cf_rig *rig) {
  for (int i = 0; i < rig->link_count; i++)
    bpf_link__destroy(rig->links[i]);
  bpf_object__close(rig->object);
  free(rig);
}

unsigned cf_interface_index(const char *network_namespace, const char *interface) {
  int previous = cf_enter(network_namespace);
  if (previous < 0)
    return 0;
  unsigned index = if_nametoindex(interface);
  cf_leave(previous);
  return index;
}

int cf_rig_attach(cf_rig *rig, const char *program, const char *network_namespace, const char *interface,
                  char *message) {
  struct bpf_program *found = bpf_object__find_program_by_name(rig->object, program);
  if (!found || rig->link_count == CF_ATTACHMENTS)
    return cf_fail(message, "find the BPF program", ENOENT);
  int previous = cf_enter(network_namespace);
  if (previous < 0)
    return cf_fail(message, "enter the namespace", errno);
  struct bpf_link *link = bpf_program__attach_xdp(found, (int)if_nametoindex(interface));
  int error = link ? 0 : cf_fail(message, "attach the BPF program", errno);
  cf_leave(previous);
  if (link)
    rig->links[rig->link_count++] = link;
  return error;
}

uint64_t cf_rig_seen(const cf_rig *rig, uint32_t counter) {
  uint64_t values[CORE_LIMIT] = {0};
  int map = bpf_object__find_map_fd_by_name(rig->object, "bench_seen");
  if (libbpf_num_possible_cpus() > CORE_LIMIT || bpf_map_lookup_elem(map, &counter, values) != 0)
    return 0;
  uint64_t sum = 0;
  for (int i = 0; i < libbpf_num_possible_cpus(); i++)
    sum += values[i];
  return sum;
}

uint64_t cf_process_cpu_ns(pid_t process) {
  clockid_t clock;
  struct timespec time;
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0)
    return 0;
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

int cf_calls_open(pid_t thread, uint64_t tracepoint) {
  struct perf_event_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.size = sizeof attributes;
  attributes.config = tracepoint;
  return (int)syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

uint64_t cf_calls_read(int descriptor) {
  uint64_t value = 0;
  return read(descriptor, &value, sizeof value) == sizeof value ? value : 0;
}

static volatile sig_atomic_t is_interrupted;

static void note(int number) {
  (void)number;
  is_interrupted = 1;
}

void cf_catch_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = note;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
}

bool cf_is_interrupted(void) { return is_interrupted != 0; }
