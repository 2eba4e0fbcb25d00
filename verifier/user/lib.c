/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The user-space library's world: maps in plain memory, BTF, programs; the verifier's and the interpreter's call-backs into it.
 */
#include "lib.h"

#include <stdlib.h>

struct bcu *bcu_cur;	/* the world that helpers and hooks belong to */

/* ---- objects ---- */

static struct bcu_object *object(struct bcu *w, int fd, enum bcu_kind kind)
{
	if (fd < BCU_FIRST_FD || fd >= BCU_FIRST_FD + BCU_OBJECTS ||
	    w->objs[fd - BCU_FIRST_FD].kind != kind || w->objs[fd - BCU_FIRST_FD].closed)
		return NULL;
	return &w->objs[fd - BCU_FIRST_FD];
}

static int new_object(struct bcu *w, enum bcu_kind kind, void *ptr)
{
	int i;

	for (i = 0; i < BCU_OBJECTS; i++) {
		if (w->objs[i].kind)
			continue;
		w->objs[i].kind = kind;
		w->objs[i].ptr = ptr;
		return i + BCU_FIRST_FD;
	}
	return -EMFILE;
}

struct bcu_map *bcu_map_of_fd(struct bcu *w, int fd)
{
	struct bcu_object *o = object(w, fd, BCU_MAP);

	return o ? o->ptr : NULL;
}

struct bcu_prog *bcu_prog_of_fd(struct bcu *w, int fd)
{
	struct bcu_object *o = object(w, fd, BCU_PROG);

	return o ? o->ptr : NULL;
}

struct bcu *bcu_new(void)
{
	return calloc(1, sizeof(struct bcu));
}

static struct bc_btf *btf_of_fd(struct bcu *w, int fd)
{
	struct bcu_object *o = object(w, fd, BCU_BTF);

	return o ? o->ptr : NULL;
}

void bcu_free_prog(struct bcu *w, struct bcu_prog *p)
{
	u32 i, k;

	bcu_jit_drop(p);
	bc_verified_free(&p->v, &bcu_ops, w);
	for (i = 0; i < p->recorded_cnt; i++) {
		for (k = 0; k < p->recorded[i].cnt; k++)
			free(p->recorded[i].states[k].slots);
		free(p->recorded[i].states);
	}
	free(p->recorded);
	free(p->loaded);
	free(p);
}

void bcu_free(struct bcu *w)
{
	struct bcu_object *o;
	int i;

	for (i = 0; i < BCU_OBJECTS; i++) {
		if (w->objs[i].kind == BCU_PROG)
			bcu_free_prog(w, w->objs[i].ptr);
	}
	for (i = 0; i < BCU_OBJECTS; i++) {
		o = &w->objs[i];
		if (o->kind == BCU_MAP) {
			if (((struct bcu_map *)o->ptr)->refs)
				port_warn("map of fd %d has %u references left\n", i + BCU_FIRST_FD, ((struct bcu_map *)o->ptr)->refs);
			free(((struct bcu_map *)o->ptr)->data);
			free(o->ptr);
		} else if (o->kind == BCU_BTF) {
			bc_btf_free(o->ptr);
		}
	}
	if (bcu_cur == w)
		bcu_cur = NULL;
	free(w);
}

struct log_target {
	char *buf;
	u32 size, used;
};

static void btf_log(void *arg, const char *fmt, va_list ap)
{
	struct log_target *t = arg;

	t->used += vscnprintf(t->buf + t->used, t->size - t->used, fmt, ap);
}

int bcu_btf_new(struct bcu *w, const void *data, u32 size, bool kernel, char *log, u32 log_size)
{
	struct log_target target = { log, log_size, 0 };
	const struct bc_btf_log l = { btf_log, &target };
	struct bc_btf *btf;
	void *copy;

	copy = port_zalloc(size);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, size);
	btf = bc_btf_parse(copy, size, kernel, log_size ? &l : NULL);
	if (IS_ERR(btf)) {
		port_free(copy);
		return PTR_ERR(btf);
	}
	if (kernel)
		w->vmlinux = btf;
	return new_object(w, BCU_BTF, btf);
}

