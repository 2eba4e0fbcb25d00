/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How whoever runs a program must lay out its context: the struct that the program was written against comes first, as it stands in Linux's
 * uapi. The packet pointers are 32-bit fields there; fix-up turns loads of them into 64-bit loads of the fields that follow the struct here.
 * Contexts without packet pointers (pt_regs, tracepoint records, raw tracepoint arguments, bpf_perf_event_data, bpf_sock) have nothing more.
 */
#ifndef BPFCOMPAT_CTX_H
#define BPFCOMPAT_CTX_H

#include "port.h"

struct bc_pkt_ptrs {
	u64 data;		/* addresses: first byte of the packet, past its last byte, first byte of its metadata */
	u64 data_end;
	u64 data_meta;
};

/* Negative offsets of LD_ABS and LD_IND (Linux: SKF_NET_OFF, SKF_LL_OFF): from the network header, and below these from the link layer's. */
#define BC_PKT_NEGATIVE	0x100000

struct bc_skb_ctx {
	struct __sk_buff user;
	struct bc_pkt_ptrs pkt;
	u64 network, link;	/* addresses of the headers, both before data_end */
	void *host;		/* the runner's own */
};

struct bc_xdp_ctx {
	struct xdp_md user;
	struct bc_pkt_ptrs pkt;
	void *host;
};

#define BC_PT_REGS_BYTES	168	/* struct pt_regs of x86-64; kprobe programs see all of it */
#define BC_MAX_TRACE_BYTES	2048	/* Linux: PERF_MAX_TRACE_SIZE */
#define BC_MAX_FUNC_ARGS	12	/* Linux: MAX_BPF_FUNC_ARGS: u64 words of a raw tracepoint's context */

/* bpf_perf_event_data on x86-64: the registers, then two numbers. */
struct bc_perf_event_data {
	u64 regs[BC_PT_REGS_BYTES / 8];
	u64 sample_period;
	u64 addr;
};

#endif
