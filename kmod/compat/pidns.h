/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is a pid namespace the one that stat(2) of /proc/PID/ns/pid names by device and inode?
 */
#ifndef BPFCOMPAT_COMPAT_PIDNS_H
#define BPFCOMPAT_COMPAT_PIDNS_H

#include <linux/pid_namespace.h>
#include <linux/fs.h>
#include <linux/mount.h>

#ifdef HAVE_NS_COMMON
#include <linux/proc_ns.h>

/* Since 3.19 all namespaces' inodes lie in nsfs; ns_match() knows its device. */
static inline bool compat_pidns_match(struct pid_namespace *ns, dev_t dev, u64 ino)
{
	return bc_sym.ns_match && bc_sym.ns_match(&ns->ns, dev, ino);
}

#else

/* Before, in the namespace's own proc. */
static inline bool compat_pidns_match(struct pid_namespace *ns, dev_t dev, u64 ino)
{
	return ns->proc_inum == ino && ns->proc_mnt && ns->proc_mnt->mnt_sb->s_dev == dev;
}

#endif

#endif
