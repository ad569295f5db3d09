// The clock of a user-mode-linux guest, in the hands of who runs it: preloaded into linux.uml.
//
// The file named by LBD_GUEST_CLOCK holds a 64-bit number: nanoseconds to add to the guest's clock, which goes slower than
// the machine's. So a sleep takes no time, and what a slow machine needs hardly counts.

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// The guest's clock goes so many times slower than the machine's; guest.py knows.
#define SLOWNESS 16

static const volatile int64_t *ahead;

__attribute__((constructor)) static void open_clock(void) {
  const char *path = getenv("LBD_GUEST_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *memory = mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (memory != MAP_FAILED) ahead = memory;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (result || !ahead || clock != CLOCK_MONOTONIC) return result;
  int64_t time = now->tv_sec * 1000000000LL + now->tv_nsec;
  time = time / SLOWNESS + *ahead;
  now->tv_sec = time / 1000000000LL;
  now->tv_nsec = time % 1000000000LL;
  return 0;
}
