/* SPDX-License-Identifier: Apache-2.0 */
/* What the Swift importer cannot see, one topic a header; static inline, no state. */
#ifndef LBD_SHIMS_H
#define LBD_SHIMS_H
#include "../../../bpf/lb_shared.h"
#include "shim_bpf.h"
#include "shim_errno.h"
#include "shim_memory.h"
#include "shim_netlink.h"
#include "shim_packet.h"
#include "shim_process.h"
#include "shim_thread.h"
#include "shim_tun.h"
#include "shim_unix.h"
#include "shim_wait.h"
#include "shim_xdp.h"
#endif
