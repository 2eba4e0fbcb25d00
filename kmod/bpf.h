/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module's object model: maps, programs, links and BTF with ids, references, memory accounting and fds; the operations that
 * each family of maps, each kind of attachment and each family of helpers fills in.
 */
#ifndef BPFCOMPAT_BPF_H
#define BPFCOMPAT_BPF_H

#include "uapi/bpf_abi.h"	/* before any kernel header: see there */
#include "uapi/btf_abi.h"
#include "uapi/bpfcompat.h"
#include "compat/compat.h"	/* the kernel's headers, with a modern interface */
#include "compat/stack.h"
#include "../verifier/verifier.h"
#include "../verifier/btf.h"
#include "exec/jit.h"

#define BC_LOG "bpfcompat: "

/* ---- objects (bpf/object.c) ---- */

enum bc_obj_kind { BC_OBJ_MAP, BC_OBJ_PROG, BC_OBJ_BTF, BC_OBJ_LINK, __BC_OBJ_KINDS };

struct bc_object;
struct bc_obj_ops {
	/* Frees the object; process context, after the last reference went. */
	void (*free)(struct bc_object *obj);
};

struct bc_object {
	atomic_t refs;
	u32 id;			/* 0 until published */
	u8 kind;		/* enum bc_obj_kind */
	const struct bc_obj_ops *ops;
	atomic64_t bytes;	/* charged, in bytes; counts from before bc_object_init() */
	kuid_t uid;		/* of the creator */
	struct work_struct free_work;
	struct rcu_head rcu;
};

int bc_object_init(struct bc_object *obj, enum bc_obj_kind kind, const struct bc_obj_ops *ops);
/* Gives the object its id and makes it findable; last step of creation. 0 or -ENOMEM/-ENOSPC. */
int bc_object_publish(struct bc_object *obj);
void bc_object_get(struct bc_object *obj);
/* Fails when the last reference is gone (RCU look-ups by id). */
bool bc_object_get_unless_zero(struct bc_object *obj);
/* Any context; the object is freed from a work queue, after an RCU-sched grace period, so probes may still be using it. */
void bc_object_put(struct bc_object *obj);
/* With a reference, or NULL. */
struct bc_object *bc_object_by_id(enum bc_obj_kind kind, u32 id);
/* Next id above @id; 0 when there is none. */
u32 bc_object_next_id(enum bc_obj_kind kind, u32 id);

/* ---- memory (bpf/memory.c): counted per object and in total, capped by the module parameter max_memory ---- */

/*
 * Zeroed, page-backed when large, never for use in a probe (may sleep). NULL past the cap. @obj NULL: counted in the total alone (what
 * holds the object itself; it must be gone from obj->bytes before the object is). @size on freeing is the size asked for.
 */
void *bc_alloc(struct bc_object *obj, size_t size);
void *bc_alloc_user(struct bc_object *obj, size_t size);	/* page aligned: may be mapped into a process */
void bc_free(struct bc_object *obj, void *p, size_t size);	/* what bc_alloc gave, or NULL */
void bc_free_user(struct bc_object *obj, void *p, size_t size);
/* One block of @size bytes for each possible CPU, cache-line aligned; works where alloc_percpu must not. */
void *bc_alloc_percpu(struct bc_object *obj, size_t size);	/* opaque: use bc_percpu_ptr */
/* Counts memory that comes from elsewhere; false past the cap. */
bool bc_memory_charge(struct bc_object *obj, size_t size);
void bc_memory_uncharge(struct bc_object *obj, size_t size);
void bc_free_percpu(struct bc_object *obj, void *p, size_t size);
void *bc_percpu_ptr(void *p, size_t size, int cpu);
u64 bc_memory_total(void);

/* ---- maps (bpf/map_cmd.c, maps/) ---- */

struct bc_map;
struct bc_prog;

typedef u64 bc_callback;	/* the value a program passed for a callback function */

