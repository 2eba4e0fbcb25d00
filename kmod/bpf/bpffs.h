/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file system whose files are objects.
 */
#ifndef BPFCOMPAT_BPFFS_H
#define BPFCOMPAT_BPFFS_H

#include "../bpf.h"

/* pin.c: a pin's reference, and, of a map, uref. Process context. */
void bc_pin_get(struct bc_object *obj);
void bc_pin_put(struct bc_object *obj);

/*
 * Makes of @dentry in @dir, which is locked, a file that holds @obj, and takes over the pin's reference. -EPERM: @dir is of another file
 * system; or an errno.
 */
int bc_fs_make(struct inode *dir, struct dentry *dentry, umode_t mode, struct bc_object *obj);
/* The object of a file, without a reference; NULL: it has none. */
struct bc_object *bc_fs_object(const struct inode *inode);

int bc_fs_init(void);
void bc_fs_exit(void);

#endif