/* ---- maps ---- */

static bool is_array(const struct bcu_map *m)
{
	switch (m->desc.type) {
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_PROG_ARRAY:
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
	case BPF_MAP_TYPE_CGROUP_ARRAY:
		return true;
	default:
		return false;
	}
}

int bcu_map_new(struct bcu *w, u32 type, u32 key_size, u32 value_size, u32 max_entries, u32 flags, int btf_fd, u32 value_type_id)
{
	struct bc_btf *btf = btf_of_fd(w, btf_fd);
	struct bcu_map *m;
	u32 room = bcu_is_storage(type) ? BCU_STORAGE : max_entries;
	int fd;

	if (type == BPF_MAP_TYPE_PROG_ARRAY && max_entries > ARRAY_SIZE(m->progs))
		return -E2BIG;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->desc.type = type;
	m->desc.key_size = key_size;
	m->desc.value_size = value_size;
	m->desc.max_entries = max_entries;
	m->desc.flags = flags;
	m->desc.spin_lock_off = -1;
	m->desc.timer_off = -1;
	m->key_stride = round_up(key_size, 8) + 8;	/* behind the key: is the entry in use */
	m->value_stride = round_up(value_size, 8);
	m->data_size = type == BPF_MAP_TYPE_RINGBUF ? max_entries : (size_t)(m->key_stride + m->value_stride) * room;
	m->data = calloc(1, m->data_size ? m->data_size : 1);
	m->blocks[0] = m->values = type == BPF_MAP_TYPE_RINGBUF ? m->data : m->data + (size_t)m->key_stride * room;
	if (btf) {
		m->desc.btf = btf;
		m->desc.btf_value_type_id = value_type_id;
		m->desc.spin_lock_off = bc_btf_find_spin_lock(btf, value_type_id);
		if (m->desc.spin_lock_off < 0)
			m->desc.spin_lock_off = -1;
		m->desc.timer_off = bc_btf_find_timer(btf, value_type_id);
		bc_btf_find_kptrs(btf, value_type_id, w->vmlinux, &m->desc);
		/* no loader makes such a map */
		if (bc_btf_size(btf, value_type_id) != (s64)value_size)
			m->desc.kptr_cnt = 0;
	}
	fd = m->data ? new_object(w, BCU_MAP, m) : -ENOMEM;
	if (fd < 0) {
		free(m->data);
		free(m);
		return fd;
	}
	bcu_kptr_map(w, m, false);
	m->desc.id = fd;
	snprintf(m->desc.name, sizeof(m->desc.name), "map%d", fd);
	return fd;
}

int bcu_map_freeze(struct bcu *w, int fd)
{
	struct bcu_map *m = bcu_map_of_fd(w, fd);

	if (!m)
		return -EBADF;
	m->desc.frozen_rdonly = m->desc.flags & BPF_F_RDONLY_PROG;
	return 0;
}

static bool *used_mark(struct bcu_map *m, u32 i)
{
	return (bool *)(m->data + (size_t)m->key_stride * i + m->key_stride - 8);
}

void *bcu_lookup(struct bcu_map *m, const void *key)
{
	u32 i;

	if (is_array(m)) {
		memcpy(&i, key, sizeof(i));
		return i < m->desc.max_entries ? m->values + (size_t)m->value_stride * i : NULL;
	}
	for (i = 0; i < m->desc.max_entries; i++) {
		if (*used_mark(m, i) && !memcmp(m->data + (size_t)m->key_stride * i, key, m->desc.key_size))
			return m->values + (size_t)m->value_stride * i;
	}
	return NULL;
}