typedef void *(*bc_lookup_fn)(struct bc_map *map, const void *key);

/* Where an iterator stands in a map. */
struct bc_map_pos {
	u32 at;			/* bucket of a hash, index in an array */
	u32 shown;		/* elements of the bucket */
};

struct bc_map_ops {
	/* Refuses bad attributes with Linux's errno; before any allocation. */
	int (*alloc_check)(const union bpf_attr *attr);
	/* The map, with desc, ops and obj left to the caller to fill, or ERR_PTR. @obj: charge memory to it (it is inside the map). */
	struct bc_map *(*alloc)(const union bpf_attr *attr);
	void (*free)(struct bc_map *map);
	/* Drops what the map holds (programs, events) when its last fd goes though programs may still reference it (prog array). Optional. */
	void (*release_uref)(struct bc_map *map);
	/* One of the map's fds (with its dups) was closed. Optional. */
	void (*release_file)(struct bc_map *map, const struct file *map_file);

	/* From programs and, under the guard, from system calls: any context, never sleep, never allocate from the slab. */
	bc_lookup_fn lookup;
	bc_lookup_fn (*lookup_of)(const struct bc_map *map);	/* one that is made for maps like this one. Optional */
	long (*update)(struct bc_map *map, const void *key, const void *value, u64 flags);
	long (*delete)(struct bc_map *map, const void *key);
	long (*push)(struct bc_map *map, const void *value, u64 flags);
	long (*pop)(struct bc_map *map, void *value);
	long (*peek)(struct bc_map *map, void *value);
	void *(*lookup_percpu)(struct bc_map *map, const void *key, u32 cpu);
	long (*for_each)(struct bc_map *map, bc_callback cb, u64 ctx, u64 flags);

	/*
	 * For iterators, process context: the element at @pos, or, given @last, the one behind that; NULL past the end. What it is: its key and
	 * value stay readable as long as the map does; with @copy, the value is copied there in the user's layout. NULL: none of these.
	 */
	void *(*walk)(struct bc_map *map, struct bc_map_pos *pos, void *last);
	void (*walk_elem)(struct bc_map *map, struct bc_map_pos *pos, void *elem, void *copy, void **key, void **value);

	/* From system calls. Values are in the user's layout (per-CPU maps: round_up(value_size, 8) for each possible CPU). */
	int (*sys_lookup)(struct bc_map *map, const void *key, void *value, u64 flags);
	int (*sys_update)(struct bc_map *map, const void *key, const void *value, u64 flags);	/* default: update under the guard */
	/* Where it matters through which fd of the map a value comes (perf event arrays); instead of sys_update. */
	int (*sys_update_file)(struct bc_map *map, struct file *map_file, const void *key, const void *value, u64 flags);
	int (*sys_delete)(struct bc_map *map, const void *key);
	int (*sys_lookup_and_delete)(struct bc_map *map, const void *key, void *value, u64 flags);
	int (*sys_next_key)(struct bc_map *map, const void *key, void *next);	/* key NULL: the first */
	size_t (*sys_value_size)(const struct bc_map *map);	/* default: value_size */
	/* Batches: NULL is -ENOTSUPP; generic ones in bpf/map_batch.c, hash maps have their own */
	int (*lookup_batch)(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr);
	int (*lookup_and_delete_batch)(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr);
	int (*update_batch)(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr);
	int (*delete_batch)(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr);

	/* Fds as values (prog array, perf event array, cgroup array): sys_update is given the fd. */
	void (*show_fdinfo)(struct bc_map *map, struct seq_file *m);
	u64 (*direct_addr)(struct bc_map *map, u32 off);	/* address of byte off of value 0, or 0 */
	int (*mmap)(struct bc_map *map, struct vm_area_struct *vma);
	unsigned int (*poll)(struct bc_map *map, struct file *file, struct poll_table_struct *pts);
};

