/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Iterators: a link says over what and with which program; each BPF_ITER_CREATE on it makes a session, a file whose reader gets the
 * text that the program writes while it is shown one object after the other. Each kind of objects has a target here.
 */
#ifndef BPFCOMPAT_ITER_H
#define BPFCOMPAT_ITER_H

#include "../bpf.h"
#include <linux/pid_namespace.h>

enum bc_task_choice { BC_TASKS_ALL, BC_TASKS_TID, BC_TASKS_PID };

/* What a link's creator chose of a target's objects. */
struct bc_iter_aim {
	struct bc_map *map;		/* with a reference and a uref */
	enum bc_task_choice tasks;
	u32 pid;			/* in the pid namespace of who made the link */
	struct cgroup *cgroup;		/* with a reference */
	u32 order;			/* enum bpf_cgroup_iter_order */
};

/* Words of the largest context, the bpf_iter_meta not counted. */
#define BC_ITER_WORDS	4

struct bc_shadows;
struct cgroup;

/* struct bpf_iter_meta of Linux's BTF. */
struct bc_iter_meta {
	struct seq_file *seq __attribute__((aligned(8)));
	u64 session_id;
	u64 seq_num;
};

struct bc_iter_session {
	struct seq_file seq;	/* programs see it through the kernel's types; its lock is held by the reader */
	const struct bc_iter_target_ops *target;
	struct bc_iter_aim aim;
	struct bc_prog *prog;
	struct bc_iter_meta meta;
	bool ended;		/* the program was told */
	struct bc_shadows *shadows;
	struct bc_sleeper *sleeper;	/* what a program that may sleep runs in; NULL: it does not */
	u64 cursor[];		/* the target's, cursor_bytes of it */
};

/*
 * Positions are kept in the cursor, so that nothing is held between two reads. Objects come with whatever keeps them as they are while
 * the program looks: that is dropped by next() and stop().
 */
struct bc_iter_target_ops {
	const char *name;
	bool may_sleep;			/* Linux: BPF_ITER_RESCHED; programs that sleep are taken */
	bool locked;			/* programs look while locks are held under which they must not fault */
	u32 cursor_bytes;
	bool (*available)(void);	/* NULL: always */
	/* Takes of @info what it needs; NULL: nothing. */
	int (*attach)(const union bpf_iter_link_info *info, struct bc_iter_aim *aim);
	/* May the program be run over these? What the verifier could not know. NULL: it knew all. */
	int (*check_prog)(const struct bc_prog *prog, const struct bc_iter_aim *aim);
	int (*open)(struct bc_iter_session *s);
	void (*close)(struct bc_iter_session *s);
	/* The object at the cursor, NULL past the last, ERR_PTR. */
	void *(*start)(struct bc_iter_session *s);
	void *(*next)(struct bc_iter_session *s, void *obj);
	/* @obj was not shown: the next start() gives it, or what then stands in its place. */
	void (*stop)(struct bc_iter_session *s, void *obj);
	/* The context behind the bpf_iter_meta; @obj is NULL when the walk is over: then nothing needs to be filled in, words are 0. */
	int (*fill)(struct bc_iter_session *s, void *obj, u64 *words);
	/* The socket that @obj is, or stands for; NULL: none. It is there as long as @obj is shown. Optional. */
	struct sock *(*sock)(struct bc_iter_session *s, void *obj);
	/* What the program returned, if that does not mean to be shown the object again. Optional. */
	void (*said)(struct bc_iter_session *s, u32 ret);
	void (*fill_info)(const struct bc_iter_aim *aim, struct bpf_link_info *info);
	void (*show_fdinfo)(const struct bc_iter_aim *aim, struct seq_file *m);
};

extern const struct bc_iter_target_ops bc_iter_task, bc_iter_task_file, bc_iter_task_vma, bc_iter_bpf_map, bc_iter_bpf_prog,
	bc_iter_bpf_link, bc_iter_bpf_map_elem, bc_iter_sk_storage_map, bc_iter_ksym, bc_iter_cgroup, bc_iter_sockmap,
	bc_iter_tcp, bc_iter_udp, bc_iter_unix, bc_iter_netlink, bc_iter_ipv6_route;

/* link.c: fill_info and show_fdinfo of those that go through a map */
void bc_iter_map_fill_info(const struct bc_iter_aim *aim, struct bpf_link_info *info);
void bc_iter_map_show_fdinfo(const struct bc_iter_aim *aim, struct seq_file *m);

/* table.c; by Linux's name, NULL when there is none */
const struct bc_iter_target_ops *bc_iter_target(const char *name);

/* ksym.c, shadows.c: what they look up at load */
void bc_iter_ksym_init(void);
void bc_shadows_init(void);

/* link.c: of a link of an iterator; ERR_PTR. */
struct bc_iter_session *bc_iter_link_session(const struct bc_link *link);

/* session.c; ERR_PTR. Its fd takes it over, also where that fails. */
struct bc_iter_session *bc_iter_session_new(struct bc_prog *prog, const struct bc_iter_target_ops *target, const struct bc_iter_aim *aim);
int bc_iter_session_fd(struct bc_iter_session *s);
void bc_iter_aim_get(const struct bc_iter_aim *aim);
void bc_iter_aim_put(const struct bc_iter_aim *aim);

/* ---- tasks.c: the walk that all targets of tasks share ---- */

struct bc_task_walk {
	struct pid_namespace *ns;	/* of who reads, with a reference */
	enum bc_task_choice tasks;
	u32 pid;
	u32 tid;			/* where it stands */
};

int bc_tasks_attach(const union bpf_iter_link_info *info, struct bc_iter_aim *aim);
void bc_tasks_fill_info(const struct bc_iter_aim *aim, struct bpf_link_info *info);
void bc_tasks_show_fdinfo(const struct bc_iter_aim *aim, struct seq_file *m);
void bc_tasks_open(struct bc_task_walk *w, const struct bc_iter_aim *aim);
void bc_tasks_close(struct bc_task_walk *w);
/* The first task at or behind w->tid, with a reference; sets w->tid. @leaders: without threads that share their leader's files. */
struct task_struct *bc_tasks_get(struct bc_task_walk *w, bool leaders);

/* ---- shadows.c: our objects in Linux's layout ---- */

/* Each is filled anew in the session's own memory. ERR_PTR(-ENOMEM); NULL where the kernel's BTF has no such struct. */
void *bc_shadow_map(struct bc_iter_session *s, const struct bc_map *map);
void *bc_shadow_prog(struct bc_iter_session *s, const struct bc_prog *prog);
void *bc_shadow_link(struct bc_iter_session *s, const struct bc_link *link);
/* @file itself, if it is not one of our objects'. */
void *bc_shadow_file(struct bc_iter_session *s, struct file *file);
void bc_shadows_free(struct bc_iter_session *s);

#endif
