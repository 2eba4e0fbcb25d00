// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF_MAP_TYPE_DEVMAP and DEVMAP_HASH: network devices by index and by key, each with a program for what is sent through it. Programs only
 * look up here; what changes a map is a system call, or a device that is unregistered and must leave all maps, or it could not go.
 *
 * Nothing is sent in a test run, and so the programs are held but never run.
 */
#include "maps.h"
#include "../compat/netdev.h"
#include "../compat/rcu.h"
#include <linux/nsproxy.h>

struct dev_entry {
	struct dev_entry *next;		/* in its bucket */
	struct dev_entry *next_gone;	/* among those that were taken out */
	struct net_device *dev;		/* a reference */
	struct bc_prog *prog;		/* a reference, or NULL */
	u32 key;
	struct bpf_devmap_val value;
};

struct bc_devmap {
	struct bc_map map;
	struct list_head all;		/* among the devmaps */
	struct dev_entry **heads;
	u32 head_cnt;			/* of a hash a power of two; otherwise each has one element at most */
	u32 cnt;
};

/* Whoever changes a map, and the list: a device is looked up and put in before its unregistering looks for it, or is not found any more. */
static DEFINE_MUTEX(changing);
static LIST_HEAD(devmaps);

static struct bc_devmap *devmap_of(const struct bc_map *map)
{
	return container_of(map, struct bc_devmap, map);
}

static bool is_hash(const struct bc_devmap *dm)
{
	return dm->map.desc.type == BPF_MAP_TYPE_DEVMAP_HASH;
}

/* ---- finding: inside the guard, or while nothing changes ---- */

/* NULL: an index past the end. */
static struct dev_entry **head_of(const struct bc_devmap *dm, u32 key)
{
	u32 at = is_hash(dm) ? key & (dm->head_cnt - 1) : key;

	return likely(at < dm->head_cnt) ? &dm->heads[at] : NULL;
}

static struct dev_entry *find(const struct bc_devmap *dm, u32 key)
{
	struct dev_entry **head = head_of(dm, key), *e;

	for (e = head ? smp_load_acquire(head) : NULL; e; e = READ_ONCE(e->next))
		if (e->key == key)
			return e;
	return NULL;
}

static void *devmap_lookup(struct bc_map *map, const void *key)
{
	struct dev_entry *e = find(devmap_of(map), READ_ONCE(*(const u32 *)key));

	return e ? &e->value : NULL;
}

/* ---- changing: with the mutex held ---- */

static void take_out(struct bc_devmap *dm, struct dev_entry **at, struct dev_entry **gone)
{
	struct dev_entry *e = *at;

	WRITE_ONCE(*at, e->next);
	dm->cnt--;
	e->next_gone = *gone;
	*gone = e;
}

/* Where that element hangs. */
static struct dev_entry **place_of(const struct bc_devmap *dm, const struct dev_entry *e)
{
	struct dev_entry **at = head_of(dm, e->key);

	while (*at != e)
		at = &(*at)->next;
	return at;
}

/* As the first of its bucket: who looks for its key finds it before one that is to be taken out. */
static void put_in(struct bc_devmap *dm, struct dev_entry *e)
{
	struct dev_entry **head = head_of(dm, e->key);

	e->next = *head;
	smp_store_release(head, e);
	dm->cnt++;
}

static void entry_free(struct bc_devmap *dm, struct dev_entry *e)
{
	if (e->prog)
		bc_prog_put(e->prog);
	if (e->dev)
		dev_put(e->dev);
	bc_free(&dm->map.obj, e, sizeof(*e));
}

/* Those that were taken out, when no program can see them any more. */
static void free_gone(struct bc_devmap *dm, struct dev_entry *gone)
{
	struct dev_entry *next;

	if (gone)
		bc_synchronize_sched();
	for (; gone; gone = next) {
		next = gone->next_gone;
		entry_free(dm, gone);
	}
}

static struct bc_prog *prog_for(struct bc_map *map, int fd)
{
	struct bc_prog *prog = bc_prog_get_fd(fd);

	if (IS_ERR(prog))
		return NULL;
	if (prog->type == BPF_PROG_TYPE_XDP && prog->expected_attach_type == BPF_XDP_DEVMAP && bc_prog_map_compatible(map, prog))
		return prog;
	bc_prog_put(prog);
	return NULL;
}

