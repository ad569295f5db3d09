/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP state machine as lbd has it, made into two tables by a packet's "segment" (its direction and TCP flags) and a
 * connection's "situation" (its state, and whether replies are seen). One bit tells whether a packet leaves its
 * connection's state as it is: nearly all do, and then the other table is not needed.
 */
#ifndef CREFERENCE_STATE_H
#define CREFERENCE_STATE_H

#include "memory.h"

#define STATES 11
#define EVENTS 5

/* Segments: the flags of requests, the flags of replies, UDP in either direction. */
#define SEGMENT_FLAGS 0x1f
#define SEGMENT_REPLY 32
#define SEGMENT_UDP 64
#define SEGMENTS 128
/* Situations: state, and above it the "no output" bit, as they stand in a connection's value. */
#define SITUATION_STATE 0xf
#define SITUATION_NO_OUTPUT 0x10
#define SITUATIONS 32

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

enum { NO, ES, SS, SR, FW, TW, CL, CW, LA, LI, SA };

/* Rows: SYN, FIN, ACK, RST, none of them. */
static const uint8_t transitions[3][EVENTS][STATES] = {
    /* Requests. */
    {{SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR},
     {CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW},
     {ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES},
     {CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR},
     {CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL}},
    /* Requests of a connection whose replies are not seen. */
    {{SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR},
     {CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW},
     {ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES},
     {CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL},
     {CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL}},
    /* Replies. */
    {{SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR},
     {TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW},
     {ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES},
     {CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL},
     {CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL}},
};

struct states {
  /* By segment, a bit for each situation that stays as it is. That of a dead entry never does. */
  uint32_t steady[SEGMENTS];
  uint8_t next[SEGMENTS][SITUATIONS];
  /* Half seconds by state: TCP's 16, then UDP's. */
  uint32_t timeouts[32];
};

INLINE unsigned timeout_index(unsigned segment, unsigned state) {
  return (segment & SEGMENT_UDP) / (SEGMENT_UDP / 16) | state;
}

static unsigned event_of(unsigned flags) {
  if (flags & TCP_RST)
    return 3;
  if (flags & TCP_SYN)
    return 0;
  if (flags & TCP_FIN)
    return 1;
  return flags & TCP_ACK ? 2 : 4;
}

static void make_states(struct states *states) {
  static const uint32_t seconds[STATES] = {2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120};
  memset(states, 0, sizeof *states);
  for (unsigned segment = 0; segment < SEGMENTS; segment++) {
    for (unsigned situation = 0; situation < SITUATIONS; situation++) {
      unsigned state = situation & SITUATION_STATE, row = situation & SITUATION_NO_OUTPUT ? 1 : 0, next = CL;
      if (segment & SEGMENT_REPLY)
        row = 2;
      if (segment & SEGMENT_UDP)
        next = state;
      else if (state < STATES)
        next = transitions[row][event_of(segment & SEGMENT_FLAGS)][state];
      states->next[segment][situation] = (uint8_t)next;
      if (next == state && state != SITUATION_STATE)
        states->steady[segment] |= 1u << situation;
    }
  }
  for (unsigned state = 0; state < STATES; state++)
    states->timeouts[state] = seconds[state] * 2;
  for (unsigned state = 0; state < 16; state++)
    states->timeouts[16 + state] = 300 * 2;
}

/* ESTABLISHED, SYN_SENT, SYN_RECV, SYNACK; no state of UDP. */
INLINE bool is_active(unsigned segment, unsigned state) {
  return (segment & SEGMENT_UDP) == 0 && (0x40eu >> state & 1) != 0;
}

#endif