/* References that the value holds stay there. */
static void copy_value(const struct bcu_map *m, u8 *to, const u8 *from)
{
	u64 kept[BC_MAX_KPTRS];
	u32 i;

	for (i = 0; i < m->desc.kptr_cnt; i++)
		memcpy(&kept[i], (m->desc.kptrs[i].ref ? to : from) + m->desc.kptrs[i].off, sizeof(kept[i]));
	memcpy(to, from, m->desc.value_size);
	for (i = 0; i < m->desc.kptr_cnt; i++)
		memcpy(to + m->desc.kptrs[i].off, &kept[i], sizeof(kept[i]));
}

long bcu_update(struct bcu_map *m, const void *key, const void *value, u64 flags)
{
	u8 *v = bcu_lookup(m, key);
	u32 i;

	if ((flags & 3) == 3 || flags > 7)
		return -EINVAL;
	if (v && flags & BPF_NOEXIST)
		return -EEXIST;
	if (!v && (is_array(m) || flags & BPF_EXIST))
		return is_array(m) ? -E2BIG : -ENOENT;
	for (i = 0; !v && i < m->desc.max_entries; i++) {
		if (*used_mark(m, i))
			continue;
		*used_mark(m, i) = true;
		memcpy(m->data + (size_t)m->key_stride * i, key, m->desc.key_size);
		v = m->values + (size_t)m->value_stride * i;
	}
	if (!v)
		return -E2BIG;
	copy_value(m, v, value);
	return 0;
}

long bcu_delete(struct bcu_map *m, const void *key)
{
	u8 *v = bcu_lookup(m, key);

	if (is_array(m))
		return -EINVAL;
	if (!v)
		return -ENOENT;
	*used_mark(m, (v - m->values) / m->value_stride) = false;
	return 0;
}

bool bcu_entry_used(struct bcu_map *m, u32 i)
{
	return is_array(m) || *used_mark(m, i);
}

void *bcu_map_lookup(struct bcu *w, int fd, const void *key)
{
	struct bcu_map *m = bcu_map_of_fd(w, fd);

	return m ? bcu_lookup(m, key) : NULL;
}

long bcu_map_update(struct bcu *w, int fd, const void *key, const void *value, u64 flags)
{
	struct bcu_map *m = bcu_map_of_fd(w, fd);

	return m ? bcu_update(m, key, value, flags) : -EBADF;
}

long bcu_map_delete(struct bcu *w, int fd, const void *key)
{
	struct bcu_map *m = bcu_map_of_fd(w, fd);

	return m ? bcu_delete(m, key) : -EBADF;
}

u64 bcu_map_address(struct bcu *w, int fd)
{
	return (unsigned long)bcu_map_of_fd(w, fd);
}

u64 bcu_value_address(struct bcu *w, int fd)
{
	struct bcu_map *m = bcu_map_of_fd(w, fd);

	return m ? (unsigned long)m->values : 0;
}

int bcu_prog_array_set(struct bcu *w, int map_fd, u32 index, int prog_fd)
{
	struct bcu_map *m = bcu_map_of_fd(w, map_fd);
	struct bcu_prog *p = bcu_prog_of_fd(w, prog_fd);

	if (!m || (!p && prog_fd >= 0))
		return -EBADF;
	if (m->desc.type != BPF_MAP_TYPE_PROG_ARRAY || index >= m->desc.max_entries)
		return -EINVAL;
	m->progs[index] = p;
	return 0;
}

/* ---- the verifier's call-backs ---- */

static struct bc_map_desc *op_map_get(void *host, u32 fd)
{
	struct bcu *w = host;
	struct bcu_map *m = bcu_map_of_fd(w, fd);

	if (!m)
		return ERR_PTR(fd >= BCU_FIRST_FD && fd < BCU_FIRST_FD + BCU_OBJECTS && w->objs[fd - BCU_FIRST_FD].kind ?
			       -EINVAL : -EBADF);
	m->refs++;
	return &m->desc;
}