/* A new element; NULL: there is no such device, or the program is none for it, and Linux has one answer for both. */
static struct dev_entry *entry_new(struct bc_devmap *dm, u32 key, const struct bpf_devmap_val *value)
{
	struct dev_entry *e = bc_alloc(&dm->map.obj, sizeof(*e));

	if (!e)
		return ERR_PTR(-ENOMEM);
	e->key = key;
	e->value.ifindex = value->ifindex;
	e->dev = dev_get_by_index(current->nsproxy->net_ns, value->ifindex);
	if (!e->dev)
		goto fail;
	if (value->bpf_prog.fd <= 0)
		return e;
	e->prog = prog_for(&dm->map, value->bpf_prog.fd);
	if (!e->prog)
		goto fail;
	e->value.bpf_prog.id = e->prog->obj.id;
	return e;
fail:
	entry_free(dm, e);
	return ERR_PTR(-EINVAL);
}

/* ---- system calls ---- */

static int check_index(const struct bc_devmap *dm, u32 key, const struct bpf_devmap_val *value, u64 flags)
{
	if (flags > BPF_EXIST)
		return -EINVAL;
	if (key >= dm->head_cnt)
		return -E2BIG;
	if (flags == BPF_NOEXIST)
		return -EEXIST;
	return !value->ifindex && value->bpf_prog.fd > 0 ? -EINVAL : 0;
}

static int check_key(const struct bc_devmap *dm, u32 key, const struct bpf_devmap_val *value, u64 flags)
{
	if (flags > BPF_EXIST || !value->ifindex)
		return -EINVAL;
	return flags == BPF_NOEXIST && find(dm, key) ? -EEXIST : 0;
}

static int replace(struct bc_devmap *dm, u32 key, const struct bpf_devmap_val *value, u64 flags, struct dev_entry **gone)
{
	int err = is_hash(dm) ? check_key(dm, key, value, flags) : check_index(dm, key, value, flags);
	struct dev_entry *old, *new = NULL;

	if (err)
		return err;
	old = find(dm, key);
	if (value->ifindex) {
		new = entry_new(dm, key, value);
		if (IS_ERR(new))
			return PTR_ERR(new);
		if (!old && dm->cnt >= dm->map.desc.max_entries) {
			entry_free(dm, new);
			return -E2BIG;
		}
		put_in(dm, new);
	}
	if (old)
		take_out(dm, place_of(dm, old), gone);
	return 0;
}

static int devmap_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	struct bc_devmap *dm = devmap_of(map);
	struct bpf_devmap_val given = { 0 };
	struct dev_entry *gone = NULL;
	int err;

	memcpy(&given, value, map->desc.value_size);
	mutex_lock(&changing);
	err = replace(dm, *(const u32 *)key, &given, flags, &gone);
	mutex_unlock(&changing);
	free_gone(dm, gone);
	return err;
}

static int devmap_sys_delete(struct bc_map *map, const void *key)
{
	struct bc_devmap *dm = devmap_of(map);
	struct dev_entry *old, *gone = NULL;
	u32 k = *(const u32 *)key;

	if (!head_of(dm, k))
		return -EINVAL;
	mutex_lock(&changing);
	old = find(dm, k);
	if (old)
		take_out(dm, place_of(dm, old), &gone);
	mutex_unlock(&changing);
	free_gone(dm, gone);
	return old || !is_hash(dm) ? 0 : -ENOENT;
}

/* The first key behind that one, in the buckets' order; from the start where it is none. */
static int hash_next_key(struct bc_devmap *dm, const u32 *key, u32 *next)
{
	struct dev_entry *e = key ? find(dm, *key) : NULL;
	u32 at = 0;

	if (e) {
		at = head_of(dm, *key) - dm->heads + 1;
		e = e->next;
	}
	for (; !e && at < dm->head_cnt; at++) {
		e = dm->heads[at];
		if (!(at % 4096))
			cond_resched();
	}
	if (!e)
		return -ENOENT;
	*next = e->key;
	return 0;
}

static int devmap_sys_next_key(struct bc_map *map, const void *key, void *next)
{
	struct bc_devmap *dm = devmap_of(map);
	int err;

	if (!is_hash(dm))
		return bc_array_next_key(map, key, next);
	mutex_lock(&changing);
	err = hash_next_key(dm, key, next);
	mutex_unlock(&changing);
	return err;
}

