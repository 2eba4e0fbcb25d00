/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs programs by the code generator in user space. Pages are written first, and made executable (and no longer writable) then.
 */
#include "lib.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Loads that may fault: r11 is the address and the result, r10 may change. bcu_probe_common has the kind in r10, calls C on an aligned stack and
 * keeps all else.
 */
#define PROBE(name, kind)				\
	".type bcu_probe_" #name ", @function\n"	\
	"bcu_probe_" #name ":\n"			\
	"	mov $" #kind ", %r10d\n"		\
	"	jmp bcu_probe_common\n"			\
	".size bcu_probe_" #name ", . - bcu_probe_" #name "\n"

__asm__(".text\n"
	PROBE(u8, 0) PROBE(u16, 1) PROBE(u32, 2) PROBE(u64, 3) PROBE(s8, 4) PROBE(s16, 5) PROBE(s32, 6)
	".type bcu_probe_common, @function\n"
	"bcu_probe_common:\n"
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	push %rax; push %rcx; push %rdx; push %rsi; push %rdi; push %r8; push %r9\n"
	"	mov %r11, %rdi\n"
	"	mov %r10d, %esi\n"
	"	and $-16, %rsp\n"
	"	call bcu_probe_load\n"
	"	mov %rax, %r11\n"
	"	lea -56(%rbp), %rsp\n"
	"	pop %r9; pop %r8; pop %rdi; pop %rsi; pop %rdx; pop %rcx; pop %rax\n"
	"	pop %rbp\n"
	"	ret\n"
	".size bcu_probe_common, . - bcu_probe_common\n"
	".type bcu_indirect_r11, @function\n"
	"bcu_indirect_r11:\n"
	"	jmp *%r11\n"
	".size bcu_indirect_r11, . - bcu_indirect_r11\n"
	".type bcu_return, @function\n"
	"bcu_return:\n"
	"	ret\n"
	".size bcu_return, . - bcu_return\n");

extern const char bcu_probe_u8[], bcu_probe_u16[], bcu_probe_u32[], bcu_probe_u64[], bcu_probe_s8[], bcu_probe_s16[], bcu_probe_s32[];
extern const char bcu_indirect_r11[], bcu_return[];

u64 bcu_probe_load(const void *src, u32 kind) __attribute__((used, visibility("hidden")));

u64 bcu_probe_load(const void *src, u32 kind)
{
	u64 v = 0;

	bcu_exec_env.probe_load(&v, src, bc_jit_probe_size(kind));
	return bc_jit_probe_value(kind, v);
}

static bool array_of(void *host, u32 index, struct bc_jit_array *array)
{
	const struct bcu_prog *p = host;
	const struct bcu_map *m;

	if (index >= p->v.used_map_cnt)
		return false;
	m = container_of(p->v.used_maps[index], struct bcu_map, desc);
	if (m->desc.type != BPF_MAP_TYPE_ARRAY && m->desc.type != BPF_MAP_TYPE_PERCPU_ARRAY)
		return false;
	array->percpu = m->desc.type == BPF_MAP_TYPE_PERCPU_ARRAY;
	array->values = array->percpu ? (unsigned long)m->blocks : (unsigned long)m->values;
	array->stride = m->value_stride;
	array->max_entries = m->desc.max_entries;
	return true;
}

static void fill_env(struct bcu *w, struct bcu_prog *p, struct bc_jit_env *env)
{
	u32 flags = w->jit_flags;

	memset(env, 0, sizeof(*env));
	env->helpers = bcu_helpers;
	env->probe[BC_PROBE_U8] = (unsigned long)bcu_probe_u8;
	env->probe[BC_PROBE_U16] = (unsigned long)bcu_probe_u16;
	env->probe[BC_PROBE_U32] = (unsigned long)bcu_probe_u32;
	env->probe[BC_PROBE_U64] = (unsigned long)bcu_probe_u64;
	env->probe[BC_PROBE_S8] = (unsigned long)bcu_probe_s8;
	env->probe[BC_PROBE_S16] = (unsigned long)bcu_probe_s16;
	env->probe[BC_PROBE_S32] = (unsigned long)bcu_probe_s32;
	env->cpu = (unsigned long)&w->jit_cpu;
	env->calls_far = flags & BCU_JIT_FAR;
	env->align_calls = true;
	env->landing_pads = flags & BCU_JIT_LANDING_PADS;
	env->has_bmi2 = !(flags & BCU_JIT_NO_BMI2) && __builtin_cpu_supports("bmi2");
	env->blind = flags & BCU_JIT_BLIND;
	env->seed = 0x5851f42d4c957f2dULL ^ w->seed;
	if (flags & BCU_JIT_THUNKS) {
		env->indirect_thunk_r11 = (unsigned long)bcu_indirect_r11;
		env->return_thunk = (unsigned long)bcu_return;
	}
	env->entries_off = offsetof(struct bcu_map, entries);
	env->retpolines = flags & BCU_JIT_THUNKS;
	env->array = array_of;
	env->host = p;
}

