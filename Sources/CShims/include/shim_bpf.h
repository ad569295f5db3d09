/* SPDX-License-Identifier: Apache-2.0 */
/* libbpf calls whose option structures are made by macros (LIBBPF_OPTS), or whose kernel structures are unions. Results
 * are libbpf's: negative error numbers. */
#ifndef LBD_SHIM_BPF_H
#define LBD_SHIM_BPF_H
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#pragma clang assume_nonnull begin

/* A message in memory of its own (free), as vasprintf makes it; that one needs _GNU_SOURCE. */
static inline char *_Nullable lbd_format(const char *format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  int count = vsnprintf(NULL, 0, format, again);
  va_end(again);
  char *text = count < 0 ? NULL : (char *)malloc((size_t)count + 1);
  if (text != NULL)
    vsnprintf(text, (size_t)count + 1, format, arguments);
  return text;
}

/* ---- Objects ------------------------------------------------------------------------------------- */

/* NULL and errno on failure. */
static inline struct bpf_object *_Nullable lbd_bpf_open(const void *bytes, size_t byte_count, const char *name) {
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);
  return bpf_object__open_mem(bytes, byte_count, &options);
}

/* What a program is called (cut to 15 characters by the kernel) and its id. */
static inline int lbd_bpf_program_info(int program, uint32_t *id, char *name, size_t name_size) {
  struct bpf_prog_info info;
  uint32_t size = sizeof(info);
  memset(&info, 0, sizeof(info));
  int result = bpf_obj_get_info_by_fd(program, &info, &size);
  if (result != 0)
    return result;
  *id = info.id;
  strncpy(name, info.name, name_size - 1);
  name[name_size - 1] = 0;
  return 0;
}

/* Runs a program over one packet; *output_size goes in as room and comes back as length. */
static inline int lbd_bpf_test_run(int program, const void *packet, uint32_t packet_size, void *_Nullable output,
                                   uint32_t *output_size, uint32_t *verdict) {
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = packet_size, .data_out = output,
              .data_size_out = output ? *output_size : 0, .repeat = 1);
  int result = bpf_prog_test_run_opts(program, &options);
  *output_size = options.data_size_out;
  *verdict = options.retval;
  return result;
}

/* ---- XDP ----------------------------------------------------------------------------------------- */

/* Attaches `program` in place of `old_program`, or detaches the latter when `program` is -1. With an old program the
 * kernel refuses (EEXIST) if it is another one by then; -1 asks for no such check. */
static inline int lbd_xdp_attach(int interface_index, int program, uint32_t flags, int old_program) {
  LIBBPF_OPTS(bpf_xdp_attach_opts, options);
  if (old_program >= 0)
    options.old_prog_fd = old_program;
  return bpf_xdp_attach(interface_index, program, flags, &options);
}

struct lbd_xdp_programs {
  uint32_t native; /* ids, 0: none */
  uint32_t generic;
  uint32_t offloaded;
};

static inline int lbd_xdp_query(int interface_index, struct lbd_xdp_programs *programs) {
  LIBBPF_OPTS(bpf_xdp_query_opts, options);
  int result = bpf_xdp_query(interface_index, 0, &options);
  if (result != 0)
    return result;
  programs->native = options.drv_prog_id;
  programs->generic = options.skb_prog_id;
  programs->offloaded = options.hw_prog_id;
  return 0;
}

/* The interface's MTU, or -1 and errno. */
static inline int lbd_interface_mtu(const char *interface_name) {
  struct ifreq request;
  memset(&request, 0, sizeof(request));
  strncpy(request.ifr_name, interface_name, IFNAMSIZ - 1);
  int file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (file < 0)
    return -1;
  int result = ioctl(file, SIOCGIFMTU, &request);
  close(file);
  return result < 0 ? -1 : request.ifr_mtu;
}

/* ---- Traffic control ----------------------------------------------------------------------------- */

static inline int lbd_tc_create_hook(int interface_index) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = interface_index, .attach_point = BPF_TC_INGRESS);
  return bpf_tc_hook_create(&hook);
}

/* Takes the whole clsact qdisc away, with every filter on it. */
static inline int lbd_tc_destroy_hook(int interface_index) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = interface_index,
              .attach_point = (enum bpf_tc_attach_point)(BPF_TC_INGRESS | BPF_TC_EGRESS));
  return bpf_tc_hook_destroy(&hook);
}

static inline int lbd_tc_attach(int interface_index, bool egress, int program, uint32_t handle, uint32_t priority) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = interface_index,
              .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .flags = BPF_TC_F_REPLACE, .handle = handle,
              .priority = priority);
  return bpf_tc_attach(&hook, &options);
}

/* The id of the program attached there; -ENOENT: none. */
static inline int lbd_tc_query(int interface_index, bool egress, uint32_t handle, uint32_t priority, uint32_t *id) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = interface_index,
              .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = priority);
  int result = bpf_tc_query(&hook, &options);
  *id = options.prog_id;
  return result;
}

static inline int lbd_tc_detach(int interface_index, bool egress, uint32_t handle, uint32_t priority) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = interface_index,
              .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = priority);
  return bpf_tc_detach(&hook, &options);
}

#pragma clang assume_nonnull end
#endif
