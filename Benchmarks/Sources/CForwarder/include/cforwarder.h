/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the wire measurement that are C: the BPF programs of a rig and their counters, the load generator, and the
 * forwarder that does nothing, each on one core in the network namespace it is told.
 *
 * Functions return 0 or an errno, and say in `message` which step failed.
 */
#ifndef CFORWARDER_H
#define CFORWARDER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "wire_plan.h"
#pragma clang assume_nonnull begin

#define CF_MESSAGE_BYTES 200

/* ---- The programs of one rig -------------------------------------------------------------- */

typedef struct cf_rig cf_rig;

cf_rig *_Nullable cf_rig_open(const char *object_path, char *message);
void cf_rig_close(cf_rig *rig);
/* Attaches a program by name, natively, for as long as the rig is open. */
int cf_rig_attach(cf_rig *rig, const char *program, const char *network_namespace, const char *interface,
                  char *message);
/* Index of an interface of a namespace, 0 when there is none. */
unsigned cf_interface_index(const char *network_namespace, const char *interface);
/* WIRE_SEEN_..., summed over the cores. */
uint64_t cf_rig_seen(const cf_rig *rig, uint32_t counter);

/* ---- The generator ------------------------------------------------------------------------- */

typedef struct cf_generator cf_generator;

/* Starts generating as planned, on a core, until it is stopped. */
cf_generator *_Nullable cf_generator_start(cf_rig *rig, const char *network_namespace, int core,
                                           const struct wire_plan *plan, char *message);
/* Frames sent so far. */
uint64_t cf_generator_count(const cf_generator *generator);
uint64_t cf_generator_cpu_ns(const cf_generator *generator);
/* Stops and frees it; 0, or the errno that ended it early. */
int cf_generator_stop(cf_generator *generator);

/* ---- The forwarder that does nothing --------------------------------------------------------- */

typedef struct cf_forwarder cf_forwarder;

struct cf_forwarder_counters {
  uint64_t received;
  uint64_t sent;
  uint64_t kicks;
  uint64_t sleeps;
  uint64_t transmit_ring_full;
  uint64_t missed; /* for want of a frame or a ring entry, as the kernel counted */
};

/* Between two interfaces of a namespace, both ways; what arrives at one leaves by the other to the given address. */
cf_forwarder *_Nullable cf_forwarder_start(cf_rig *rig, const char *network_namespace, const char *near,
                                           const char *far, const uint8_t *near_peer, const uint8_t *far_peer,
                                           int core, char *message);
/* As of its last sleep. */
struct cf_forwarder_counters cf_forwarder_read(const cf_forwarder *forwarder);
pid_t cf_forwarder_process(const cf_forwarder *forwarder);
void cf_forwarder_stop(cf_forwarder *forwarder);

/* ---- Another process ------------------------------------------------------------------------- */

/* CPU time of all its threads; 0 when it is gone. */
uint64_t cf_process_cpu_ns(pid_t process);
/* Opens a counter of how often a thread enters a system call, by the number of its tracepoint; -1 when that is not
 * allowed. */
int cf_calls_open(pid_t thread, uint64_t tracepoint);
uint64_t cf_calls_read(int descriptor);

/* ---- Ctrl-C ---------------------------------------------------------------------------------- */

/* Has SIGINT, SIGTERM and SIGHUP set a flag instead of ending the process. */
void cf_catch_signals(void);
bool cf_is_interrupted(void);

#pragma clang assume_nonnull end
#endif