static void op_map_put(void *host, struct bc_map_desc *desc)
{
	(void)host;
	container_of(desc, struct bcu_map, desc)->refs--;
}

static int op_map_value_addr(void *host, const struct bc_map_desc *desc, u32 off, u64 *addr)
{
	struct bcu_map *m = container_of((struct bc_map_desc *)desc, struct bcu_map, desc);

	(void)host;
	if (desc->type != BPF_MAP_TYPE_ARRAY)
		return -ENOTSUPP;
	if (desc->max_entries != 1)
		return -ENOTSUPP;
	if (off >= desc->value_size)
		return -EINVAL;
	*addr = (unsigned long)m->values + off;
	return 0;
}

static int op_map_value_read(void *host, const struct bc_map_desc *desc, u32 off, u32 size, u64 *value)
{
	struct bcu_map *m = container_of((struct bc_map_desc *)desc, struct bcu_map, desc);

	(void)host;
	*value = 0;
	memcpy(value, m->values + off, size);
	return 0;
}

static bool op_helper_available(void *host, u32 func_id)
{
	if (((struct bcu *)host)->all_helpers)
		return true;
	return func_id < __BPF_FUNC_MAX_ID && (bcu_helpers[func_id] || func_id == BPF_FUNC_tail_call);
}

static const struct bc_btf *op_btf_vmlinux(void *host)
{
	return ((struct bcu *)host)->vmlinux;
}

static struct bc_btf *op_btf_get(void *host, u32 fd)
{
	struct bc_btf *btf = btf_of_fd(host, fd);

	return btf ? btf : ERR_PTR(-EBADF);
}

static void op_btf_put(void *host, struct bc_btf *btf)
{
	(void)host;
	(void)btf;
}

/* This world has the kernel's functions by name, and nothing at them. */
static u64 op_ksym_addr(void *host, const char *name)
{
	const struct bc_btf *vmlinux = ((struct bcu *)host)->vmlinux;

	return vmlinux && (bc_btf_find(vmlinux, name, BTF_KIND_FUNC) > 0 || bc_btf_find(vmlinux, name, BTF_KIND_VAR) > 0);
}

static bool op_may_destroy(void *host)
{
	return !((struct bcu *)host)->no_boot;
}

static u64 op_jiffies_addr(void *host)
{
	return (unsigned long)&((struct bcu *)host)->jiffies;
}

const struct bc_verifier_ops bcu_ops = {
	.map_get = op_map_get,
	.map_put = op_map_put,
	.map_value_addr = op_map_value_addr,
	.map_value_read = op_map_value_read,
	.helper_available = op_helper_available,
	.btf_vmlinux = op_btf_vmlinux,
	.btf_get = op_btf_get,
	.btf_put = op_btf_put,
	.ksym_addr = op_ksym_addr,
	.may_destroy = op_may_destroy,
	.jiffies_addr = op_jiffies_addr,
};

/* ---- programs ---- */

static void set_exec(struct bcu_prog *p, u32 type)
{
	p->type = type;
	p->exec.insns = p->v.insns;
	p->exec.aux = p->v.aux;
	p->exec.subprogs = p->v.subprogs;
	p->exec.insn_cnt = p->v.insn_cnt;
	p->exec.subprog_cnt = p->v.subprog_cnt;
}

