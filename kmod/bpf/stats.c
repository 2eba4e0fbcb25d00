// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's own counters: the STATS request, and debugfs' bpfcompat/stats for people.
 */
#include "core.h"
#include <linux/debugfs.h>

static struct dentry *dir;

void bc_stats_fill(struct bpfcompat_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->commands = bc_commands_served();
	bc_run_totals(&stats->programs_run, &stats->missed);
	stats->memory = bc_memory_total();
	stats->memory_max = bc_memory_max();
	stats->maps = bc_objects_alive(BC_OBJ_MAP);
	stats->progs = bc_objects_alive(BC_OBJ_PROG);
	stats->links = bc_objects_alive(BC_OBJ_LINK);
	/* The kernel's own is nobody's: it comes with the first look and goes with the module. */
	stats->btfs = bc_objects_alive(BC_OBJ_BTF) - bc_btf_vmlinux_loaded();
}

static int show(struct seq_file *m, void *unused)
{
	struct bpfcompat_stats s;

	bc_stats_fill(&s);
	seq_printf(m, "commands: %llu\n", (unsigned long long)s.commands);
	seq_printf(m, "programs_run: %llu\n", (unsigned long long)s.programs_run);
	seq_printf(m, "missed: %llu\n", (unsigned long long)s.missed);
	seq_printf(m, "memory: %llu\n", (unsigned long long)s.memory);
	seq_printf(m, "memory_max: %llu\n", (unsigned long long)s.memory_max);
	seq_printf(m, "maps: %u\nprogs: %u\nlinks: %u\nbtfs: %u\n", s.maps, s.progs, s.links, s.btfs);
	return 0;
}

static int open(struct inode *inode, struct file *file)
{
	return single_open(file, show, NULL);
}

static const struct file_operations stats_fops = {
	.owner = THIS_MODULE,
	.open = open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

int bc_stats_init(void)
{
	dir = debugfs_create_dir("bpfcompat", NULL);
	if (IS_ERR_OR_NULL(dir))
		dir = NULL;	/* no debugfs: the request remains */
	else
		debugfs_create_file("stats", 0444, dir, NULL, &stats_fops);
	return 0;
}

void bc_stats_exit(void)
{
	debugfs_remove_recursive(dir);
}
