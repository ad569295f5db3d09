/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A forwarder that does nothing: what arrives at one port leaves by the other with new MAC addresses. It is what lbd's
 * ports are held against, so everything around the packet is as lbd has it (ring sizes, batch, frame memory shared by both
 * sockets, kicks, sleep), and nothing is in between.
 *
 * It is a process of its own, in a session of its own, as lbd is: where automatic groups are on, a thread of ours would
 * have to share its weight with the generator's.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xdp/xsk.h>
#include "internal.h"

#define CHUNK 2048
#define RX_RING 2048
#define TX_RING 2048
#define FILL_RING 4096
#define COMPLETION_RING 2048
#define FRAMES (2 * (RX_RING + TX_RING) + 1024)
#define MEMORY_BYTES ((size_t)FRAMES * CHUNK)
#define BATCH 64
#define REFILL 32
#define EMPTY_TURNS 32
#define FRUITLESS_KICKS 3
#define SLEEP_MS 200
/* Newer than the installed header: XDP_MAX_TX_SKB_BUDGET. */
#define TX_BUDGET_OPTION 9

struct port {
  struct xsk_socket *socket;
  struct xsk_ring_cons rx, completion;
  struct xsk_ring_prod tx, fill;
  int descriptor;
  uint32_t offered; /* frames with the device */
  uint32_t unsent;  /* in the transmit ring, as far as we know */
  uint64_t target;  /* MAC addresses of what leaves by this port: 6 + 6 bytes */
  uint64_t source;
};

/* What the child tells its maker, in memory that both see. */
struct cf_forwarder {
  struct cf_forwarder_counters counters;
  char message[CF_MESSAGE_BYTES];
  volatile int state;
  volatile bool is_stopped;
  int wake;
  pid_t process;
};

enum { STARTING, RUNNING, FAILED };

/* What only the child has. */
struct forwarder {
  cf_forwarder *shared;
  struct cf_forwarder_counters counters;
  struct port ports[2];
  struct xsk_umem *umem;
  uint8_t *memory;
  uint64_t pool[FRAMES];
  uint32_t pool_depth;
};

static inline void give(struct forwarder *forwarder, uint64_t address) {
  forwarder->pool[forwarder->pool_depth++] = address & ~(uint64_t)(CHUNK - 1);
}

static void refill(struct forwarder *forwarder, struct port *port) {
  uint32_t index, wanted = RX_RING - port->offered;
  if (wanted > forwarder->pool_depth)
    wanted = forwarder->pool_depth;
  uint32_t free_entries = xsk_prod_nb_free(&port->fill, wanted);
  uint32_t count = wanted < free_entries ? wanted : free_entries;
  if (count == 0 || xsk_ring_prod__reserve(&port->fill, count, &index) != count)
    return;
  for (uint32_t i = 0; i < count; i++)
    *xsk_ring_prod__fill_addr(&port->fill, index + i) = forwarder->pool[--forwarder->pool_depth];
  xsk_ring_prod__submit(&port->fill, count);
  port->offered += count;
  if (xsk_ring_prod__needs_wakeup(&port->fill)) {
    struct pollfd entry = {port->descriptor, POLLIN, 0};
    (void)poll(&entry, 1, 0);
  }
}

static void reclaim(struct forwarder *forwarder, struct port *port) {
  uint32_t index;
  uint32_t count = xsk_ring_cons__peek(&port->completion, COMPLETION_RING, &index);
  for (uint32_t i = 0; i < count; i++)
    give(forwarder, *xsk_ring_cons__comp_addr(&port->completion, index + i));
  if (count)
    xsk_ring_cons__release(&port->completion, count);
}

static inline uint32_t pending(const struct port *port) {
  return *port->tx.producer - __atomic_load_n(port->tx.consumer, __ATOMIC_ACQUIRE);
}

/* In copy mode the call does the sending, part of it at a time. */
static void flush(struct forwarder *forwarder, struct port *port) {
  uint32_t before = pending(port);
  for (int fruitless = 0; before > 0 && fruitless < FRUITLESS_KICKS;) {
    ssize_t result = sendto(port->descriptor, NULL, 0, MSG_DONTWAIT, NULL, 0);
    int error = result < 0 ? errno : 0;
    forwarder->counters.kicks++;
    uint32_t left = pending(port);
    fruitless = left < before ? 0 : fruitless + 1;
    before = left;
    if (error && error != EAGAIN && error != EBUSY && error != ENOBUFS && error != EINTR)
      break;
  }
  port->unsent = before;
}

