// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is told of a program: BPF_OBJ_GET_INFO_BY_FD and /proc/PID/fdinfo.
 */
#include "core.h"
#include "prog.h"
#include "jit.h"

/* Copies the first min(*cnt, have) elements out, and sets *cnt to how many there are. */
static int copy_array(u64 to, u32 *cnt, const void *from, u32 have, size_t element)
{
	u32 n = min(*cnt, have);

	*cnt = have;
	if (n && copy_to_user(bc_user_ptr(to), from, n * element))
		return -EFAULT;
	return 0;
}

static int fill_map_ids(struct bc_prog *prog, struct bpf_prog_info *info)
{
	u32 __user *to = bc_user_ptr(info->map_ids);
	u32 i, own = prog->v.used_map_cnt, cnt, n;
	int err = 0;

	mutex_lock(&prog->maps_lock);
	cnt = own + prog->bound_map_cnt;
	n = min(info->nr_map_ids, cnt);
	info->nr_map_ids = cnt;
	for (i = 0; i < n && !err; i++) {
		const struct bc_map *map = i < own ? bc_map_of(prog->v.used_maps[i]) : prog->bound_maps[i - own];

		err = put_user(map->obj.id, &to[i]);
	}
	mutex_unlock(&prog->maps_lock);
	return err;
}

static bool record_size_ok(u32 cnt, u32 given, u32 ours)
{
	return (!cnt && !given) || given == ours;
}

static u32 sub_at(const struct bc_verified *v, u32 insn)
{
	u32 i;

	for (i = 0; i < v->subprog_cnt && v->subprogs[i].start != insn; i++)
		;
	return i;
}

/* Where code was generated, Linux tells a call's distance in off and the subprogram's number, by which jited_ksyms has its address, in imm. */
static void print_call(const struct bc_prog *prog, struct bpf_insn *insn, u32 at)
{
	if (!prog->exec.jit_entry)
		return;
	insn->off = insn->imm;
	insn->imm = sub_at(&prog->v, at + 1 + insn->imm);
}

/* Of a callback the distance comes first, then the number. */
static void print_callback(const struct bc_prog *prog, struct bpf_insn *pair, u32 at)
{
	u32 number = pair[0].imm;

	pair[0].imm = prog->v.subprogs[number].start - at - 1;
	pair[1].imm = number;
}

/* Instructions as others may see them: ids in place of addresses. */
static struct bpf_insn *printable_insns(const struct bc_prog *prog)
{
	const struct bc_verified *v = &prog->v;
	struct bpf_insn *insns = port_zalloc(v->insn_cnt * sizeof(*insns));
	u32 i;

	if (!insns)
		return NULL;
	memcpy(insns, v->insns, v->insn_cnt * sizeof(*insns));
	for (i = 0; i + 1 < v->insn_cnt; i++) {
		const struct bc_insn_aux *aux = &v->aux[i];

		if (insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == BPF_PSEUDO_CALL)
			print_call(prog, &insns[i], i);
		if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		if (aux->program)
			insns[i].imm = insns[i + 1].imm = 0;
		if (aux->func_ptr)
			print_callback(prog, &insns[i], i);
		if (!aux->map_ptr && !aux->map_value)
			continue;
		insns[i].src_reg = aux->map_ptr ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
		insns[i].imm = aux->used_map < v->used_map_cnt ? bc_map_of(v->used_maps[aux->used_map])->obj.id : 0;
		insns[i + 1].imm = aux->map_ptr ? 0 : aux->map_off;
		i++;
	}
	return insns;
}

static int fill_insns(const struct bc_prog *prog, struct bpf_prog_info *info)
{
	u32 bytes = prog->v.insn_cnt * sizeof(struct bpf_insn), room = info->xlated_prog_len;
	struct bpf_insn *insns;
	int err;

	info->xlated_prog_len = bytes;
	if (!room)
		return 0;
	insns = printable_insns(prog);
	if (!insns)
		return -ENOMEM;
	err = copy_to_user(bc_user_ptr(info->xlated_prog_insns), insns, min(room, bytes)) ? -EFAULT : 0;
	port_free(insns);
	return err;
}

int bc_prog_sub_tags(const struct bc_prog *prog, u8 (*tags)[BPF_TAG_SIZE])
{
	const struct bc_verified *v = &prog->v;
	struct bpf_insn *insns = printable_insns(prog);
	int err = insns ? 0 : -ENOMEM;
	u32 i;

	for (i = 0; i < v->subprog_cnt && !err; i++)
		err = bc_prog_calc_tag(insns + v->subprogs[i].start, v->subprogs[i].len, tags[i]);
	port_free(insns);
	return err;
}

