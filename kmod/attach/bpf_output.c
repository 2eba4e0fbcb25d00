// SPDX-License-Identifier: GPL-2.0-only
/*
 * The perf buffer: bpf_perf_event_output(), and where perf does not know PERF_COUNT_SW_BPF_OUTPUT, a PMU that answers it. An event of
 * type SOFTWARE that perf itself refuses is offered to every PMU in turn, so ours is asked; buffer, mmap and lost records are perf's.
 */
#include "attach.h"
#include "../compat/packet_read.h"
#include "../helpers/helpers.h"
#include "../maps/fd_array.h"

/* A record's length is 16 bits; this leaves room for what else a sample may hold beside the raw data. */
#define MAX_RAW_SIZE (64 * 1024 - 512)
/* What a perf without fragments has of @size bytes: with the word before them, whole ones of 64 bits. */
#define RAW_SIZE(size) (round_up((size) + sizeof(u32), sizeof(u64)) - sizeof(u32))

static DEFINE_PER_CPU(struct perf_sample_data, sample);	/* too big for the stack; inside the guard */
static DEFINE_PER_CPU(struct pt_regs, caller_regs);

struct pt_regs *bc_caller_regs(void)
{
	struct pt_regs *regs = this_cpu_ptr(&caller_regs);

	perf_fetch_caller_regs(regs);
	return regs;
}

#ifndef HAVE_PERF_RAW_FRAG

/*
 * Such a perf copies size bytes and wants (size + 4) % 8 == 0. What a program gives ends where it ends, maybe at the end of a page,
 * so other sizes go through a buffer: one for each CPU that has an output event, made when the event is opened.
 */
static void *pad_buffers[NR_CPUS];
static DEFINE_MUTEX(pad_mutex);

static int make_pad_buffer(int cpu)
{
	int err = 0;

	mutex_lock(&pad_mutex);
	if (!pad_buffers[cpu]) {
		void *buf = bc_alloc(NULL, MAX_RAW_SIZE + 8);

		if (buf)
			smp_store_release(&pad_buffers[cpu], buf);
		else
			err = -ENOMEM;
	}
	mutex_unlock(&pad_mutex);
	return err;
}

static int make_pad_buffers(const struct perf_event *event)
{
	int cpu, err = 0;

	if (event->cpu >= 0)
		return make_pad_buffer(event->cpu);
	for_each_possible_cpu(cpu)
		if (!err)
			err = make_pad_buffer(cpu);
	return err;
}

static void free_pad_buffers(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		bc_free(NULL, pad_buffers[cpu], MAX_RAW_SIZE + 8);
}

static const void *padded(const void *data, u64 *size)
{
	u64 full = RAW_SIZE(*size);
	u8 *buf;

	if (full == *size)
		return data;
	buf = smp_load_acquire(&pad_buffers[smp_processor_id()]);
	if (!buf)
		return NULL;
	memcpy(buf, data, *size);
	memset(buf + *size, 0, full - *size);
	*size = full;
	return buf;
}

#else

static int make_pad_buffers(const struct perf_event *event)
{
	return 0;
}

static void free_pad_buffers(void)
{
}

/* Fragments are padded by perf. */
static const void *padded(const void *data, u64 *size)
{
	return data;
}

#endif

static __always_inline int output(struct perf_event *event, struct pt_regs *regs, const void *data, u64 size)
{
	struct perf_sample_data *sd = this_cpu_ptr(&sample);
	struct perf_raw_record raw;

	if (size > MAX_RAW_SIZE)
		return -E2BIG;
	data = padded(data, &size);
	if (!data)
		return -ENOMEM;
	bc_sample_init_raw(sd, &raw, (void *)data, size);
	return bc_perf_sample_output(event, sd, regs);
}

/* The event that @flags choose, or an error. */
static __always_inline struct perf_event *event_of(struct bc_map *map, u64 flags)
{
	u64 index = flags & BPF_F_INDEX_MASK;
	int cpu = smp_processor_id();
	struct perf_event *event;

	if (index == BPF_F_CURRENT_CPU)
		index = cpu;
	if (index >= map->desc.max_entries)
		return ERR_PTR(-E2BIG);
	event = fd_array_event(map, index);
	if (!event)
		return ERR_PTR(-ENOENT);
	if (event->attr.type != PERF_TYPE_SOFTWARE || event->attr.config != BC_SW_BPF_OUTPUT)
		return ERR_PTR(-EINVAL);
	return event->oncpu != cpu ? ERR_PTR(-EOPNOTSUPP) : event;
}

static __always_inline struct pt_regs *regs_of_run(void)
{
	struct pt_regs *regs = bc_run_regs(bc_this_run());

	return regs ? regs : bc_caller_regs();
}

BC_HELPER(perf_event_output)
{
	struct perf_event *event;

	if (r3 & ~BPF_F_INDEX_MASK)
		return (s64)-EINVAL;
	event = event_of(bc_map_of((struct bc_map_desc *)r2), r3);
	return (s64)(IS_ERR(event) ? PTR_ERR(event) : output(event, regs_of_run(), (const void *)r4, r5));
}

