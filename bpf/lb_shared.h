/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layouts that the BPF programs and the Swift side both use. Everything here is plain integers
 * in fixed places; each layout is asserted on both sides. Include <stdint.h>-like types first
 * (vmlinux or linux/types.h in BPF, CShims.h in user space).
 */
#ifndef LB_SHARED_H
#define LB_SHARED_H

#include <linux/types.h>

/* ---- What is ours: the key of the `lb_ours` map --------------------------------------------
 * IPv4 addresses are stored IPv4-mapped (::ffff:a.b.c.d), so one map serves both families.
 * Addresses and ports are in network byte order, as they stand in the packet. */
struct lb_ours_key {
  __u8 address[16];
  __be16 port;    /* 0: any port (see lb_ours_value.flags) */
  __u8 protocol;  /* IPPROTO_TCP, IPPROTO_UDP; 0: the address itself, any protocol */
  __u8 side;      /* LB_SIDE_* : which end of the packet the address is compared with */
};

#define LB_SIDE_DESTINATION 0 /* VIP:port, VIP:0, local address */
#define LB_SIDE_SOURCE 1      /* NAT and FULLNAT real server answering: source address:port */

/* The value says what a hit means. An entry with protocol 0 and port 0 exists for every address
 * that occurs in another entry of the same side: it is what fragments without ports and quoted
 * headers of ICMP errors are matched with, and it carries the range of local ports. */
struct lb_ours_value {
  __u32 flags; /* LB_OURS_* */
  __u16 port_first; /* host byte order; local ports of a FULLNAT address, inclusive */
  __u16 port_last;
};

#define LB_OURS_ENDPOINT 1u    /* exact address:port: to the socket */
#define LB_OURS_ANY_PORT 2u    /* VIP:0 for this protocol: to the socket */
#define LB_OURS_FRAGMENTS 4u   /* fragments (without ports) with this address: to the socket */
#define LB_OURS_LOCAL_PORTS 8u /* destination port within [port_first, port_last]: to the socket */
#define LB_OURS_TUNNEL 16u     /* of a real server: ICMP errors about tunnel packets to this address: to the socket */

#define LB_OURS_MAX_ENTRIES 262144

_Static_assert(sizeof(struct lb_ours_key) == 20, "lb_ours_key layout");
_Static_assert(sizeof(struct lb_ours_value) == 8, "lb_ours_value layout");

/* ---- Counters of the XDP program: indices into the per-CPU array `lb_counters` ---------------- */
/* ---- The `lb_host` array: answers of real servers that are the host itself ------------------- */
#define LB_HOST_DEVICE 0   /* index of the TUN device */
#define LB_HOST_DEADLINE 1 /* CLOCK_MONOTONIC in ns; later on they are left alone */
#define LB_HOST_COUNT 2

#define LB_COUNTER_REDIRECTED 0 /* handed to an AF_XDP socket */
#define LB_COUNTER_PASSED 1     /* left to the kernel */
#define LB_COUNTER_ORPHANED 2   /* ours, but no socket is bound to the queue: dropped, so that the host's own
                                   stack does not reset connections while lbd is away */
#define LB_COUNTER_COUNT 3

/* ---- Addresses as keys of other maps; in packet order, IPv4-mapped ----------------------------- */
struct lb_address {
  __be32 words[4];
};

/* A key of a longest-prefix map: the kernel wants the length first, in host byte order. An IPv4 prefix of
 * n bits has 96 + n here. */
struct lb_prefix {
  __u32 bit_count;
  struct lb_address address;
};

#define LB_TUNNEL_MAX_ENDPOINTS 1024
#define LB_TUNNEL_MAX_PORTS 64
#define LB_TOA_MAX_DIRECTORS 1024

_Static_assert(sizeof(struct lb_address) == 16, "lb_address layout");
_Static_assert(sizeof(struct lb_prefix) == 20, "lb_prefix layout");

/* ---- Queues: `lb_sockets` is an XSKMAP indexed by the receive queue ------------------------- */
#define LB_MAX_QUEUES 256

/* ---- The connection table ------------------------------------------------------------------
 * A line is 64 bytes. An IPv4 slot is two 64-bit words (key, value), four to a line; an IPv6 slot is
 * four words (ports and generation, address, address, value), two to a line. Key word 0 = empty.
 *
 *   IPv4 key   client address << 32 | client port << 16 | endpoint
 *   IPv6 word0 generation << 32 | client port << 16 | endpoint;  word1, word2 the client address
 *   value      see LB_VALUE_* below
 *
 * Numbers are in host byte order (address 10.0.0.1 is 0x0a000001). */
#define LB_LINE_BYTES 64
#define LB_KEY_RESERVED 0x10000ull /* a slot being filled; endpoint 0 never matches */
#define LB_ENDPOINT_CONTINUATION 0xffffull /* second slot of a FULLNAT reply entry */

#define LB_VALUE_SERVER_SHIFT 0         /* 16 bits: real server index */
#define LB_VALUE_LOCAL_PORT_SHIFT 16    /* 16 bits: FULLNAT local port */
#define LB_VALUE_LOCAL_ADDRESS_SHIFT 32 /* 6 bits: index into the service's local addresses; else: mask of its template */
#define LB_VALUE_STATE_SHIFT 38         /* 4 bits: protocol state, IPVS numbering */
#define LB_VALUE_NO_OUTPUT_SHIFT 42     /* 1 bit: no reply seen yet */
#define LB_VALUE_CONTROLLED_SHIFT 43    /* 1 bit: controlled by a template */
#define LB_VALUE_OVERFLOW_SHIFT 44      /* 2 bits, of the LINE, in slot 0: an entry had to go further on */
#define LB_VALUE_COARSE_SHIFT 46        /* 1 bit: tick counts 32 s units instead of 0.5 s */
#define LB_VALUE_TICK_SHIFT 47          /* 17 bits: time of the last packet */

#endif
