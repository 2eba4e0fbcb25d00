// SPDX-License-Identifier: GPL-2.0-only
/*
 * See jit.h. The code is written to a buffer first; it goes to its place when all of it is known.
 */
#include "jit.h"
#include "prog.h"
#include "../compat/clock.h"
#include "../compat/jit_memory.h"
#include "../compat/kptr.h"
#include "../maps/fd_array.h"
#include <linux/random.h>

static bool jit = true;
module_param(jit, bool, 0644);
MODULE_PARM_DESC(jit, "generate machine code for programs; 0: run those loaded from now on in the interpreter");

static bool jit_harden;
module_param(jit_harden, bool, 0644);
MODULE_PARM_DESC(jit_harden, "keep programs' constants out of generated code");

DEFINE_PER_CPU(struct bc_jit_cpu, bc_jit_cpu);

static struct compat_jit_traits traits;
static bool possible;
static u32 current_task_offset;

/* Where the kernel keeps the current task for each CPU; 0 where it is not known for certain. */
static u32 find_current_task(void)
{
#ifdef CONFIG_SMP
	unsigned long offset = bc_lookup_symbol("current_task");
	struct task_struct *found;

	if (!offset || offset > S32_MAX)
		return 0;
	preempt_disable();
	found = *(struct task_struct **)(offset + per_cpu_offset(smp_processor_id()));
	preempt_enable();
	return found == current ? offset : 0;
#else
	return 0;
#endif
}

int bc_jit_init(void)
{
	unsigned long cpu = (unsigned long)&bc_jit_cpu;

	compat_kptr_init();
	compat_jit_traits(&traits);
	possible = compat_jit_possible();
	current_task_offset = find_current_task();
#ifdef CONFIG_SMP
	if ((long)cpu != (s32)cpu)
		possible = false;
#endif
#ifdef CONFIG_CFI_CLANG
	possible = false;	/* calls of generated code would be checked for a hash before it */
#endif
	if (!possible)
		pr_info(BC_LOG "this kernel does not take generated code: programs run in the interpreter\n");
	return 0;
}

static bool array_of(void *host, u32 index, struct bc_jit_array *array)
{
	const struct bc_prog *prog = host;

	return index < prog->v.used_map_cnt && bc_array_describe(bc_map_of(prog->v.used_maps[index]), array);
}

/* A map's own function takes the helper's arguments as they are: programs hold the address of what a map begins with. */
static u64 function_for(void *host, u32 helper, int used_map)
{
	const struct bc_prog *prog = host;
	const struct bc_map_ops *ops;
	struct bc_map *map;

	BUILD_BUG_ON(offsetof(struct bc_map, desc));
	if (helper == BPF_FUNC_ktime_get_ns)
		return (unsigned long)COMPAT_CLOCK_MONO;
	if (used_map < 0 || used_map >= (int)prog->v.used_map_cnt)
		return 0;
	map = bc_map_of(prog->v.used_maps[used_map]);
	ops = map->ops;
	switch (helper) {
	case BPF_FUNC_map_lookup_elem:
		return (unsigned long)(ops->lookup_of ? ops->lookup_of(map) : ops->lookup);
	case BPF_FUNC_map_update_elem:
		return (unsigned long)ops->update;
	case BPF_FUNC_map_delete_elem:
		return (unsigned long)ops->delete;
	case BPF_FUNC_map_push_elem:
		return (unsigned long)ops->push;
	case BPF_FUNC_map_pop_elem:
		return (unsigned long)ops->pop;
	case BPF_FUNC_map_peek_elem:
		return (unsigned long)ops->peek;
	}
	return 0;
}

static void fill_env(struct bc_prog *prog, struct bc_jit_env *env)
{
	u32 i;

	memset(env, 0, sizeof(*env));
	env->helpers = bc_helper_table;
	for (i = 0; i < __BC_PROBES; i++)
		env->probe[i] = compat_jit_probes[i];
	env->sock_load = compat_jit_sock_load;
	env->cpu = (unsigned long)&bc_jit_cpu;
#ifdef CONFIG_SMP
	env->cpu_in_gs = true;
#endif
	env->landing_pads = traits.landing_pads;
	env->has_bmi2 = traits.has_bmi2;
	env->blind = READ_ONCE(jit_harden);
	get_random_bytes(&env->seed, sizeof(env->seed));
	env->indirect_thunk_r11 = traits.indirect_thunk_r11;
	env->return_thunk = traits.return_thunk;
	env->retpolines = traits.retpolines;
	env->entries_off = offsetof(struct bc_fd_array, entries);
	env->array = array_of;
	env->function = function_for;
	env->host = prog;
	env->current_task = current_task_offset;
	BUILD_BUG_ON(ARRAY_SIZE(compat_jit_probes) != __BC_PROBES);
}