/* ---- the same with the first bytes of a packet behind ---- */

struct packet_part {
	const void *packet;
	enum compat_packet_kind kind;
	u64 size;
};

#ifdef HAVE_PERF_RAW_FRAG

static unsigned long copy_packet(void *to, const void *from, unsigned long off, unsigned long len)
{
	const struct packet_part *part = from;

	compat_packet_read(part->packet, part->kind, to, off, len);
	return 0;
}

static int output_packet(struct perf_event *event, struct packet_part *part, const void *data, u64 size)
{
	struct perf_raw_frag behind = { .copy = copy_packet, .data = part, .size = part->size };
	struct perf_sample_data *sd = this_cpu_ptr(&sample);
	struct perf_raw_record raw;

	bc_sample_init_raw(sd, &raw, (void *)data, size);
	if (part->size)
		raw.frag.next = &behind;
	return bc_perf_sample_output(event, sd, regs_of_run());
}

#else

static int output_packet(struct perf_event *event, struct packet_part *part, const void *data, u64 size)
{
	u8 *buf = smp_load_acquire(&pad_buffers[smp_processor_id()]);

	if (!buf)
		return -ENOMEM;
	memcpy(buf, data, size);
	compat_packet_read(part->packet, part->kind, buf + size, 0, part->size);
	size += part->size;
	/* padded() has nothing to copy then */
	memset(buf + size, 0, RAW_SIZE(size) - size);
	return output(event, regs_of_run(), buf, RAW_SIZE(size));
}

#endif

static s64 packet_output(struct bc_map *map, u64 flags, struct packet_part *part, const void *data, u64 size)
{
	s64 len = compat_packet_len(part->packet, part->kind);
	struct perf_event *event;

	part->size = (flags & BPF_F_CTXLEN_MASK) >> 32;
	if (flags & ~(u64)(BPF_F_CTXLEN_MASK | BPF_F_INDEX_MASK))
		return -EINVAL;
	if (len < 0 || part->size > len)
		return -EFAULT;
	event = event_of(map, flags);
	if (IS_ERR(event))
		return PTR_ERR(event);
	return size + part->size > MAX_RAW_SIZE ? -E2BIG : output_packet(event, part, data, size);
}

BC_HELPER(skb_output)
{
	struct packet_part part = { .packet = (const void *)r1, .kind = COMPAT_SKB };

	return packet_output(bc_map_of((struct bc_map_desc *)r2), r3, &part, (const void *)r4, r5);
}

BC_HELPER(xdp_output)
{
	struct packet_part part = { .packet = (const void *)r1, .kind = COMPAT_XDP };

	return packet_output(bc_map_of((struct bc_map_desc *)r2), r3, &part, (const void *)r4, r5);
}

/* ---- the PMU ---- */

static struct pmu output_pmu;
static bool registered;

static void output_event_destroy(struct perf_event *event)
{
	module_put(THIS_MODULE);
}

static int output_event_init(struct perf_event *event)
{
	int err;

	if (event->attr.type != PERF_TYPE_SOFTWARE || event->attr.config != BC_SW_BPF_OUTPUT)
		return -ENOENT;
	if (has_branch_stack(event))
		return -EOPNOTSUPP;
	/* By hand, since vanilla 3.10 has no pmu->module. */
	if (!try_module_get(THIS_MODULE))
		return -ENOENT;
	err = make_pad_buffers(event);
	if (err) {
		module_put(THIS_MODULE);
		return err;
	}
	event->destroy = output_event_destroy;
	return 0;
}

static int output_event_add(struct perf_event *event, int flags)
{
	event->hw.state = flags & PERF_EF_START ? 0 : PERF_HES_STOPPED;
	return 0;
}

static void output_event_start(struct perf_event *event, int flags)
{
	event->hw.state = 0;
}

static void output_event_stop(struct perf_event *event, int flags)
{
	event->hw.state = PERF_HES_STOPPED;
}

static void output_event_read(struct perf_event *event)
{
}

static int output_event_idx(struct perf_event *event)
{
	return 0;
}

static struct pmu output_pmu = {
	.task_ctx_nr = perf_sw_context,
	.event_init = output_event_init,
	.add = output_event_add,
	.del = output_event_stop,
	.start = output_event_start,
	.stop = output_event_stop,
	.read = output_event_read,
	.event_idx = output_event_idx,
};

int bc_output_pmu_init(void)
{
	int err;

#ifdef HAVE_SW_BPF_OUTPUT
	return 0;
#endif
	err = bc_pmu_register(&output_pmu, "bpf_output");
	if (err)
		pr_err(BC_LOG "cannot register a PMU for BPF output events (%d)\n", err);
	registered = !err;
	return err;
}

void bc_output_pmu_exit(void)
{
	if (registered)
		bc_sym.perf_pmu_unregister(&output_pmu);
	free_pad_buffers();
}