int bcu_prog_load(struct bcu *w, const struct bcu_load *l, struct bcu_stats *stats)
{
	struct bc_verify_args args;
	struct bcu_prog *p;
	int err;

	memset(stats, 0, sizeof(*stats));
	err = bc_prog_type_check(l->prog_type, l->expected_attach_type);
	if (err)
		return err;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	memset(&args, 0, sizeof(args));
	args.ops = &bcu_ops;
	args.host = w;
	args.insns = l->insns;
	args.insn_cnt = l->insn_cnt;
	args.prog_type = l->prog_type;
	args.expected_attach_type = l->expected_attach_type;
	args.attach_btf_id = l->attach_btf_id;
	args.prog_flags = l->prog_flags;
	args.gpl_compatible = l->gpl;
	args.prog_btf = btf_of_fd(w, l->btf_fd);
	args.func_info = l->func_info;
	args.func_info_cnt = l->func_info_cnt;
	args.line_info = l->line_info;
	args.line_info_cnt = l->line_info_cnt;
	args.fd_array = l->fd_array;
	args.fd_array_cnt = l->fd_array_cnt;
	args.log_level = l->log_level;
	args.log_buf = (unsigned long)l->log;
	args.log_size = l->log_size;

	bcu_cur = w;
	bcu_watch_begin(p, l);
	err = bc_verify(&args, &p->v);
	bcu_watch_end();
	stats->verified_insns = p->v.verified_insns;
	stats->total_states = p->v.total_states;
	stats->peak_states = p->v.peak_states;
	if (err) {
		bcu_free_prog(w, p);
		return err;
	}
	set_exec(p, l->prog_type);
	stats->insn_cnt = p->v.insn_cnt;
	stats->subprog_cnt = p->v.subprog_cnt;
	stats->states_recorded = p->state_cnt;
	err = new_object(w, BCU_PROG, p);
	if (err < 0)
		bcu_free_prog(w, p);
	return err;
}

int bcu_prog_raw(struct bcu *w, u32 prog_type, const void *insns, u32 insn_cnt)
{
	struct bcu_prog *p = calloc(1, sizeof(*p));
	struct bc_subprog *sub;
	u32 i, k, target;

	p->v.insns = port_zalloc(insn_cnt * sizeof(struct bpf_insn));
	p->v.aux = port_zalloc(insn_cnt * sizeof(struct bc_insn_aux));
	p->v.subprogs = port_zalloc(BC_MAX_SUBPROGS * sizeof(*sub));
	memcpy(p->v.insns, insns, insn_cnt * sizeof(struct bpf_insn));
	p->v.insn_cnt = insn_cnt;
	p->v.subprog_cnt = 1;
	p->v.subprogs[0].stack_depth = BC_MAX_STACK;
	for (i = 0; i < insn_cnt; i++) {
		if (p->v.insns[i].code == (BPF_JMP | BPF_CALL) && p->v.insns[i].src_reg == BPF_PSEUDO_CALL)
			target = i + 1 + p->v.insns[i].imm;
		else if (p->v.insns[i].code == (BPF_LD | BPF_IMM | BPF_DW) && p->v.insns[i].src_reg == BPF_PSEUDO_FUNC)
			target = i + 1 + p->v.insns[i].imm;
		else
			continue;
		for (k = 0; k < p->v.subprog_cnt && p->v.subprogs[k].start != target; k++)
			;
		if (k == p->v.subprog_cnt) {
			p->v.subprogs[k].start = target;
			p->v.subprogs[k].stack_depth = BC_MAX_STACK;
			p->v.subprog_cnt++;
		}
		if (p->v.insns[i].src_reg == BPF_PSEUDO_FUNC)
			p->v.insns[i].imm = k;
	}
	set_exec(p, prog_type);
	return new_object(w, BCU_PROG, p);
}

u32 bcu_prog_insns(struct bcu *w, int fd, void *insns, u32 room)
{
	struct bcu_prog *p = bcu_prog_of_fd(w, fd);

	if (!p)
		return 0;
	memcpy(insns, p->v.insns, (room < p->v.insn_cnt ? room : p->v.insn_cnt) * sizeof(struct bpf_insn));
	return p->v.insn_cnt;
}

static const struct bc_exec_prog *tail_call_target(u64 map, u32 index)
{
	struct bcu_map *m = (struct bcu_map *)(unsigned long)map;

	if (index >= m->desc.max_entries || !m->progs[index])
		return NULL;
	return &m->progs[index]->exec;
}