struct bc_map {
	struct bc_map_desc desc;	/* first: programs hold its address */
	struct bc_object obj;
	const struct bc_map_ops *ops;
	struct bc_btf *btf;
	bool frozen;
	atomic_t writers;		/* writable mappings and system calls at work: hold off freezing */
	struct mutex freeze_lock;
	atomic_t urefs;			/* fds and pins */
	struct bc_timers *timers;	/* NULL when its values hold none (maps/timer.c) */
	/* programs that are in one map, or use one map of programs, must be alike */
	spinlock_t owner_lock;
	u32 owner_type;
	u32 owner_attach_type;
	u32 owner_attach_proto;		/* of functions: their programs share a context only then */
	bool owner_jited;
	bool owner_xdp_frags;
	bool owner_set;
};

static inline struct bc_map *bc_map_of(struct bc_map_desc *desc)
{
	return container_of(desc, struct bc_map, desc);
}

/* Table of map types, NULL where there is none (maps/table.c). */
const struct bc_map_ops *bc_map_ops_for(u32 map_type);
/* Reference to the map behind an fd; ERR_PTR(-EBADF), ERR_PTR(-EINVAL) for an fd of another kind. */
struct bc_map *bc_map_get_fd(u32 fd);
void bc_map_get(struct bc_map *map);
void bc_map_put(struct bc_map *map);
void bc_map_uref_get(struct bc_map *map);
void bc_map_uref_put(struct bc_map *map);
/* Copies a value without tearing 8-byte words, leaving out spin lock and timer. */
void bc_map_copy_value(struct bc_map *map, void *dst, const void *src);

/* ---- programs (bpf/prog.c) ---- */

struct bc_prog_stats {		/* per CPU */
	u64 cnt, nsecs, misses;
};

struct bc_prog {
	struct bc_exec_prog exec;	/* what runs; points into v */
	u64 (*entry)(const void *ctx, void *stack);	/* generated code, or the interpreter: bc_run_prepare() */
	u32 stack_needed;		/* bytes of kernel stack */
	u32 page_needed;		/* of its page, if that is to do without a look at the rest; UINT_MAX: with care, come what may */
	struct list_head runnable;	/* all that bc_run_prepare() has seen */
	struct bc_object obj;
	struct bc_verified v;
	u32 type;
	u32 expected_attach_type;
	bool gpl;
	bool xdp_frags;			/* BPF_F_XDP_HAS_FRAGS */
	bool sock_cookies;		/* holds bc_sock_cookies_get() */
	char name[BPF_OBJ_NAME_LEN];
	u8 tag[BPF_TAG_SIZE];
	u64 load_time;			/* CLOCK_BOOTTIME, ns */
	struct bc_btf *btf;
	u32 attach_btf_id;
	struct bc_prog_stats *stats;	/* bc_alloc_percpu */
	struct mutex maps_lock;		/* guards bound_maps (PROG_BIND_MAP) */
	struct bc_map **bound_maps;
	u32 bound_map_cnt;
	struct bc_jit_image jit;	/* offsets in the generated code, */
	void *jit_memory;		/* which is here; NULL: interpreted */
	size_t jit_size;		/* bytes in whole pages */
	struct compat_ksym **jit_symbols;	/* by subprogram, each may be NULL */
};

struct bc_prog *bc_prog_get_fd(u32 fd);	/* as bc_map_get_fd */
void bc_prog_get(struct bc_prog *prog);
void bc_prog_put(struct bc_prog *prog);

/* ---- running (bpf/run.c) ---- */