/* ---- devices that go ---- */

static void remove_dev(struct bc_devmap *dm, const struct net_device *dev)
{
	struct dev_entry *gone = NULL, **at;
	u32 i;

	for (i = 0; dm->cnt && i < dm->head_cnt; i++) {
		for (at = &dm->heads[i]; *at;) {
			if ((*at)->dev == dev)
				take_out(dm, at, &gone);
			else
				at = &(*at)->next;
		}
		if (!(i % 4096))
			cond_resched();
	}
	free_gone(dm, gone);
}

static int notified(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct net_device *dev = compat_notified_dev(ptr);
	struct bc_devmap *dm;

	if (event != NETDEV_UNREGISTER)
		return NOTIFY_DONE;
	mutex_lock(&changing);
	list_for_each_entry(dm, &devmaps, all)
		remove_dev(dm, dev);
	mutex_unlock(&changing);
	return NOTIFY_DONE;
}

static struct notifier_block notifier = {
	.notifier_call = notified,
};

int bc_devmap_init(void)
{
	return register_netdevice_notifier(&notifier);
}

void bc_devmap_exit(void)
{
	unregister_netdevice_notifier(&notifier);
}

/* ---- maps ---- */

/* A program that is in the map may use it, and the two would hold each other for ever. It is never run: that it was there is left. */
static void release_uref(struct bc_map *map)
{
	struct bc_devmap *dm = devmap_of(map);
	struct dev_entry *e;
	u32 i;

	mutex_lock(&changing);
	for (i = 0; dm->cnt && i < dm->head_cnt; i++) {
		for (e = dm->heads[i]; e; e = e->next) {
			if (e->prog)
				bc_prog_put(e->prog);
			e->prog = NULL;
		}
		if (!(i % 4096))
			cond_resched();
	}
	mutex_unlock(&changing);
}

static void devmap_free(struct bc_map *map)
{
	struct bc_devmap *dm = devmap_of(map);
	struct dev_entry *e, *next;
	u32 i;

	mutex_lock(&changing);
	list_del(&dm->all);
	mutex_unlock(&changing);
	for (i = 0; i < dm->head_cnt; i++) {
		for (e = dm->heads[i]; e; e = next) {
			next = e->next;
			entry_free(dm, e);
		}
		if (!(i % 4096))
			cond_resched();
	}
	bc_free(&map->obj, dm->heads, (size_t)dm->head_cnt * sizeof(*dm->heads));
	bc_map_delete(dm, sizeof(*dm));
}

#define KNOWN_FLAGS (BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY)

static struct bc_map *devmap_alloc(const union bpf_attr *attr)
{
	bool hash = attr->map_type == BPF_MAP_TYPE_DEVMAP_HASH;
	struct bc_devmap *dm;

	if (!capable(CAP_NET_ADMIN))
		return ERR_PTR(-EPERM);
	if (!attr->max_entries || attr->key_size != sizeof(u32) || (attr->map_flags & ~KNOWN_FLAGS) ||
	    (attr->value_size != offsetofend(struct bpf_devmap_val, ifindex) && attr->value_size != sizeof(struct bpf_devmap_val)) ||
	    (hash && attr->max_entries > 1u << 31))
		return ERR_PTR(-EINVAL);
	dm = bc_map_new(attr, sizeof(*dm));
	if (!dm)
		return ERR_PTR(-ENOMEM);
	dm->map.desc.flags |= BPF_F_RDONLY_PROG;	/* programs must not write what they are shown */
	dm->head_cnt = hash ? roundup_pow_of_two((unsigned long)attr->max_entries) : attr->max_entries;
	dm->heads = bc_alloc(&dm->map.obj, (size_t)dm->head_cnt * sizeof(*dm->heads));
	if (!dm->heads) {
		bc_map_delete(dm, sizeof(*dm));
		return ERR_PTR(-ENOMEM);
	}
	mutex_lock(&changing);
	list_add_tail(&dm->all, &devmaps);
	mutex_unlock(&changing);
	return &dm->map;
}

const struct bc_map_ops bc_devmap_ops = {
	.alloc = devmap_alloc,
	.free = devmap_free,
	.release_uref = release_uref,
	.lookup = devmap_lookup,
	.sys_update = devmap_sys_update,
	.sys_delete = devmap_sys_delete,
	.sys_next_key = devmap_sys_next_key,
};