static int fill_tags(const struct bc_prog *prog, struct bpf_prog_info *info)
{
	const struct bc_verified *v = &prog->v;
	u8 (*tags)[BPF_TAG_SIZE];
	int err;

	if (v->subprog_cnt == 1 || !info->nr_prog_tags)
		return copy_array(info->prog_tags, &info->nr_prog_tags, prog->tag, v->subprog_cnt, sizeof(prog->tag));
	tags = port_zalloc(v->subprog_cnt * sizeof(*tags));
	err = tags ? bc_prog_sub_tags(prog, tags) : -ENOMEM;
	if (!err)
		err = copy_array(info->prog_tags, &info->nr_prog_tags, tags, v->subprog_cnt, sizeof(*tags));
	port_free(tags);
	return err;
}

int bc_prog_fill_info(struct bc_prog *prog, struct bpf_prog_info *info)
{
	const struct bc_verified *v = &prog->v;
	struct bc_prog_stats stats;
	int err;

	info->type = prog->type;
	info->id = prog->obj.id;
	info->load_time = prog->load_time;
	info->created_by_uid = from_kuid_munged(current_user_ns(), prog->obj.uid);
	info->gpl_compatible = prog->gpl;
	memcpy(info->tag, prog->tag, sizeof(info->tag));
	memcpy(info->name, prog->name, sizeof(info->name));
	err = fill_map_ids(prog, info);
	if (err)
		return err;

	if (!record_size_ok(info->nr_func_info, info->func_info_rec_size, sizeof(struct bpf_func_info)) ||
	    !record_size_ok(info->nr_line_info, info->line_info_rec_size, sizeof(struct bpf_line_info)) ||
	    !record_size_ok(info->nr_jited_line_info, info->jited_line_info_rec_size, sizeof(u64)))
		return -EINVAL;
	info->func_info_rec_size = sizeof(struct bpf_func_info);
	info->line_info_rec_size = sizeof(struct bpf_line_info);
	info->jited_line_info_rec_size = sizeof(u64);

	bc_prog_stats_sum(prog, &stats);
	info->run_time_ns = stats.nsecs;
	info->run_cnt = stats.cnt;
	info->recursion_misses = stats.misses;
	info->verified_insns = v->verified_insns;
	info->btf_id = bc_btf_id(prog->btf);

	if (!bc_capable()) {
		info->jited_prog_len = 0;
		info->nr_jited_ksyms = 0;
		info->nr_jited_func_lens = 0;
		info->nr_jited_line_info = 0;
		info->xlated_prog_len = 0;
		info->nr_func_info = 0;
		info->nr_line_info = 0;
		return 0;
	}
	err = fill_insns(prog, info);
	if (!err)
		err = bc_jit_fill_info(prog, info);
	if (err)
		return err;
	info->attach_btf_id = prog->attach_btf_id;
	info->attach_btf_obj_id = prog->attach_btf_id ? bc_btf_id(bc_btf_vmlinux()) : 0;
	err = copy_array(info->func_info, &info->nr_func_info, v->func_info, v->func_info_cnt, sizeof(*v->func_info));
	if (!err)
		err = copy_array(info->line_info, &info->nr_line_info, v->line_info, v->line_info_cnt, sizeof(*v->line_info));
	if (!err)
		err = fill_tags(prog, info);
	return err;
}

static void print_tag(const struct bc_prog *prog, struct seq_file *m)
{
	u32 i;

	seq_puts(m, "prog_tag:\t");
	for (i = 0; i < sizeof(prog->tag); i++)
		seq_printf(m, "%02x", prog->tag[i]);
	seq_putc(m, '\n');
}

void bc_prog_show_fdinfo(const struct bc_prog *prog, struct seq_file *m)
{
	struct bc_prog_stats stats;

	bc_prog_stats_sum(prog, &stats);
	seq_printf(m, "prog_type:\t%u\n", prog->type);
	seq_printf(m, "prog_jited:\t%u\n", prog->exec.jit_entry ? 1 : 0);
	print_tag(prog, m);
	seq_printf(m, "memlock:\t%llu\n", (unsigned long long)PAGE_ALIGN(bc_prog_memory(prog)));
	seq_printf(m, "prog_id:\t%u\n", prog->obj.id);
	seq_printf(m, "run_time_ns:\t%llu\n", (unsigned long long)stats.nsecs);
	seq_printf(m, "run_cnt:\t%llu\n", (unsigned long long)stats.cnt);
	seq_printf(m, "recursion_misses:\t%llu\n", (unsigned long long)stats.misses);
	seq_printf(m, "verified_insns:\t%u\n", prog->v.verified_insns);
}

void bc_prog_show_tag_and_id(const struct bc_prog *prog, struct seq_file *m)
{
	print_tag(prog, m);
	seq_printf(m, "prog_id:\t%u\n", prog->obj.id);
}
