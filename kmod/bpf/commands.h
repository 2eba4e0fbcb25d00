/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handlers of bpf(2)'s commands; see the table in dispatch.c.
 */
#ifndef BPFCOMPAT_COMMANDS_H
#define BPFCOMPAT_COMMANDS_H

#define BC_COMMAND(name) int bc_cmd_##name(union bpf_attr *attr, union bpf_attr __user *uattr, u32 size)

/* map_cmd.c */
BC_COMMAND(map_create);
BC_COMMAND(map_lookup_elem);
BC_COMMAND(map_update_elem);
BC_COMMAND(map_delete_elem);
BC_COMMAND(map_get_next_key);
BC_COMMAND(map_lookup_and_delete_elem);
BC_COMMAND(map_freeze);
/* map_batch.c */
BC_COMMAND(map_lookup_batch);
BC_COMMAND(map_lookup_and_delete_batch);
BC_COMMAND(map_update_batch);
BC_COMMAND(map_delete_batch);
/* prog.c */
BC_COMMAND(prog_load);
BC_COMMAND(prog_bind_map);
/* test_run.c */
BC_COMMAND(prog_test_run);
/* ids.c */
BC_COMMAND(prog_get_next_id);
BC_COMMAND(map_get_next_id);
BC_COMMAND(btf_get_next_id);
BC_COMMAND(link_get_next_id);
BC_COMMAND(prog_get_fd_by_id);
BC_COMMAND(map_get_fd_by_id);
BC_COMMAND(btf_get_fd_by_id);
BC_COMMAND(link_get_fd_by_id);
/* info.c */
BC_COMMAND(obj_get_info_by_fd);
BC_COMMAND(task_fd_query);
/* btf_cmd.c */
BC_COMMAND(btf_load);
/* link.c */
BC_COMMAND(raw_tracepoint_open);
BC_COMMAND(link_create);
BC_COMMAND(link_update);
BC_COMMAND(link_detach);
BC_COMMAND(iter_create);
/* run_stats.c */
BC_COMMAND(enable_stats);
/* prog_attach.c: no kernel hook behind them yet */
BC_COMMAND(prog_attach);
BC_COMMAND(prog_detach);
BC_COMMAND(prog_query);
/* fs.c */
BC_COMMAND(obj_pin);
BC_COMMAND(obj_get);

#endif