/* What helpers know of the run they are in; one per CPU, like the guard. */
struct bc_run {
	const struct bc_prog *prog;
	void *ctx;			/* as given to the program */
	struct pt_regs *regs;		/* of the event, where there is any; bc_run_regs() knows those of trace records */
	u64 cookie;			/* bpf_get_attach_cookie */
	u64 func_ip;			/* bpf_get_func_ip; not of trace records */
	struct perf_event *event;	/* perf_event programs */
	void *event_data;		/* struct perf_sample_data * of a perf_event program */
	struct seq_file *seq;		/* what an iterator writes to; NULL in all other programs */
	struct sock *sock;		/* that an iterator shows, and holds meanwhile; NULL: none */
	int retval;			/* bpf_get_retval: of programs at hooks of cgroups, which nothing calls so far */
	struct compat_own_frames own;	/* where the stack leaves what programs run in */
	/* What stays from run to run. */
	void *stack;			/* that of programs on this CPU */
	struct bc_sleeper *sleeper;	/* of programs that may sleep; NULL: they may not */
	u64 runs;
};

/*
 * The per-CPU guard. True: programs and map operations may run on this CPU till bc_run_end(), with preemption off, in any context,
 * NMI included. False: this CPU is inside already (a probe hit in our own code or in a helper); the caller counts a miss.
 */
bool bc_run_begin(void);
void bc_run_end(void);

DECLARE_PER_CPU(int, bc_inside);
DECLARE_PER_CPU(struct bc_run *, bc_run_memory);

/* The same where preemption is off already, as it is in all probes: they come with every event, so this is inline. */
static inline bool bc_run_begin_atomic(void)
{
	/* What interrupts between the two leaves the first as it was. */
	if (unlikely(__this_cpu_read(bc_inside)))
		return false;
	__this_cpu_write(bc_inside, 1);
	barrier();
	return true;
}

static inline void bc_run_end_atomic(void)
{
	barrier();
	__this_cpu_write(bc_inside, 0);
}
/* The same for system calls that touch maps: keeps trying, never fails (process context). */
void bc_syscall_enter(void);
void bc_syscall_exit(void);

/* Inside the guard. */
static inline struct bc_run *bc_this_run(void)
{
	return __this_cpu_read(bc_run_memory);
}
/* Nothing of the last run on this CPU is to show in the next. */
static inline void bc_run_clear(struct bc_run *run)
{
	memset(run, 0, offsetof(struct bc_run, stack));
}

/* After code was generated: how @prog is run. Before it is freed: no longer. */
void bc_run_prepare(struct bc_prog *prog);
void bc_run_forget(struct bc_prog *prog);
/* Runs @prog on @ctx inside the guard; fills prog, ctx of bc_this_run(), counts statistics when enabled. */
u32 bc_prog_run(struct bc_prog *prog, void *ctx);
u32 bc_prog_run_with_care(struct bc_prog *prog, void *ctx);

/* The same without a call, for events: they pay for each instruction. @run: bc_this_run(). */
static __always_inline u32 bc_prog_run_here(struct bc_prog *prog, struct bc_run *run, void *ctx)
{
	unsigned long here = (unsigned long)__builtin_frame_address(0);
	u32 ret;

	/* All kernel stacks are whole pages: what is left of this one is left. */
	if (unlikely((here & (PAGE_SIZE - 1)) < prog->page_needed))
		return bc_prog_run_with_care(prog, ctx);
	run->prog = prog;
	run->ctx = ctx;
	run->own.frame = (void *)here;	/* there for as long as the program runs */
	run->runs++;
	ret = prog->entry(ctx, run->stack);
	barrier();	/* no tail call, or the frame would go before */
	return ret;
}

/* Registers of the event that the running program is called for, NULL without any. A trace record begins with their address. */
static inline struct pt_regs *bc_run_regs(const struct bc_run *run)
{
	return run->prog->type == BPF_PROG_TYPE_TRACEPOINT ? *(struct pt_regs *const *)run->ctx : run->regs;
}
/*
 * For a helper that calls what programs of events run in, and are not to miss: the run stands still in between, on memory of its own.
 * Process context, preemption off. One CPU at a time: others wait.
 */
