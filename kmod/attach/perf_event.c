// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs of type PERF_EVENT: run on each sample of a software or hardware event, in whatever context that comes, NMI included. The
 * sample goes on to the event's own handler when the program returns something other than 0.
 */
#include "attach.h"

/* What the program sees: struct bpf_perf_event_data of the user's side, one per CPU, since the guard is. */
struct sample_ctx {
	struct pt_regs regs;
	u64 sample_period;
	u64 addr;
};
static DEFINE_PER_CPU(struct sample_ctx, sample_ctx);

static u32 run(struct bc_attachment *at, struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs)
{
	struct sample_ctx *ctx;
	struct bc_prog *prog;
	struct bc_run *this_run;
	u32 ret = 1;

	if (!bc_run_begin()) {
		/* perf has preemption off here */
		prog = READ_ONCE(at->prog);
		if (prog)
			bc_prog_count_miss(prog);
		return 0;
	}
	prog = READ_ONCE(at->prog);
	if (prog) {
		ctx = this_cpu_ptr(&sample_ctx);
		ctx->regs = *regs;
		ctx->sample_period = data->period;
		ctx->addr = bc_sample_addr(data);
		this_run = bc_this_run();
		this_run->regs = regs;
		this_run->func_ip = 0;
		this_run->cookie = at->cookie;
		this_run->event = event;
		this_run->event_data = data;
		ret = bc_prog_run(prog, ctx);
	}
	bc_run_end();
	return ret;
}

void bc_pass_on_sample(struct bc_attachment *at, struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs)
{
	if (at->overflow)
		at->overflow(event, data, regs);
	else
		bc_perf_sample_output(event, data, regs);
}

void bc_take_over_samples(struct bc_attachment *at, perf_overflow_handler_t handler)
{
	struct perf_event *event = at->event;

	if (event->overflow_handler_context)
		return;
	at->overflow = event->overflow_handler;
	event->overflow_handler_context = at;
	smp_store_release(&event->overflow_handler, handler);
}

static void on_sample(struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs)
{
	struct bc_attachment *at = event->overflow_handler_context;

	if (run(at, event, data, regs))
		bc_pass_on_sample(at, event, data, regs);
}

int bc_sample_attach(struct bc_attachment *at, struct bc_prog *prog, u64 cookie)
{
	struct perf_event *event = at->event;

	if (event->overflow_handler_context && event->overflow_handler_context != at)
		return -EINVAL;		/* a breakpoint's or the kernel's own */
	if (at->prog)
		return -EEXIST;
	if (prog->type != BPF_PROG_TYPE_PERF_EVENT)
		return -EINVAL;
	if (event->attr.precise_ip && prog->v.calls_get_stack &&
	    (!(event->attr.sample_type & PERF_SAMPLE_CALLCHAIN) || event->attr.exclude_callchain_kernel ||
	     event->attr.exclude_callchain_user))
		return -EPROTO;
	bc_prog_get(prog);
	at->cookie = cookie;
	smp_store_release(&at->prog, prog);
	bc_take_over_samples(at, on_sample);
	return 0;
}
