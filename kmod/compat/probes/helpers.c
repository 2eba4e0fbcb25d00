/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of what the helpers read: memory that may fault, clocks, cgroups, namespaces. */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/cgroup.h>
#include <linux/nsproxy.h>
#include <linux/perf_event.h>
#include <linux/pid_namespace.h>
#include <linux/uaccess.h>
#include <net/sock.h>

#line 1 "BASELINE"
static inline void probe_baseline(void) { might_sleep(); }

#line 1 "HAVE_COPY_FROM_KERNEL_NOFAULT"
static inline long probe_nofault(void) { return copy_from_kernel_nofault(NULL, NULL, 0) + copy_from_user_nofault(NULL, NULL, 0); }

#line 1 "HAVE_CGROUP_DFL"
static inline u64 probe_cgroup_dfl(void) { return cgroup_id(task_dfl_cgroup(current)); }

#line 1 "HAVE_CGROUP_RSTAT"
static inline bool probe_rstat(struct cgroup *c) { return c->self.cgroup == c && c->rstat_cpu; }

#line 1 "HAVE_CGROUP_WALK"
static inline u64 probe_cgroup_walk(struct cgroup *c)
{
	css_next_descendant_pre(c->self.parent, &c->self);
	css_put(&c->self);
	cgroup_path_ns(c, NULL, 0, current->nsproxy->cgroup_ns);
	return cgroup_id(cgroup_get_from_id(0)) + cgroup_id(cgroup_get_from_path("/")) + CSS_ONLINE;
}

#line 1 "HAVE_SOCK_COOKIE"
static inline u64 probe_cookie(struct sock *sk) { return atomic64_read(&sk->sk_cookie); }

#line 1 "HAVE_NS_COMMON"
static inline u64 probe_ns_common(struct pid_namespace *ns) { return ns->ns.inum; }

#line 1 "HAVE_PERF_EVENT_READ_LOCAL"
static inline int probe_perf_read(struct perf_event *e, u64 *v) { return perf_event_read_local(e, v, v, v); }

#line 1 "HAVE_PERF_SAMPLE_FLAGS"
static inline u64 probe_sample_flags(struct perf_sample_data *d) { return d->sample_flags & PERF_SAMPLE_BRANCH_STACK; }
