/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of the facilities that the whole module leans on: memory, RCU, files, security. */
#include <linux/module.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/security.h>
#include <linux/seq_file.h>
#include <linux/sysfs.h>
#include <linux/ktime.h>
#include <linux/uaccess.h>
#ifdef HAVE_LINUX_TIMEKEEPING_H
#include <linux/timekeeping.h>
#endif
#include <linux/vmalloc.h>

#define SAME_TYPE(a, b) typedef char probe_same_type[__builtin_types_compatible_p(a, b) ? 1 : -1]

#line 1 "BASELINE"
static inline void probe_baseline(void) { might_sleep(); }

#line 1 "HAVE_VMALLOC_PROT"
static inline void *probe_vmalloc_prot(void) { return __vmalloc(1, GFP_KERNEL, PAGE_KERNEL); }

#line 1 "HAVE_CALL_RCU_SCHED"
static inline void probe_call_rcu_sched(struct rcu_head *h) { call_rcu_sched(h, NULL); rcu_barrier_sched(); synchronize_sched(); }

#line 1 "HAVE_ACCESS_OK_TYPE"
static inline int probe_access_ok(void) { return access_ok(VERIFY_READ, (void __user *)0, 1); }

#line 1 "HAVE_POLL_T"
static inline __poll_t probe_poll_t(void) { return 0; }

#line 1 "HAVE_SHOW_FDINFO_INT"
static inline void probe_fdinfo(struct file_operations *f) { SAME_TYPE(typeof(f->show_fdinfo), int (*)(struct seq_file *, struct file *)); }

#line 1 "HAVE_SECURITY_LOCKED_DOWN"
static inline int probe_locked_down(void) { return security_locked_down(LOCKDOWN_BPF_READ_KERNEL); }

#line 1 "HAVE_KTIME_GET_NS"
static inline u64 probe_ktime_get_ns(void) { return ktime_get_ns(); }

#line 1 "HAVE_KTIME_GET_BOOT_NS"
static inline u64 probe_ktime_get_boot(void) { return ktime_get_boottime_ns(); }

#line 1 "HAVE_KTIME_GET_MONO_FAST_NS"
static inline u64 probe_ktime_fast(void) { return ktime_get_mono_fast_ns(); }

#line 1 "HAVE_VM_FLAGS_SET"
static inline void probe_vm_flags(struct vm_area_struct *v) { vm_flags_set(v, VM_DONTCOPY); }

#line 1 "HAVE_BIN_ATTR_CONST"
static inline void probe_bin_attr(struct bin_attribute *a)
{
	SAME_TYPE(typeof(a->read), ssize_t (*)(struct file *, struct kobject *, const struct bin_attribute *, char *, loff_t, size_t));
}

#line 1 "HAVE_CHECK_ZEROED_USER"
static inline int probe_zeroed(void) { return check_zeroed_user((void __user *)0, 1); }

#line 1 "HAVE_MMAP_READ_LOCK"
static inline int probe_mmap_read_lock(struct mm_struct *mm) { int err = mmap_read_lock_killable(mm); mmap_read_unlock(mm); return err; }
