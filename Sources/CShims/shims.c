/* SPDX-License-Identifier: Apache-2.0 */
/* The few shims that need _GNU_SOURCE; all others are static inline in their headers. */
#define _GNU_SOURCE
#include "shims.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/memfd.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sysinfo.h>

const char *lbd_errno_name(int number) { return strerrorname_np(number); }

int lbd_thread_start(pthread_t *thread, int core, void *(*body)(void *), void *argument) {
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error != 0) return error;
  if (core >= 0) {
    cpu_set_t cores;
    if (core >= CPU_SETSIZE) error = EINVAL;
    CPU_ZERO(&cores);
    if (error == 0) {
      CPU_SET(core, &cores);
      error = pthread_attr_setaffinity_np(&attributes, sizeof cores, &cores);
    }
  }
  if (error == 0) error = pthread_create(thread, &attributes, body, argument);
  pthread_attr_destroy(&attributes);
  return error;
}

void lbd_thread_name_current(const char *name) {
  char shortened[16]; /* the kernel's limit, terminator included */
  strncpy(shortened, name, sizeof shortened - 1);
  shortened[sizeof shortened - 1] = 0;
  (void)pthread_setname_np(pthread_self(), shortened);
}

int lbd_thread_pin_current(int core) {
  cpu_set_t cores;
  if (core < 0 || core >= CPU_SETSIZE) return EINVAL;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  return pthread_setaffinity_np(pthread_self(), sizeof cores, &cores);
}

int lbd_thread_available_cores(int *numbers, int capacity) {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) != 0) return -errno;
  int count = 0;
  for (int core = 0; core < CPU_SETSIZE && count < capacity; core++)
    if (CPU_ISSET(core, &cores)) numbers[count++] = core;
  return count;
}

int lbd_thread_unshare_network(void) { return unshare(CLONE_NEWNET) == 0 ? 0 : errno; }

int lbd_memory_file(const char *name, int huge_pages) {
  int descriptor = memfd_create(name, MFD_CLOEXEC | (huge_pages ? MFD_HUGETLB | MFD_HUGE_2MB : 0));
  return descriptor < 0 ? -errno : descriptor;
}

int lbd_memory_populate(void *address, uint64_t count) {
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
  return madvise(address, count, MADV_POPULATE_WRITE) == 0 ? 0 : errno;
}

static int lbd_interface_request(const char *name, struct ifreq *request) {
  memset(request, 0, sizeof *request);
  if (strlen(name) == 0 || strlen(name) >= IFNAMSIZ) return EINVAL;
  strcpy(request->ifr_name, name);
  return 0;
}

int lbd_tun_attach(int descriptor, const char *name) {
  struct ifreq request;
  int error = lbd_interface_request(name, &request);
  if (error != 0) return error;
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  return ioctl(descriptor, TUNSETIFF, &request) == 0 ? 0 : errno;
}

int lbd_interface_set_up(int descriptor, const char *name) {
  struct ifreq request;
  int error = lbd_interface_request(name, &request);
  if (error != 0) return error;
  if (ioctl(descriptor, SIOCGIFFLAGS, &request) != 0) return errno;
  request.ifr_flags |= IFF_UP;
  return ioctl(descriptor, SIOCSIFFLAGS, &request) == 0 ? 0 : errno;
}

uint64_t lbd_memory_available(void) {
  struct sysinfo info;
  if (sysinfo(&info) != 0) return 0;
  return ((uint64_t)info.freeram + info.bufferram) * info.mem_unit;
}

int lbd_process_enter_network(int descriptor) {
  if (setns(descriptor, CLONE_NEWNET) != 0) return errno;
  /* /sys shows the interfaces of the namespace it was mounted in. What is mounted below it goes with the old one. */
  if (unshare(CLONE_NEWNS) != 0) return errno;
  if (mount("none", "/", 0, MS_REC | MS_SLAVE, 0) != 0) return errno;
  umount2("/sys", MNT_DETACH);
  if (mount("lbd", "/sys", "sysfs", 0, 0) != 0) return errno;
  mount("none", "/sys/fs/cgroup", "cgroup2", 0, 0);
  return 0;
}
