/* SPDX-License-Identifier: Apache-2.0 */
/* What the BPF generator is told and what it keeps between frames; both sides read it. */
#ifndef WIRE_PLAN_H
#define WIRE_PLAN_H
#include <linux/types.h>

#define WIRE_FRAME_BYTES 60
#define WIRE_TCP_SYN 0x02
#define WIRE_TCP_ACK 0x10

struct wire_plan {
  __u32 interface_index; /* frames are redirected to it */
  __u32 flows;
  __u64 interval_ns; /* between two frames; 0: as fast as it goes */
  __u64 limit;       /* frames in all, flows in order; 0: no limit, flows at random */
  __u32 destination; /* host byte order */
  __u16 port;        /* host byte order */
  __u8 tcp_flags;
  __u8 target[6];
  __u8 source[6];
  __u8 unused[3];
};

struct wire_progress {
  __u64 count;
  __u64 next_ns;
  __u64 random;
};

#define WIRE_SEEN_PACKETS 0
#define WIRE_SEEN_BYTES 1
#define WIRE_SEEN_OTHER 2
#define WIRE_SEEN_COUNT 3

#endif
