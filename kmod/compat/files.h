/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Types of file_operations that changed over time.
 */
#ifndef BPFCOMPAT_COMPAT_FILES_H
#define BPFCOMPAT_COMPAT_FILES_H

#ifndef HAVE_POLL_T
typedef unsigned int __poll_t;
#endif

/* show_fdinfo once returned an int: write `static BC_FDINFO_RET name(...) { ...; BC_FDINFO_RETURN; }` */
#ifdef HAVE_SHOW_FDINFO_INT
#define BC_FDINFO_RET int
#define BC_FDINFO_RETURN return 0
#else
#define BC_FDINFO_RET void
#define BC_FDINFO_RETURN return
#endif

#ifdef HAVE_BIN_ATTR_CONST
#define BC_BIN_ATTR_CONST const
#else
#define BC_BIN_ATTR_CONST
#endif

static inline void bc_vma_set_flags(struct vm_area_struct *vma, unsigned long flags)
{
#ifdef HAVE_VM_FLAGS_SET
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

static inline void bc_vma_clear_flags(struct vm_area_struct *vma, unsigned long flags)
{
#ifdef HAVE_VM_FLAGS_SET
	vm_flags_clear(vma, flags);
#else
	vma->vm_flags &= ~flags;
#endif
}

#endif
