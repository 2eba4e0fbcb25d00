// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of an object: made, published under an id, referenced, and freed from a work queue once no probe can see it any more.
 */
#include "core.h"

struct kind {
	struct idr ids;
	spinlock_t lock;	/* guards ids; taken in process context */
	atomic_t alive;		/* initialised and not yet freed */
};

static struct kind kinds[__BC_OBJ_KINDS];
static struct workqueue_struct *free_queue;

int bc_object_init(struct bc_object *obj, enum bc_obj_kind kind, const struct bc_obj_ops *ops)
{
	atomic_set(&obj->refs, 1);
	obj->id = 0;
	obj->kind = kind;
	obj->ops = ops;
	obj->uid = current_uid();
	atomic_inc(&kinds[kind].alive);
	/* Whoever holds a reference runs our code sooner or later. */
	__module_get(THIS_MODULE);
	return 0;
}

int bc_object_publish(struct bc_object *obj)
{
	struct kind *k = &kinds[obj->kind];
	int id;

	idr_preload(GFP_KERNEL);
	spin_lock(&k->lock);
	/* Ids rise, as Linux's do: a client that saw an id does not soon meet another object under it. */
	id = idr_alloc_cyclic(&k->ids, obj, 1, INT_MAX, GFP_NOWAIT);
	if (id > 0)
		obj->id = id;
	spin_unlock(&k->lock);
	idr_preload_end();
	return id < 0 ? id : 0;
}

void bc_object_get(struct bc_object *obj)
{
	atomic_inc(&obj->refs);
}

bool bc_object_get_unless_zero(struct bc_object *obj)
{
	return atomic_inc_not_zero(&obj->refs);
}

static void free_object(struct work_struct *work)
{
	struct bc_object *obj = container_of(work, struct bc_object, free_work);
	struct kind *k = &kinds[obj->kind];

	if (obj->id) {
		spin_lock(&k->lock);
		idr_remove(&k->ids, obj->id);
		spin_unlock(&k->lock);
	}
	if (obj->kind == BC_OBJ_MAP)
		bc_sleepers_wait();	/* one may have found it in another map */
	obj->ops->free(obj);
	atomic_dec(&k->alive);
}

static void after_grace(struct rcu_head *rcu)
{
	struct bc_object *obj = container_of(rcu, struct bc_object, rcu);

	INIT_WORK(&obj->free_work, free_object);
	queue_work(free_queue, &obj->free_work);
}

bool bc_object_put_last(struct bc_object *obj)
{
	return atomic_dec_and_test(&obj->refs);
}

void bc_object_free_later(struct bc_object *obj)
{
	bc_call_rcu_sched(&obj->rcu, after_grace);
	/* What remains is waited for at unload (bc_objects_flush), so it need not hold the module. */
	module_put(THIS_MODULE);
}

void bc_object_put(struct bc_object *obj)
{
	if (bc_object_put_last(obj))
		bc_object_free_later(obj);
}

struct bc_object *bc_object_by_id(enum bc_obj_kind kind, u32 id)
{
	struct kind *k = &kinds[kind];
	struct bc_object *obj;

	if (!id || id > INT_MAX)
		return NULL;
	spin_lock(&k->lock);
	obj = idr_find(&k->ids, id);
	if (obj && !bc_object_get_unless_zero(obj))
		obj = NULL;
	spin_unlock(&k->lock);
	return obj;
}

u32 bc_object_next_id(enum bc_obj_kind kind, u32 id)
{
	struct kind *k = &kinds[kind];
	struct bc_object *obj;
	int next = id;

	if (id >= INT_MAX)
		return 0;
	spin_lock(&k->lock);
	do {
		next++;
		obj = idr_get_next(&k->ids, &next);
		/* One that is being freed is gone already, for whoever asks. */
	} while (obj && !atomic_read(&obj->refs));
	spin_unlock(&k->lock);
	return obj ? next : 0;
}

u32 bc_objects_alive(enum bc_obj_kind kind)
{
	return atomic_read(&kinds[kind].alive);
}

static u32 all_alive(void)
{
	u32 i, n = 0;

	for (i = 0; i < __BC_OBJ_KINDS; i++)
		n += bc_objects_alive(i);
	return n;
}

/* Freeing one object may drop the last reference to others: a chain of a few (link, program, map, map in it, BTF). */
void bc_objects_flush(void)
{
	int round;

	for (round = 0; round < 10; round++) {
		bc_rcu_barrier_sched();
		flush_workqueue(free_queue);
		if (!all_alive())
			break;
	}
}

int bc_objects_init(void)
{
	int i;

	for (i = 0; i < __BC_OBJ_KINDS; i++) {
		idr_init(&kinds[i].ids);
		spin_lock_init(&kinds[i].lock);
	}
	free_queue = alloc_workqueue("bpfcompat", 0, 0);
	return free_queue ? 0 : -ENOMEM;
}

void bc_objects_exit(void)
{
	u32 alive;
	int i;

	bc_objects_flush();
	alive = all_alive();
	destroy_workqueue(free_queue);
	for (i = 0; i < __BC_OBJ_KINDS; i++)
		idr_destroy(&kinds[i].ids);
	if (alive || bc_memory_total())
		pr_err(BC_LOG "leak: objects=%u (maps=%u progs=%u btfs=%u links=%u) bytes=%llu\n", alive,
		       bc_objects_alive(BC_OBJ_MAP), bc_objects_alive(BC_OBJ_PROG), bc_objects_alive(BC_OBJ_BTF),
		       bc_objects_alive(BC_OBJ_LINK), (unsigned long long)bc_memory_total());
	else
		pr_info(BC_LOG "unloaded, objects=0 bytes=0\n");
}
