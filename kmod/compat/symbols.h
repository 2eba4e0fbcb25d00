/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel functions and data that exist but are not exported, looked up once at load. A missing required symbol refuses the load; a
 * missing optional one switches off what needs it, and the log says so.
 */
#ifndef BPFCOMPAT_COMPAT_SYMBOLS_H
#define BPFCOMPAT_COMPAT_SYMBOLS_H

#include "attach_symbols.h"

/*
 * FN(return type, name, (arguments), what needs it) and DATA(type of the symbol, name, what needs it): a NULL pointer where the kernel
 * has none. Both are optional; REQUIRED_* refuse the load. Types must be known to this header's includers (compat.h).
 * QUIET: what is needed is there under another name on some kernels, so its absence is no news.
 */
#define BC_SYMBOLS(REQUIRED_FN, FN, QUIET_FN, DATA, QUIET_DATA) \
	QUIET_FN(void *, module_alloc, (unsigned long size), "generated code near the kernel") \
	FN(int, set_memory_ro, (unsigned long addr, int pages), "generated code") \
	FN(int, set_memory_rw, (unsigned long addr, int pages), "generated code") \
	FN(int, set_memory_x, (unsigned long addr, int pages), "generated code") \
	FN(int, set_memory_nx, (unsigned long addr, int pages), "generated code") \
	QUIET_FN(void, bpf_ksym_add, (struct bpf_ksym *ksym), "names of generated code") \
	QUIET_FN(void, bpf_ksym_del, (struct bpf_ksym *ksym), "names of generated code") \
	QUIET_FN(void, perf_event_ksymbol, (u16 type, u64 addr, u32 len, bool unregister, const char *name), "names of generated code in perf") \
	BC_ATTACH_SYMBOLS(FN, QUIET_FN, DATA, QUIET_DATA) \
	QUIET_FN(int, access_process_vm, (struct task_struct *task, unsigned long addr, void *buf, int len, unsigned int flags), \
		 "bpf_copy_from_user_task") \
	QUIET_FN(bool, nmi_uaccess_okay, (void), "access to the memory of the current task") \
	QUIET_FN(int, get_securelevel, (void), "detecting RHEL's securelevel") \
	QUIET_FN(bool, ns_match, (const struct ns_common *ns, dev_t dev, ino_t ino), "bpf_get_ns_current_pid_tgid") \
	QUIET_FN(int, perf_event_read_local, (struct perf_event *event, u64 *value, u64 *enabled, u64 *running), "bpf_perf_event_read") \
	FN(struct pid *, find_ge_pid, (int nr, struct pid_namespace *ns), "iterators over tasks") \
	QUIET_FN(struct pid *, pidfd_get_pid, (unsigned int fd, unsigned int *flags), "iterators over the tasks of a pidfd") \
	QUIET_FN(unsigned int, stack_trace_save_tsk, (struct task_struct *task, unsigned long *store, unsigned int size, unsigned int skip), \
		 "bpf_get_task_stack") \
	QUIET_FN(void, save_stack_trace_tsk, (struct task_struct *task, struct stack_trace *trace), "bpf_get_task_stack") \
	QUIET_FN(bool, kallsyms_show_value, (const struct cred *cred), "iterators over symbols, for those who must not see addresses") \
	QUIET_DATA(seqcount_t, timekeeper_seq, "precise time in probes of the time-keeping code") \
	QUIET_FN(unsigned int, stack_trace_save_regs, (struct pt_regs *regs, unsigned long *store, unsigned int size, unsigned int skip), \
		 "stacks of events") \
	QUIET_FN(void, save_stack_trace_regs, (struct pt_regs *regs, struct stack_trace *trace), "stacks of events") \
	QUIET_FN(u64, __sock_gen_cookie, (struct sock *sk), "cookies of sockets") \
	QUIET_FN(u64, sock_gen_cookie, (struct sock *sk), "cookies of sockets") \
	QUIET_FN(int, __cookie_v4_check, (const struct iphdr *iph, const struct tcphdr *th, u32 cookie), "SYN cookies") \
	QUIET_FN(int, __cookie_v6_check, (const struct ipv6hdr *iph, const struct tcphdr *th, u32 cookie), "SYN cookies") \
	QUIET_FN(u32, __cookie_v4_init_sequence, (const struct iphdr *iph, const struct tcphdr *th, u16 *mss), "SYN cookies") \
	QUIET_FN(u32, __cookie_v6_init_sequence, (const struct ipv6hdr *iph, const struct tcphdr *th, u16 *mss), "SYN cookies") \
	QUIET_FN(u16, tcp_v4_get_syncookie, (struct sock *sk, struct iphdr *iph, struct tcphdr *th, u32 *cookie), "SYN cookies") \
	QUIET_FN(u16, tcp_v6_get_syncookie, (struct sock *sk, struct ipv6hdr *iph, struct tcphdr *th, u32 *cookie), "SYN cookies") \
	QUIET_FN(u64, bpf_xdp_fib_lookup, (u64 ctx, u64 params, u64 size, u64 flags, u64 unused), "bpf_fib_lookup") \
	QUIET_FN(struct fib_table *, fib_get_table, (struct net *net, u32 id), "bpf_fib_lookup in one table") \
	QUIET_FN(void, fib_select_multipath, (struct fib_result *res), "bpf_fib_lookup over several paths") \
	QUIET_FN(struct fib6_table *, fib6_get_table, (struct net *net, u32 id), "bpf_fib_lookup in one table") \
	QUIET_FN(struct rt6_info *, ip6_pol_route_lookup, (struct net *net, struct fib6_table *table, struct flowi6 *fl6, int flags), \
		 "bpf_fib_lookup in one table") \
	QUIET_FN(u64, bpf_sk_setsockopt, (u64 sk, u64 level, u64 optname, u64 optval, u64 optlen), "bpf_setsockopt") \
	QUIET_FN(u64, bpf_sk_getsockopt, (u64 sk, u64 level, u64 optname, u64 optval, u64 optlen), "bpf_getsockopt") \
	QUIET_FN(struct mptcp_sock *, bpf_mptcp_sock_from_subflow, (struct sock *sk), "bpf_skc_to_mptcp_sock") \
	QUIET_FN(struct cgroup *, cgroup_v1v2_get_from_fd, (int fd), "iterators over cgroups") \
	QUIET_FN(struct cgroup_subsys_state *, css_next_descendant_post, \
		 (struct cgroup_subsys_state *pos, struct cgroup_subsys_state *root), "iterators over cgroups") \
	QUIET_DATA(struct mutex, cgroup_mutex, "iterators over cgroups") \
	QUIET_FN(void, cgroup_rstat_updated, (struct cgroup *cgrp, int cpu), "statistics of cgroups") \
	QUIET_FN(void, cgroup_rstat_flush_irqsafe, (struct cgroup *cgrp), "statistics of cgroups") \
	QUIET_DATA(raw_spinlock_t, cgroup_rstat_cpu_lock, "statistics of cgroups") \
	QUIET_DATA(char, __start_notes, "the kernel's build id") \
	QUIET_DATA(char, __start_BTF, "the kernel's own BTF") \
	QUIET_DATA(char, __stop_BTF, "the kernel's own BTF") \
	QUIET_DATA(char, __stop_notes, "the kernel's build id")

struct bpf_ksym;
struct cgroup;
struct cgroup_subsys_state;
struct cred;
struct fib6_table;
struct fib_result;
struct fib_table;
struct flowi6;
struct iphdr;
struct ipv6hdr;
struct mptcp_sock;
struct net;
struct ns_common;
struct pid;
struct pid_namespace;
struct rt6_info;
struct sock;
struct stack_trace;
struct tcphdr;

#define BC_SYM_FN(ret, name, args, why) ret (*name) args;
#define BC_SYM_DATA(type, name, why) type *name;
struct bc_symbols {
	BC_SYMBOLS(BC_SYM_FN, BC_SYM_FN, BC_SYM_FN, BC_SYM_DATA, BC_SYM_DATA)
};
#undef BC_SYM_FN
#undef BC_SYM_DATA

extern struct bc_symbols bc_sym;

/* Address of any kernel symbol by name, 0 when there is none. Process context. */
unsigned long bc_lookup_symbol(const char *name);

/* Keeps the module that @addr is in, NULL for the kernel's own. False: it is going now. */
bool bc_pin_module(unsigned long addr, struct module **owner);

int bc_symbols_init(void);

#endif