struct bc_run_suspended {
	struct bc_run *run;
	struct bc_jit_cpu jit;
};
void bc_run_suspend(struct bc_run_suspended *s);
void bc_run_resume(const struct bc_run_suspended *s);

/*
 * Where programs sleep: memory to run in that is nobody else's. NULL: there is none. Process context.
 */
struct bc_sleeper *bc_sleeper_new(void);
void bc_sleeper_free(struct bc_sleeper *s);
/* bc_syscall_enter() and bc_syscall_exit() with bc_this_run() the sleeper's. What programs find in maps stays for all that time. */
void bc_sleeper_enter(struct bc_sleeper *s);
void bc_sleeper_exit(struct bc_sleeper *s);
/* For a helper, if bc_this_run()->sleeper: in between it may sleep, and comes back on any CPU. */
void bc_sleep_begin(struct bc_sleeper *s);
void bc_sleep_end(struct bc_sleeper *s);
/* Before memory is freed that programs cannot find any more, and after a grace period of RCU: none that sleeps has it still. */
void bc_sleepers_wait(void);

/* Calls a program's callback from a helper (bpf_loop, for_each). */
u64 bc_callback_call(bc_callback cb, u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);
/* Runs a callback of @prog by itself, inside the guard. */
void bc_prog_run_callback(struct bc_prog *prog, bc_callback cb, u64 r1, u64 r2, u64 r3);
void bc_prog_count_miss(struct bc_prog *prog);

/* An array of programs at one hook: replaced whole, read under RCU-sched. attach/prog_array.c. */
struct bc_hook_entry { struct bc_prog *prog; u64 cookie; };
struct bc_hook {
	struct rcu_head rcu;
	struct bc_prog *only;	/* where there is but one */
	u32 cnt;
	struct bc_hook_entry e[];
};

/* ---- links (bpf/link.c) ---- */

struct bc_link;
struct bc_link_ops {
	void (*release)(struct bc_link *link);	/* detaches; process context, once */
	void (*free)(struct bc_link *link);
	int (*detach)(struct bc_link *link);	/* BPF_LINK_DETACH; NULL is -EOPNOTSUPP */
	int (*update)(struct bc_link *link, struct bc_prog *new_prog, struct bc_prog *old_prog);
	int (*fill_info)(const struct bc_link *link, struct bpf_link_info *info, struct bpf_link_info __user *uinfo);
	void (*show_fdinfo)(const struct bc_link *link, struct seq_file *m);
};

struct bc_link {
	struct bc_object obj;
	u32 type;			/* enum bpf_link_type */
	const struct bc_link_ops *ops;
	struct bc_prog *prog;		/* a reference */
};

/* With a reference; NULL where there is none. */
struct bc_prog *bc_link_prog_get(const struct bc_link *link);
int bc_link_init(struct bc_link *link, u32 type, const struct bc_link_ops *ops, struct bc_prog *prog);
/* Publishes and returns a new fd, or a negative errno with the link released. */
int bc_link_fd(struct bc_link *link);
struct bc_link *bc_link_get_fd(u32 fd);
void bc_link_put(struct bc_link *link);

/* ---- fds (bpf/fd.c) ---- */

/*
 * New O_CLOEXEC fd on an anonymous inode named as Linux names it ("bpf-map", "bpf-prog", "bpf-link", "btf"); takes over the reference,
 * also when it fails. A map's uref is counted here. @flags: O_RDWR, O_RDONLY or O_WRONLY.
 */
int bc_object_fd(struct bc_object *obj, int flags);
/* A reference to the object behind an fd: ERR_PTR(-EBADF), ERR_PTR(-EINVAL) for another kind. */
struct bc_object *bc_object_get_fd(u32 fd, enum bc_obj_kind kind);
/* The object behind a file, of the wanted kind, without a new reference; NULL when it is not ours or of another kind. */
struct bc_object *bc_object_of_file(struct file *file, enum bc_obj_kind kind);

