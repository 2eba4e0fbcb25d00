/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The unexported symbols that attachment needs: rows of the table in symbols.h.
 */
#ifndef BPFCOMPAT_COMPAT_ATTACH_SYMBOLS_H
#define BPFCOMPAT_COMPAT_ATTACH_SYMBOLS_H

struct bpf_prog;
struct kprobe;
struct kprobe_ctlblk;
struct kretprobe_instance;
struct module;
struct pmu;
struct perf_event;
struct perf_event_header;
struct perf_output_handle;
struct perf_sample_data;
struct task_struct;
struct tracepoint;
#ifdef HAVE_LINUX_TRACE_EVENTS_H
struct trace_event_call;
#define BC_TRACE_EVENT_CALL struct trace_event_call
#else
struct ftrace_event_call;
#define BC_TRACE_EVENT_CALL struct ftrace_event_call
#endif

#ifdef HAVE_PERF_EVENT_OUTPUT_INT
#define BC_PERF_EVENT_OUTPUT_RET int
#else
#define BC_PERF_EVENT_OUTPUT_RET void
#endif

/* perf_output_begin() is called only where there is no perf_event_output(): newer ones take other arguments. */
#define BC_ATTACH_SYMBOLS(FN, QUIET_FN, DATA, QUIET_DATA) \
	DATA(const struct file_operations, perf_fops, "attaching to perf events") \
	QUIET_FN(struct module *, __module_address, (unsigned long addr), "keeping the module that an address is in") \
	QUIET_FN(int, perf_pmu_register, (struct pmu *pmu, const char *name, int type), "PMUs of our own") \
	QUIET_FN(void, perf_pmu_unregister, (struct pmu *pmu), "PMUs of our own") \
	QUIET_FN(int, perf_kprobe_init, (struct perf_event *event, bool is_retprobe), "telling whether perf has kprobes") \
	QUIET_FN(int, perf_uprobe_init, (void), "telling whether perf has uprobes") \
	QUIET_FN(BC_PERF_EVENT_OUTPUT_RET, perf_event_output, \
		 (struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs), "bpf_perf_event_output") \
	QUIET_FN(void, perf_prepare_sample, (struct perf_event_header *header, struct perf_sample_data *data, struct perf_event *event, \
		 struct pt_regs *regs), "bpf_perf_event_output") \
	QUIET_FN(void, perf_output_sample, (struct perf_output_handle *handle, struct perf_event_header *header, \
		 struct perf_sample_data *data, struct perf_event *event), "bpf_perf_event_output") \
	QUIET_FN(int, perf_output_begin, (struct perf_output_handle *handle, struct perf_event *event, unsigned int size), \
		 "bpf_perf_event_output") \
	QUIET_FN(void, perf_output_end, (struct perf_output_handle *handle), "bpf_perf_event_output") \
	QUIET_FN(int, perf_event_attach_bpf_prog, (struct perf_event *event, struct bpf_prog *prog, u64 cookie), "programs on trace events") \
	QUIET_FN(void, perf_event_detach_bpf_prog, (struct perf_event *event), "programs on trace events") \
	QUIET_FN(int, trace_event_get_offsets, (BC_TRACE_EVENT_CALL *call), "sizes of trace records") \
	QUIET_FN(int, trace_add_event_call, (BC_TRACE_EVENT_CALL *call), "trace events of execve, clone, fork") \
	QUIET_FN(int, trace_remove_event_call, (BC_TRACE_EVENT_CALL *call), "trace events of execve, clone, fork") \
	QUIET_FN(int, kprobe_register, (void), "programs on events of kprobe_events") \
	QUIET_FN(int, trace_uprobe_register, (void), "programs on events of uprobe_events") \
	QUIET_FN(int, kprobe_dispatcher, (struct kprobe *kp, struct pt_regs *regs), "finding the place of the kernel's own kprobes") \
	QUIET_FN(int, kretprobe_dispatcher, (struct kretprobe_instance *ri, struct pt_regs *regs), "finding the place of the kernel's own kprobes") \
	QUIET_FN(int, pre_handler_kretprobe, (void), "finding the place of the kernel's own kprobes") \
	QUIET_DATA(int, ftrace_enabled, "short ways from functions to kprobes") \
	QUIET_DATA(int, function_trace_stop, "seeing objects go, where the function tracer pauses") \
	QUIET_FN(unsigned long, ftrace_location, (unsigned long ip), "seeing objects go, where the function tracer pauses") \
	QUIET_DATA(char, ftrace_call, "short ways from functions to kprobes") \
	QUIET_DATA(char, ftrace_regs_call, "short ways from functions to kprobes") \
	QUIET_DATA(bool, kprobes_all_disarmed, "heeding the switch of all kprobes") \
	QUIET_DATA(struct mutex, kprobe_mutex, "heeding the switch of all kprobes") \
	QUIET_FN(struct kprobe *, get_kprobe, (void *addr), "heeding the switch of all kprobes") \
	QUIET_DATA(struct task_struct *, current_task, "telling whether addresses of per-CPU symbols are right") \
	QUIET_DATA(struct kprobe *, current_kprobe, "short ways from functions to kretprobes") \
	QUIET_DATA(struct kprobe_ctlblk, kprobe_ctlblk, "short ways from functions to kretprobes") \
	QUIET_DATA(char, return_to_handler, "short ways from functions to kretprobes") \
	QUIET_DATA(char, kretprobe_trampoline, "short ways from functions to kretprobes") \
	QUIET_DATA(char, __kprobes_text_start, "short ways from functions to kretprobes") \
	QUIET_DATA(char, __kprobes_text_end, "short ways from functions to kretprobes") \
	QUIET_FN(int, rcu_is_cpu_idle, (void), "programs on what the idle task calls") \
	QUIET_FN(bool, rcu_is_watching, (void), "programs on what the idle task calls") \
	QUIET_FN(void, rcu_irq_enter, (void), "programs on what the idle task calls") \
	QUIET_FN(void, rcu_irq_exit, (void), "programs on what the idle task calls") \
	QUIET_FN(int, bpf_get_kprobe_info, (const struct perf_event *event, u32 *fd_type, const char **symbol, u64 *probe_offset, \
		 u64 *probe_addr, bool perf_type_tracepoint), "BPF_TASK_FD_QUERY") \
	QUIET_FN(int, bpf_get_uprobe_info, (const struct perf_event *event, u32 *fd_type, const char **filename, u64 *probe_offset, \
		 u64 *probe_addr, bool perf_type_tracepoint), "BPF_TASK_FD_QUERY") \
	QUIET_DATA(char, __start__bpf_raw_tp, "arguments of raw tracepoints") \
	QUIET_DATA(char, __stop__bpf_raw_tp, "arguments of raw tracepoints")

#endif
