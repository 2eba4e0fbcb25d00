// SPDX-License-Identifier: GPL-2.0-only
/*
 * Iterators over hash maps: a position is a bucket and how many of its elements were shown. Elements stay readable as long as the map does,
 * so one may be shown though it was deleted, or became another, in the meantime.
 */
#include "hashtab.h"

static u32 bucket_of(const struct bc_htab *htab, const struct htab_elem *e)
{
	return READ_ONCE(e->hash) & (htab->bucket_cnt - 1);
}

/* Inside the guard. */
static struct htab_elem *at_place(struct bc_htab *htab, const struct bc_map_pos *pos)
{
	struct hlist_nulls_node *n;
	struct htab_elem *e;
	u32 nr = 0;

	hlist_nulls_for_each_entry_rcu(e, n, &htab->buckets[pos->at].head, node)
		if (nr++ >= pos->shown)
			return e;
	return NULL;
}

/*
 * Inside the guard. A deleted element still leads to the one that came after it, so that a program may delete what it is shown; one that is in
 * another bucket by now leads nowhere.
 */
static struct htab_elem *behind(struct bc_htab *htab, const struct bc_map_pos *pos, struct htab_elem *last)
{
	struct hlist_nulls_node *n = READ_ONCE(last->node.next);
	struct htab_elem *e;

	if (bucket_of(htab, last) != pos->at)
		return at_place(htab, pos);
	if (is_a_nulls(n))
		return NULL;
	e = hlist_nulls_entry(n, struct htab_elem, node);
	return bucket_of(htab, e) == pos->at ? e : at_place(htab, pos);
}

void *htab_walk(struct bc_map *map, struct bc_map_pos *pos, void *last)
{
	struct bc_htab *htab = htab_of(map);
	struct htab_elem *e = NULL;

	if (last)
		pos->shown++;
	while (pos->at < htab->bucket_cnt) {
		if (last || !is_a_nulls(READ_ONCE(htab->buckets[pos->at].head.first))) {
			bc_syscall_enter();
			e = last ? behind(htab, pos, last) : at_place(htab, pos);
			bc_syscall_exit();
			if (e)
				break;
		}
		last = NULL;
		pos->shown = 0;
		if (!(++pos->at % 4096))
			cond_resched();
	}
	return e;
}

void htab_walk_elem(struct bc_map *map, struct bc_map_pos *pos, void *elem, void *copy, void **key, void **value)
{
	struct bc_htab *htab = htab_of(map);
	struct htab_elem *e = elem;

	*key = e->key;
	if (!copy) {
		*value = htab_value(htab, e);
		return;
	}
	bc_syscall_enter();
	htab_copy_out(htab, e, copy, 0);
	bc_syscall_exit();
	*value = copy;
}