void bcu_jit_drop(struct bcu_prog *p)
{
	if (p->jit_memory)
		munmap(p->jit_memory, p->jit_size);
	p->jit_memory = NULL;
	bc_jit_image_free(&p->jit);
	p->exec.jit_entry = NULL;
	p->exec.jit_tail = 0;
}

static int place(struct bcu_prog *p, struct bc_jit_image *img)
{
	size_t page = sysconf(_SC_PAGESIZE), size = round_up((size_t)img->len, page);
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (mem == MAP_FAILED)
		return -ENOMEM;
	err = bc_jit_relocate(img, (unsigned long)mem);
	if (!err) {
		memset(mem, 0xcc, size);
		memcpy(mem, img->code, img->len);
		err = mprotect(mem, size, PROT_READ | PROT_EXEC) ? -errno : 0;
	}
	if (err) {
		munmap(mem, size);
		return err;
	}
	p->jit = *img;
	p->jit_memory = mem;
	p->jit_size = size;
	p->exec.jit_entry = (u64 (*)(const void *, void *))mem;
	p->exec.jit_tail = (unsigned long)mem + img->tail_off;
	return 0;
}

static int compile(struct bcu *w, struct bcu_prog *p)
{
	struct bc_jit_image img;
	struct bc_jit_env env;
	int err;

	fill_env(w, p, &env);
	err = bc_jit_compile(&env, &p->exec, &img);
	if (err)
		return err;
	err = place(p, &img);
	if (err == -ERANGE && !env.calls_far && !env.return_thunk) {
		bc_jit_image_free(&img);
		env.calls_far = true;
		err = bc_jit_compile(&env, &p->exec, &img);
		if (err)
			return err;
		err = place(p, &img);
	}
	if (err)
		bc_jit_image_free(&img);
	return err;
}

int bcu_jit_flags(struct bcu *w, u32 flags)
{
	u32 i;

	w->jit_flags = flags;
	for (i = 0; i < BCU_OBJECTS; i++)
		if (w->objs[i].kind == BCU_PROG)
			bcu_jit_drop(w->objs[i].ptr);
	return 0;
}

/* All programs: tail calls may lead to any. */
static int compile_all(struct bcu *w)
{
	struct bcu_prog *p;
	int err;
	u32 i;

	for (i = 0; i < BCU_OBJECTS; i++) {
		if (w->objs[i].kind != BCU_PROG)
			continue;
		p = w->objs[i].ptr;
		if (p->exec.jit_entry)
			continue;
		err = compile(w, p);
		if (err)
			return err;
	}
	return 0;
}

static void fill_entries(struct bcu *w)
{
	struct bcu_map *m;
	u32 i, k;

	for (i = 0; i < BCU_OBJECTS; i++) {
		if (w->objs[i].kind != BCU_MAP)
			continue;
		m = w->objs[i].ptr;
		for (k = 0; k < ARRAY_SIZE(m->progs); k++)
			m->entries[k] = m->progs[k] ? m->progs[k]->exec.jit_tail : 0;
	}
}

int bcu_jit_run(struct bcu *w, struct bcu_prog *p, const void *ctx, u64 *retval)
{
	int err = compile_all(w);

	if (err)
		return err;
	fill_entries(w);
	w->jit_cpu.stack_limit = (unsigned long)__builtin_frame_address(0) - (1 << 20);
	w->jit_cpu.area_limit = (unsigned long)w->area.stack + sizeof(w->area.stack) - BC_JIT_AREA_NEEDED;
	w->by_jit = true;
	*retval = p->exec.jit_entry(ctx, w->area.stack);
	bcu_timers_expire(w);
	w->by_jit = false;
	return 0;
}

u64 bcu_callback(u64 cb, u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)
{
	struct bcu *w = bcu_cur;
	u64 top = w->jit_cpu.frame_top, ret;
	u32 frames = w->frame_cnt;

	if (!w->by_jit) {
		ret = bc_interp_callback(&bcu_exec_env, &w->area, cb, r1, r2, r3, r4, r5);
		while (w->frame_cnt > frames)
			bcu_dynptrs_of_frame(w, &w->frames[--w->frame_cnt]);
		return ret;
	}
	if (top > w->jit_cpu.area_limit) {
		w->area.overflows++;
		return 0;
	}
	ret = ((bc_jit_callback_fn)(unsigned long)cb)(r1, r2, r3, r4, r5, (void *)(unsigned long)top);
	w->jit_cpu.frame_top = top;
	return ret;
}

u32 bcu_jit_code(struct bcu *w, int fd, void *code, u32 room)
{
	struct bcu_prog *p = bcu_prog_of_fd(w, fd);

	if (!p || (!p->exec.jit_entry && compile(w, p)))
		return 0;
	memcpy(code, p->jit_memory, min_t(u32, room, p->jit.len));
	return p->jit.len;
}
