// SPDX-License-Identifier: GPL-2.0-only
/*
 * Brings in what BPF_PROG_LOAD points to: instructions, function and line records, the array of fds. Makes the program's tag.
 */
#include "core.h"
#include "log.h"
#include "prog.h"
#include "sha1.h"

#define RECORD_MAX 256		/* bytes of a record: Linux MAX_FUNCINFO_REC_SIZE, MAX_LINEINFO_REC_SIZE */
#define FD_INDEX_MAX 65536	/* more fds than a program has references */

int bc_prog_copy_insns(const union bpf_attr *attr, struct bpf_insn **insns)
{
	size_t bytes = (size_t)attr->insn_cnt * sizeof(**insns);

	*insns = port_zalloc(bytes);
	if (!*insns)
		return -ENOMEM;
	if (!port_copy_from_user(*insns, attr->insns, bytes))
		return 0;
	port_free(*insns);
	*insns = NULL;
	return -EFAULT;
}

/* The message belongs into the verifier's log, which does not exist yet. */
void bc_prog_log_message(const union bpf_attr *attr, const char *text, u32 number)
{
	struct bc_user_log log;

	if (bc_user_log_init(&log, attr->log_level, attr->log_buf, attr->log_size))
		return;
	bc_user_log_print(&log, text, number);
	bc_user_log_free(&log);
}

struct records {
	u64 from;
	u32 cnt, theirs, ours;	/* bytes of a record on either side */
	const char *tail_message;
	u32 __user *size_answer;	/* told our size when a record has more than we know */
};

static int copy_records(const union bpf_attr *attr, const struct records *r, void **out)
{
	u32 i, common = min(r->theirs, r->ours), answer = r->ours;
	u8 *to;
	int err;

	to = port_zalloc((size_t)r->cnt * r->ours);
	if (!to)
		return -ENOMEM;
	for (i = 0; i < r->cnt; i++) {
		u64 from = r->from + (u64)i * r->theirs;

		if (r->theirs > r->ours) {
			err = bc_user_is_zero(bc_user_ptr(from + r->ours), r->theirs - r->ours);
			if (err <= 0) {
				if (!err) {
					bc_prog_log_message(attr, r->tail_message, 0);
					err = put_user(answer, r->size_answer) ? -EFAULT : -E2BIG;
				}
				goto fail;
			}
		}
		err = port_copy_from_user(to + (size_t)i * r->ours, from, common);
		if (err)
			goto fail;
		err = i % 4096 ? 0 : port_poll();
		if (err)
			goto fail;
	}
	*out = to;
	return 0;
fail:
	port_free(to);
	return err;
}

static bool record_size_ok(u32 size, u32 least)
{
	return size >= least && size <= RECORD_MAX && size % sizeof(u32) == 0;
}

int bc_prog_copy_debug_info(const union bpf_attr *attr, union bpf_attr __user *uattr, struct bc_prog_debug_info *info)
{
	struct records r;
	void *out;
	int err;

	/* A wrong count of functions is the verifier's to refuse: it knows the right one. */
	if (attr->func_info_cnt && attr->func_info_cnt <= BC_MAX_SUBPROGS) {
		if (!record_size_ok(attr->func_info_rec_size, 8)) {
			bc_prog_log_message(attr, "invalid func info rec size %u\n", attr->func_info_rec_size);
			return -EINVAL;
		}
		r.from = attr->func_info;
		r.cnt = attr->func_info_cnt;
		r.theirs = attr->func_info_rec_size;
		r.ours = sizeof(struct bpf_func_info);
		r.tail_message = "nonzero tailing record in func info";
		r.size_answer = &uattr->func_info_rec_size;
		err = copy_records(attr, &r, &out);
		if (err)
			return err;
		info->func_info = out;
	}
	if (attr->line_info_cnt) {
		if (attr->line_info_cnt > INT_MAX / sizeof(struct bpf_line_info) ||
		    !record_size_ok(attr->line_info_rec_size, offsetofend(struct bpf_line_info, line_col)))
			return -EINVAL;
		r.from = attr->line_info;
		r.cnt = attr->line_info_cnt;
		r.theirs = attr->line_info_rec_size;
		r.ours = sizeof(struct bpf_line_info);
		r.tail_message = "nonzero tailing record in line_info";
		r.size_answer = &uattr->line_info_rec_size;
		err = copy_records(attr, &r, &out);
		if (err)
			return err;
		info->line_info = out;
	}
	return 0;
}

/* Does the instruction name an fd by its place in the array? A module's function does so by its offset, where that is a place at all. */
static bool uses_fd_array(const struct bpf_insn *insn, s32 *index)
{
	*index = insn->imm;
	if (insn->code == (BPF_LD | BPF_IMM | BPF_DW))
		return insn->src_reg == BPF_PSEUDO_MAP_IDX || insn->src_reg == BPF_PSEUDO_MAP_IDX_VALUE;
	*index = insn->off;
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_KFUNC_CALL && insn->off > 0;
}

/* The attributes do not say how long the array is, so what the program refers to is read, and nothing else. */
int bc_prog_copy_fd_array(const union bpf_attr *attr, const struct bpf_insn *insns, struct bc_prog_debug_info *info)
{
	u32 i, cnt = 0;
	s32 index;

	for (i = 0; i < attr->insn_cnt; i++)
		if (uses_fd_array(&insns[i], &index)) {
			if (index < 0 || index >= FD_INDEX_MAX)
				return attr->fd_array ? -EFAULT : -EPROTO;
			cnt = max_t(u32, cnt, index + 1);
		}
	if (!cnt || !attr->fd_array)
		return 0;
	info->fd_array = port_zalloc(cnt * sizeof(*info->fd_array));
	if (!info->fd_array)
		return -ENOMEM;
	info->fd_array_cnt = cnt;
	for (i = 0; i < attr->insn_cnt; i++)
		if (uses_fd_array(&insns[i], &index) &&
		    port_copy_from_user(&info->fd_array[index], attr->fd_array + index * sizeof(s32), sizeof(s32)))
			return -EFAULT;
	return 0;
}

void bc_prog_debug_info_free(struct bc_prog_debug_info *info)
{
	port_free(info->func_info);
	port_free(info->line_info);
	port_free(info->fd_array);
}

/* As Linux's: the head of the SHA-1 of the instructions, without what differs from load to load, which is the maps' fds. */
int bc_prog_calc_tag(const struct bpf_insn *insns, u32 cnt, u8 tag[BPF_TAG_SIZE])
{
	struct bc_sha1 *sha = kmalloc(sizeof(*sha), GFP_KERNEL);
	bool second = false;
	u8 digest[20];
	u32 i;

	if (!sha)
		return -ENOMEM;
	bc_sha1_init(sha);
	for (i = 0; i < cnt; i++) {
		struct bpf_insn insn = insns[i];

		if (second) {
			insn.imm = 0;
			second = false;
		} else if (insn.code == (BPF_LD | BPF_IMM | BPF_DW) &&
			   (insn.src_reg == BPF_PSEUDO_MAP_FD || insn.src_reg == BPF_PSEUDO_MAP_VALUE)) {
			insn.imm = 0;
			second = i + 1 < cnt && !insns[i + 1].code;
		}
		bc_sha1_update(sha, &insn, sizeof(insn));
		if (i % 4096 == 4095)
			cond_resched();
	}
	bc_sha1_final(sha, digest);
	kfree(sha);
	memcpy(tag, digest, BPF_TAG_SIZE);
	return 0;
}