static inline void rewrite(const struct port *out, uint8_t *packet) {
  memcpy(packet, &out->target, 6);
  memcpy(packet + 6, &out->source, 6);
}

static uint32_t enqueue(struct port *out, const struct xdp_desc *packets, uint32_t count) {
  uint32_t index;
  uint32_t room = xsk_prod_nb_free(&out->tx, count);
  if (room < count)
    count = room;
  if (count == 0 || xsk_ring_prod__reserve(&out->tx, count, &index) != count)
    return 0;
  for (uint32_t i = 0; i < count; i++)
    *xsk_ring_prod__tx_desc(&out->tx, index + i) = packets[i];
  xsk_ring_prod__submit(&out->tx, count);
  out->unsent += count;
  return count;
}

static uint32_t forward(struct forwarder *forwarder, struct port *in, struct port *out) {
  struct xdp_desc packets[BATCH];
  uint32_t index;
  reclaim(forwarder, in);
  uint32_t count = xsk_ring_cons__peek(&in->rx, BATCH, &index);
  for (uint32_t i = 0; i < count; i++) {
    packets[i] = *xsk_ring_cons__rx_desc(&in->rx, index + i);
    packets[i].options = 0;
    __builtin_prefetch(forwarder->memory + packets[i].addr, 1);
  }
  if (count) {
    xsk_ring_cons__release(&in->rx, count);
    in->offered -= count;
  }
  if (RX_RING - in->offered >= REFILL)
    refill(forwarder, in);
  if (count == 0)
    return 0;
  for (uint32_t i = 0; i < count; i++)
    rewrite(out, forwarder->memory + packets[i].addr);
  uint32_t sent = enqueue(out, packets, count);
  if (sent < count) {
    flush(forwarder, out);
    reclaim(forwarder, out);
    sent += enqueue(out, packets + sent, count - sent);
  }
  for (uint32_t i = sent; i < count; i++)
    give(forwarder, packets[i].addr);
  flush(forwarder, out);
  forwarder->counters.received += count;
  forwarder->counters.sent += sent;
  forwarder->counters.transmit_ring_full += count - sent;
  return count;
}

/* As lbd does: what the kernel lost is looked up when there is time. */
static void publish(struct forwarder *forwarder) {
  struct cf_forwarder_counters counters = forwarder->counters;
  for (int i = 0; i < 2; i++) {
    struct xdp_statistics statistics;
    socklen_t size = sizeof statistics;
    if (getsockopt(forwarder->ports[i].descriptor, SOL_XDP, XDP_STATISTICS, &statistics, &size) == 0)
      counters.missed += statistics.rx_dropped + statistics.rx_ring_full;
  }
  forwarder->shared->counters = counters;
}

static void nap(struct forwarder *forwarder) {
  struct pollfd entries[3] = {{forwarder->shared->wake, POLLIN, 0},
                              {forwarder->ports[0].descriptor, POLLIN, 0},
                              {forwarder->ports[1].descriptor, POLLIN, 0}};
  int timeout = SLEEP_MS;
  for (int i = 0; i < 2; i++) {
    if (forwarder->ports[i].unsent == 0)
      continue;
    flush(forwarder, &forwarder->ports[i]);
    timeout = 1;
  }
  forwarder->counters.sleeps++;
  publish(forwarder);
  (void)poll(entries, 3, timeout);
}

static void loop(struct forwarder *forwarder) {
  int empty = 0;
  while (!forwarder->shared->is_stopped) {
    uint32_t count = forward(forwarder, &forwarder->ports[0], &forwarder->ports[1]);
    count += forward(forwarder, &forwarder->ports[1], &forwarder->ports[0]);
    empty = count ? 0 : empty + 1;
    if (empty < EMPTY_TURNS)
      continue;
    empty = 0;
    nap(forwarder);
  }
}

/* ---- Opening and closing ------------------------------------------------------------------- */

static int open_memory(struct forwarder *forwarder) {
  struct xsk_umem_config configuration = {
      .fill_size = FILL_RING, .comp_size = COMPLETION_RING, .frame_size = CHUNK, .frame_headroom = 0, .flags = 0};
  forwarder->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (forwarder->memory == MAP_FAILED)
    return errno;
  (void)madvise(forwarder->memory, MEMORY_BYTES, MADV_HUGEPAGE);
  memset(forwarder->memory, 0, MEMORY_BYTES);
  for (uint32_t i = FRAMES; i > 0; i--)
    give(forwarder, (uint64_t)(i - 1) * CHUNK);
  return -xsk_umem__create(&forwarder->umem, forwarder->memory, MEMORY_BYTES, &forwarder->ports[0].fill,
                           &forwarder->ports[0].completion, &configuration);
}