/* Puts the code in its place. -ERANGE when calls do not reach from there. */
static int place(struct bc_prog *prog, struct bc_jit_image *img)
{
	size_t size = PAGE_ALIGN(img->len);
	void *p;
	int err;

	if (!bc_memory_charge(&prog->obj, size))
		return -ENOMEM;
	p = compat_jit_alloc(size);
	err = p ? bc_jit_relocate(img, (unsigned long)p) : -ENOMEM;
	if (!err) {
		memcpy(p, img->code, img->len);
		err = compat_jit_seal(p, size);
	}
	if (err) {
		compat_jit_free(p, size);
		bc_memory_uncharge(&prog->obj, size);
		return err;
	}
	prog->jit_memory = p;
	prog->jit_size = size;
	return 0;
}

static int generate(struct bc_prog *prog, struct bc_jit_image *img)
{
	struct bc_jit_env env;
	int err;

	fill_env(prog, &env);
	err = bc_jit_compile(&env, &prog->exec, img);
	if (err)
		return err;
	err = place(prog, img);
	/* A call by address is an indirect branch: not where those must go through thunks, which are out of reach, too, or to landing pads. */
	if (err == -ERANGE && !env.indirect_thunk_r11 && !env.return_thunk && !env.landing_pads) {
		bc_jit_image_free(img);
		env.calls_far = true;
		err = bc_jit_compile(&env, &prog->exec, img);
		if (err)
			return err;
		err = place(prog, img);
	}
	if (err)
		bc_jit_image_free(img);
	return err;
}

void bc_jit_prog(struct bc_prog *prog)
{
	struct bc_jit_image img;
	u32 frames;

	if (!possible || !READ_ONCE(jit) || generate(prog, &img))
		return;
	port_free(img.code);
	port_free(img.relocs);
	img.code = NULL;
	img.relocs = NULL;
	prog->jit = img;
	prog->exec.jit_tail = (unsigned long)prog->jit_memory + img.tail_off;
	prog->exec.has_tail_call = img.has_tail_call;
	/* The first frame is in what every program is given. A tail call may lead to a program of any shape. */
	frames = img.has_tail_call ? BC_MAX_CALL_FRAMES : min_t(u32, img.subprog_cnt, BC_MAX_CALL_FRAMES);
	prog->exec.frames_bytes = (frames - 1) * BC_JIT_FRAME_BYTES;
	prog->exec.jit_entry = prog->jit_memory;
}

void bc_jit_free(struct bc_prog *prog)
{
	if (!prog->jit_memory)
		return;
	bc_jit_symbols_del(prog);
	compat_jit_free(prog->jit_memory, prog->jit_size);
	bc_memory_uncharge(&prog->obj, prog->jit_size);
	bc_jit_image_free(&prog->jit);
}

/* ---- what is told of it ---- */

/* Copies out @have elements made by @value, as many as *@cnt has room for, if the caller may see them; else *@to is cleared. */
static int tell(const struct bc_prog *prog, __u64 *to, __u32 *cnt, u32 have, size_t element, u64 (*value)(const struct bc_prog *prog, u32 i))
{
	void __user *out = bc_user_ptr(*to);
	u32 i, n = min(*cnt, have);
	u64 v;

	*cnt = have;
	if (!n)
		return 0;
	if (!compat_may_see_addresses()) {
		*to = 0;
		return 0;
	}
	for (i = 0; i < n; i++) {
		v = value(prog, i);
		if (copy_to_user(out + i * element, &v, element))
			return -EFAULT;
	}
	return 0;
}

static u64 sub_address(const struct bc_prog *prog, u32 i)
{
	return (unsigned long)prog->jit_memory + prog->jit.sub_off[i];
}

static u64 sub_length(const struct bc_prog *prog, u32 i)
{
	return prog->jit.sub_off[i + 1] - prog->jit.sub_off[i];
}

/* A subprogram's first line begins where its prologue does. */
static u64 line_address(const struct bc_prog *prog, u32 i)
{
	u32 insn = prog->v.line_info[i].insn_off, s;

	for (s = 0; s < prog->v.subprog_cnt; s++)
		if (prog->v.subprogs[s].start == insn)
			return sub_address(prog, s);
	return (unsigned long)prog->jit_memory + prog->jit.insn_off[insn];
}

int bc_jit_fill_info(const struct bc_prog *prog, struct bpf_prog_info *info)
{
	u32 len = prog->jit_memory ? prog->jit.len : 0, room = info->jited_prog_len;
	u32 subs = len ? prog->v.subprog_cnt : 0;
	int err;

	info->jited_prog_len = len;
	if (len && room) {
		if (!compat_may_see_addresses())
			info->jited_prog_insns = 0;
		else if (copy_to_user(bc_user_ptr(info->jited_prog_insns), prog->jit_memory, min(room, len)))
			return -EFAULT;
	}
	err = tell(prog, &info->jited_ksyms, &info->nr_jited_ksyms, subs, sizeof(u64), sub_address);
	if (!err)
		err = tell(prog, &info->jited_func_lens, &info->nr_jited_func_lens, subs, sizeof(u32), sub_length);
	if (!err)
		err = tell(prog, &info->jited_line_info, &info->nr_jited_line_info, len ? prog->v.line_info_cnt : 0, sizeof(u64), line_address);
	return err;
}