/* Addresses that "fault" here are all those that are not this world's own: of the kernel's objects it has one. */
static void probe_load(void *dst, const void *src, u32 size)
{
	if (bc_kfunc_object_has((unsigned long)src, size))
		memcpy(dst, src, size);
	else
		memset(dst, 0, size);
}

const struct bc_exec_env bcu_exec_env = {
	.helpers = bcu_helpers,
	.tail_call_target = tail_call_target,
	.probe_load = probe_load,
};

static bool has_packet(u32 prog_type)
{
	return prog_type == BPF_PROG_TYPE_SOCKET_FILTER || prog_type == BPF_PROG_TYPE_SCHED_CLS ||
	       prog_type == BPF_PROG_TYPE_CGROUP_SKB || prog_type == BPF_PROG_TYPE_SCHED_ACT;
}

int bcu_run(struct bcu *w, int fd, struct bcu_run *r)
{
	struct bcu_prog *p = bcu_prog_of_fd(w, fd);
	struct bc_skb_ctx skb;
	struct bc_xdp_ctx xdp;
	struct bc_pkt_ptrs *pkt = NULL;
	void *volatile ctx = r->ctx;	/* outlives longjmp() */
	volatile u32 ctx_size = r->ctx_size;
	void *const packet = r->packet;
	volatile int err = 0;

	if (!p)
		return -EBADF;
	if (w->all_helpers && !bcu_can_run(p))
		return -ENOTSUPP;
	if (has_packet(p->type)) {
		memset(&skb, 0, sizeof(skb));
		memcpy(&skb.user, r->ctx, min_t(u32, r->ctx_size, sizeof(skb.user)));
		if (!r->ctx_size)
			skb.user.len = r->packet_size;
		skb.user.sk = NULL;
		skb.link = skb.network = (unsigned long)r->packet;	/* here the packet is all there is */
		pkt = &skb.pkt;
		ctx = &skb;
		ctx_size = sizeof(skb);
	} else if (p->type == BPF_PROG_TYPE_XDP) {
		memset(&xdp, 0, sizeof(xdp));
		memcpy(&xdp.user, r->ctx, min_t(u32, r->ctx_size, sizeof(xdp.user)));
		if (!r->ctx_size)
			xdp.user.ingress_ifindex = 1;
		pkt = &xdp.pkt;
		ctx = &xdp;
		ctx_size = sizeof(xdp);
	}
	if (pkt) {
		pkt->data = (unsigned long)r->packet;
		pkt->data_end = pkt->data + r->packet_size;
		pkt->data_meta = pkt->data;
	}
	bcu_cur = w;
	w->run = r;
	w->seed = r->seed;
	w->jiffies = r->seed;
	w->ctx = ctx;
	w->ctx_size = ctx_size;
	w->running = p;
	r->insns = 0;
	r->mem_violations = 0;
	r->state_violations = 0;
	r->overflows = 0;
	r->timed_out = false;
	r->message[0] = '\0';
	w->area.used = 0;
	w->index_depth = 0;
	w->timer_cnt = 0;
	w->dynptr_cnt = 0;
	w->frame_cnt = 0;
	w->next_insn = -1;
	w->area.overflows = 0;
	w->ticks = 0;
	/* Programs may read stack that they did not write: each run finds the same there. */
	memset(w->area.stack, 0, sizeof(w->area.stack));
	if (r->jit) {
		err = bcu_jit_run(w, p, ctx, &r->retval);
	} else if (bcu_trace_begin(w)) {
		r->timed_out = true;
		r->retval = 0;
	} else {
		r->retval = bc_interp_run(&bcu_exec_env, &w->area, &p->exec, ctx);
		bcu_timers_expire(w);
	}
	bcu_trace_end();
	r->overflows = w->area.overflows;
	r->mem_violations += bcu_kptrs_drop(w);
	r->ref_leaks = bcu_ringbuf_drop_all(w) + bcu_object_refs();
	r->packet = packet;
	free(w->moved_packet);
	w->moved_packet = NULL;
	w->run = NULL;
	return err;
}