static int open_port(struct forwarder *forwarder, struct port *port, const char *interface, const uint8_t *peer) {
  struct xsk_socket_config configuration = {.rx_size = RX_RING,
                                            .tx_size = TX_RING,
                                            .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
                                            .bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP};
  int error = xsk_socket__create_shared(&port->socket, interface, 0, forwarder->umem, &port->rx, &port->tx,
                                        &port->fill, &port->completion, &configuration);
  if (error)
    return -error;
  port->descriptor = xsk_socket__fd(port->socket);
  int budget = 256;
  (void)setsockopt(port->descriptor, SOL_XDP, TX_BUDGET_OPTION, &budget, sizeof budget);
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
  int plain = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  error = ioctl(plain, SIOCGIFHWADDR, &request) == 0 ? 0 : errno;
  close(plain);
  memcpy(&port->target, peer, 6);
  memcpy(&port->source, request.ifr_hwaddr.sa_data, 6);
  refill(forwarder, port);
  return error;
}

static int open_all(struct forwarder *forwarder, cf_rig *rig, const char *near, const char *far,
                    const uint8_t *near_peer, const uint8_t *far_peer, char *message) {
  int error = open_memory(forwarder);
  if (error)
    return cf_fail(message, "register frame memory", error);
  error = open_port(forwarder, &forwarder->ports[0], near, near_peer);
  if (error == 0)
    error = open_port(forwarder, &forwarder->ports[1], far, far_peer);
  if (error)
    return cf_fail(message, "bind an AF_XDP socket", error);
  int map = bpf_object__find_map_fd_by_name(rig->object, "bench_sockets");
  for (uint32_t key = 0; key < 2; key++)
    if (bpf_map_update_elem(map, &key, &forwarder->ports[key].descriptor, BPF_ANY))
      return cf_fail(message, "enter the socket into the map", errno);
  return 0;
}

/* The memory and the sockets go with the process. */
static void run_child(cf_forwarder *shared, cf_rig *rig, const char *network_namespace, const char *near,
                      const char *far, const uint8_t *near_peer, const uint8_t *far_peer, int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)setsid();
  (void)sched_setaffinity(0, sizeof cores, &cores);
  static struct forwarder forwarder;
  forwarder.shared = shared;
  int error = cf_enter(network_namespace) < 0 ? cf_fail(shared->message, "enter the namespace", errno) : 0;
  if (error == 0)
    error = open_all(&forwarder, rig, near, far, near_peer, far_peer, shared->message);
  shared->state = error ? FAILED : RUNNING;
  if (error == 0)
    loop(&forwarder);
  _exit(error != 0);
}

cf_forwarder *cf_forwarder_start(cf_rig *rig, const char *network_namespace, const char *near, const char *far,
                                 const uint8_t *near_peer, const uint8_t *far_peer, int core, char *message) {
  cf_forwarder *forwarder = mmap(NULL, sizeof *forwarder, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (forwarder == MAP_FAILED) {
    cf_fail(message, "map memory", errno);
    return NULL;
  }
  forwarder->wake = eventfd(0, EFD_CLOEXEC);
  pid_t process = fork();
  if (process == 0)
    run_child(forwarder, rig, network_namespace, near, far, near_peer, far_peer, core);
  forwarder->process = process;
  for (int i = 0; i < 5000 && forwarder->process > 0 && forwarder->state == STARTING; i++)
    usleep(1000);
  if (forwarder->state == RUNNING)
    return forwarder;
  if (forwarder->state == FAILED)
    memcpy(message, forwarder->message, CF_MESSAGE_BYTES);
  else
    cf_fail(message, "start the forwarder", ETIMEDOUT);
  cf_forwarder_stop(forwarder);
  return NULL;
}

struct cf_forwarder_counters cf_forwarder_read(const cf_forwarder *forwarder) { return forwarder->counters; }

pid_t cf_forwarder_process(const cf_forwarder *forwarder) { return forwarder->process; }

void cf_forwarder_stop(cf_forwarder *forwarder) {
  uint64_t one = 1;
  forwarder->is_stopped = true;
  (void)!write(forwarder->wake, &one, sizeof one);
  for (int i = 0; forwarder->process > 0 && waitpid(forwarder->process, NULL, WNOHANG) == 0; i++) {
    if (i == 2000)
      kill(forwarder->process, SIGKILL);
    usleep(1000);
  }
  close(forwarder->wake);
  munmap(forwarder, sizeof *forwarder);
}