/* ---- BTF objects (bpf/btf_cmd.c) ---- */

/* The kernel's BTF as loaded by `bpfcompat btf load` or the kernel's own; NULL when there is none. Valid as long as the module. */
const struct bc_btf *bc_btf_vmlinux(void);
/* ... if it is at hand: from any context. */
const struct bc_btf *bc_btf_vmlinux_now(void);
/* With a reference; ERR_PTR(-EBADF), ERR_PTR(-EINVAL) for an fd of another kind. */
struct bc_btf *bc_btf_get_fd(u32 fd);
void bc_btf_get(struct bc_btf *btf);
void bc_btf_put(struct bc_btf *btf);
u32 bc_btf_id(const struct bc_btf *btf);

/* ---- commands (bpf/dispatch.c) ---- */

/* Each gets the attributes copied in, zero-filled past what the caller gave; @size is the caller's. */
typedef int (*bc_cmd_fn)(union bpf_attr *attr, union bpf_attr __user *uattr, u32 size);

/* The handlers are declared in bpf/commands.h. */

bool bc_capable(void);		/* CAP_SYS_ADMIN, or CAP_BPF where the kernel has it, in the initial user namespace */
bool bc_capable_perfmon(void);	/* CAP_SYS_ADMIN, or CAP_PERFMON */

/* ---- iterators (iter/) ---- */

int bc_iter_attach(const union bpf_attr *attr, struct bc_prog *prog, struct bc_link **link);
bool bc_iter_is_link(const struct bc_link *link);
/* Of the file that such a link is pinned to: who opens it begins a session (iter/session.c). */
extern const struct file_operations bc_iter_link_fops;
/* Can iterators over these be attached? */
bool bc_iter_offered(const char *name);
int bc_iter_init(void);

/* ---- attachment (attach/) ---- */

/* PERF_EVENT_IOC_SET_BPF (@link NULL) and LINK_CREATE on a perf event's fd share the first. */
/*
 * Both take references of their own to @prog. Without @link (NULL) the program goes when the event does. -EBADF: not a perf event.
 */
int bc_perf_event_attach(struct file *event_file, struct bc_prog *prog, u64 cookie, struct bc_link **link);
/* At the function that the program was loaded for. */
int bc_tracing_attach(struct bc_prog *prog, u64 cookie, struct bc_link **link);
int bc_raw_tp_open(const char *name, struct bc_prog *prog, struct bc_link **link);
/* BPFCOMPAT_IOC_SET_BPF. */
int bc_perf_event_set_bpf(int event_fd, u32 prog_fd);
/* Arguments of a tracepoint, 12 where that is unknown; -ENOENT. */
int bc_raw_tp_args(const char *name);

/* What BPF_TASK_FD_QUERY tells of a perf event or of a link; -ENOTSUPP: neither, -ENOENT: no program, -EOPNOTSUPP. */
struct bc_fd_query {
	u32 prog_id;
	u32 fd_type;		/* enum bpf_task_fd_type */
	char name[KSYM_NAME_LEN];
	u64 offset, addr;
};
int bc_perf_event_query(struct file *event_file, struct bc_fd_query *q);
int bc_link_query(const struct bc_link *link, struct bc_fd_query *q);

int bc_attach_init(void);
void bc_attach_exit(void);

/* Each subsystem's entry in the table of bpf/main.c, run in order and unwound in reverse. */
struct bc_subsystem {
	const char *name;
	int (*init)(void);
	void (*exit)(void);
};

/* ---- helpers (helpers/) ---- */

extern const bc_helper_fn bc_helper_table[];	/* indexed by helper number, helpers/table.c */
bool bc_helper_available(u32 func_id);

/* Helpers' declaration: u64 bc_h_NAME(u64 r1 ... r5). */
#define BC_HELPER(name) u64 bc_h_##name(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)

#endif
