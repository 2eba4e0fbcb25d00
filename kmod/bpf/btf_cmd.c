// SPDX-License-Identifier: GPL-2.0-only
/*
 * BTF objects: BPF_BTF_LOAD, and what is told about them.
 */
#include "core.h"
#include "log.h"

#define BTF_SIZE_MAX (16 * 1024 * 1024)

static void btf_free(struct bc_object *obj)
{
	struct bc_btf_obj *b = container_of(obj, struct bc_btf_obj, obj);

	bc_btf_free(b->btf);
	bc_free(NULL, b, sizeof(*b));
}

static const struct bc_obj_ops btf_obj_ops = { .free = btf_free };

struct bc_btf_obj *bc_btf_obj_new(struct bc_btf *btf)
{
	struct bc_btf_obj *b = bc_alloc(NULL, sizeof(*b));

	if (!b)
		return NULL;
	bc_object_init(&b->obj, BC_OBJ_BTF, &btf_obj_ops);
	b->btf = btf;
	btf->host = b;
	return b;
}

struct bc_btf *bc_btf_get_fd(u32 fd)
{
	struct bc_object *obj = bc_object_get_fd(fd, BC_OBJ_BTF);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct bc_btf_obj, obj)->btf;
}

void bc_btf_get(struct bc_btf *btf)
{
	bc_object_get(&((struct bc_btf_obj *)btf->host)->obj);
}

void bc_btf_put(struct bc_btf *btf)
{
	bc_object_put(&((struct bc_btf_obj *)btf->host)->obj);
}

u32 bc_btf_id(const struct bc_btf *btf)
{
	return btf && btf->host ? ((struct bc_btf_obj *)btf->host)->obj.id : 0;
}

static void print(void *arg, const char *fmt, va_list ap)
{
	bc_user_log_vprint(arg, fmt, ap);
}

static int load(union bpf_attr *attr, struct bc_user_log *log)
{
	struct bc_btf_log btf_log = { .print = print, .arg = log };
	struct bc_btf_obj *b;
	struct bc_btf *btf;
	u8 *data;
	int err;

	data = port_zalloc(attr->btf_size);
	if (!data)
		return -ENOMEM;
	if (port_copy_from_user(data, attr->btf, attr->btf_size)) {
		port_free(data);
		return -EFAULT;
	}
	btf = bc_btf_parse(data, attr->btf_size, false, log->line ? &btf_log : NULL);
	if (IS_ERR(btf)) {
		port_free(data);
		return PTR_ERR(btf);
	}
	if (log->full) {
		bc_btf_free(btf);
		return -ENOSPC;
	}
	b = bc_btf_obj_new(btf);
	if (!b) {
		bc_btf_free(btf);
		return -ENOMEM;
	}
	err = bc_object_publish(&b->obj);
	if (err) {
		bc_object_put(&b->obj);
		return err;
	}
	return bc_object_fd(&b->obj, O_RDONLY);
}

BC_COMMAND(btf_load)
{
	struct bc_user_log log;
	int res;

	if (!bc_capable())
		return -EPERM;
	if (attr->btf_size > BTF_SIZE_MAX)
		return -E2BIG;
	res = bc_user_log_init(&log, attr->btf_log_level, attr->btf_log_buf, attr->btf_log_size);
	if (res)
		return res;
	res = load(attr, &log);
	bc_user_log_free(&log);
	return res;
}

int bc_btf_fill_info(const struct bc_btf_obj *b, struct bpf_btf_info *info)
{
	const struct bc_btf *btf = b->btf;
	u32 room = info->name_len, len = strlen(btf->name);
	char __user *name = bc_user_ptr(info->name);

	if (!info->name != !room)
		return -EINVAL;
	if (copy_to_user(bc_user_ptr(info->btf), btf->data, min(info->btf_size, btf->size)))
		return -EFAULT;
	info->id = b->obj.id;
	info->btf_size = btf->size;
	info->kernel_btf = btf->kernel;
	info->name_len = len;
	if (!room)
		return 0;
	if (room > len)
		return copy_to_user(name, btf->name, len + 1) ? -EFAULT : 0;
	if (copy_to_user(name, btf->name, room - 1) || put_user('\0', name + room - 1))
		return -EFAULT;
	return -ENOSPC;
}
