// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own BTF: taken from the kernel where it carries one, else uploaded once and served at /sys/kernel/btf/vmlinux. It is
 * trusted by helpers, so an uploaded one must name the build id of the running kernel.
 */
#include "core.h"
#include <linux/elf.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>

#define SIZE_MAX_VMLINUX (64 * 1024 * 1024)

static DEFINE_MUTEX(lock);
static struct bc_btf_obj *vmlinux;	/* set once, under the lock */
static bool kernel_tried;
static struct kobject *btf_dir;

static size_t kernel_btf_size(void)
{
	if (!bc_sym.__start_BTF || !bc_sym.__stop_BTF)
		return 0;
	return bc_sym.__stop_BTF - bc_sym.__start_BTF;
}

/* Takes over @data on success. */
static int set(u8 *data, u32 size)
{
	struct bc_btf *btf = bc_btf_parse(data, size, true, NULL);
	struct bc_btf_obj *b;
	int err;

	if (IS_ERR(btf))
		return PTR_ERR(btf);
	strcpy(btf->name, "vmlinux");
	b = bc_btf_obj_new(btf);
	err = b ? bc_object_publish(&b->obj) : -ENOMEM;
	if (err) {
		btf->data = NULL;	/* stays the caller's */
		if (b)
			bc_object_put(&b->obj);
		else
			bc_btf_free(btf);
		return err;
	}
	/* It lives as long as the module and must not keep it from being unloaded. */
	module_put(THIS_MODULE);
	smp_store_release(&vmlinux, b);
	return 0;
}

static void set_from_kernel(void)
{
	size_t size = kernel_btf_size();
	u8 *data;
	int err;

	if (kernel_tried || !size || size > SIZE_MAX_VMLINUX)
		return;
	kernel_tried = true;
	data = port_zalloc(size);
	if (!data)
		return;
	memcpy(data, bc_sym.__start_BTF, size);
	err = set(data, size);
	if (err) {
		port_free(data);
		pr_warn(BC_LOG "the kernel's own BTF is not understood (%d)\n", err);
	}
}

const struct bc_btf *bc_btf_vmlinux(void)
{
	struct bc_btf_obj *b = smp_load_acquire(&vmlinux);

	if (!b) {
		mutex_lock(&lock);
		if (!vmlinux)
			set_from_kernel();
		b = vmlinux;
		mutex_unlock(&lock);
	}
	return b ? b->btf : NULL;
}

const struct bc_btf *bc_btf_vmlinux_now(void)
{
	struct bc_btf_obj *b = smp_load_acquire(&vmlinux);

	return b ? b->btf : NULL;
}

bool bc_btf_vmlinux_loaded(void)
{
	return smp_load_acquire(&vmlinux) != NULL;
}

/* The note that the linker leaves in every kernel: name "GNU", type 3. */
static const u8 *kernel_build_id(u32 *len)
{
	const char *p = bc_sym.__start_notes, *end = bc_sym.__stop_notes;

	while (p && end && p + sizeof(struct elf_note) <= end) {
		const struct elf_note *note = (const void *)p;
		const char *name = p + sizeof(*note);
		const char *desc = name + ALIGN(note->n_namesz, 4);

		if (note->n_type == 3 && note->n_namesz == 4 && !memcmp(name, "GNU", 4)) {
			*len = note->n_descsz;
			return (const u8 *)desc;
		}
		p = desc + ALIGN(note->n_descsz, 4);
	}
	return NULL;
}

static ssize_t read_btf(struct file *file, struct kobject *kobj, BC_BIN_ATTR_CONST struct bin_attribute *attr, char *buf,
			loff_t off, size_t count)
{
	memcpy(buf, vmlinux->btf->data + off, count);	/* sysfs keeps off and count inside attr->size */
	return count;
}

static struct bin_attribute btf_file = {
	.attr = { .name = "vmlinux", .mode = 0444 },
	.read = read_btf,
};

static void serve(void)
{
	btf_dir = kobject_create_and_add("btf", kernel_kobj);
	if (!btf_dir) {
		pr_warn(BC_LOG "cannot serve /sys/kernel/btf/vmlinux\n");
		return;
	}
	sysfs_bin_attr_init(&btf_file);
	btf_file.size = vmlinux->btf->size;
	if (sysfs_create_bin_file(btf_dir, &btf_file)) {
		pr_warn(BC_LOG "cannot serve /sys/kernel/btf/vmlinux\n");
		kobject_put(btf_dir);
		btf_dir = NULL;
	}
}

long bc_vmlinux_btf_load(const struct bpfcompat_btf_load *l)
{
	u32 id_len = 0;
	const u8 *id = kernel_build_id(&id_len);
	u8 *data;
	long err;

	if (!l->size || l->size > SIZE_MAX_VMLINUX)
		return -E2BIG;
	if (!id || l->build_id_len != id_len || id_len > sizeof(l->build_id) || memcmp(l->build_id, id, id_len))
		return -ESTALE;
	data = port_zalloc(l->size);
	if (!data)
		return -ENOMEM;
	if (port_copy_from_user(data, l->data, l->size)) {
		port_free(data);
		return -EFAULT;
	}
	mutex_lock(&lock);
	err = vmlinux || kernel_btf_size() ? -EEXIST : set(data, l->size);
	if (!err)
		serve();
	mutex_unlock(&lock);
	if (err)
		port_free(data);
	return err;
}

int bc_vmlinux_btf_init(void)
{
	return 0;
}

void bc_vmlinux_btf_exit(void)
{
	if (btf_dir) {
		sysfs_remove_bin_file(btf_dir, &btf_file);
		kobject_put(btf_dir);
	}
	if (vmlinux) {
		__module_get(THIS_MODULE);	/* as bc_object_put() expects */
		bc_object_put(&vmlinux->obj);
	}
}
