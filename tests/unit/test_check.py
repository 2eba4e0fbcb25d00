# SPDX-License-Identifier: MIT
"""`bpfcompat check`: object files compiled here, linked and verified with nothing but Python packages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from vm.paths import REPO

HEAD = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
"""

# A kernel's types, to relocate against: task_struct is not laid out as the programs below believe.
KERNEL = """
struct list { struct list *next; };
struct task_struct {
    long before[3];
    union { struct { int pad; int pid; }; };
    unsigned int flags : 5, more : 7;
    unsigned long wide;
    struct list tasks[4];
    char comm[16];
};
enum state { RUNNING = 3, SLEEPING = 7 };
typedef int (*handler)(struct task_struct *);
int rate(enum state s) { return s; }
struct task_struct *current_task(struct task_struct *task) { return task; }
int do_exit(struct task_struct *task, handler h) { return h(task); }
"""

MINE = """
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct list { struct list *next; };
struct task_struct { int pid; unsigned int more : 7; unsigned int wide; struct list tasks[4]; char *absent; };
struct task_struct___other { char comm[16]; };
struct nowhere { int field; };
#pragma clang attribute pop
enum state { RUNNING = 1, SLEEPING = 2, ZOMBIE = 3 };
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("check")


def compiled(folder: Path, name: str, text: str, *flags: str) -> Path:
    source, target = folder / f"{name}.c", folder / f"{name}.o"
    source.write_text(text)
    include = ["-idirafter", "/usr/include/x86_64-linux-gnu"]
    subprocess.run(["clang", "-g", "-O2", "-target", "bpf", *include, *flags, "-c", source, "-o", target], check=True)
    return target


@pytest.fixture(scope="module")
def kernel_btf(folder: Path) -> Path:
    with compiled(folder, "kernel", KERNEL).open("rb") as file:
        data = ELFFile(file).get_section_by_name(".BTF").data()
    target = folder / "kernel.btf"
    target.write_bytes(data)
    return target


def check(path: Path, *options: object, expect: int = 0) -> str:
    command = [sys.executable, "-m", "bpfcompat", "check", str(path), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPO / "shim", timeout=120)
    text = done.stdout + done.stderr
    assert done.returncode == expect, text
    assert "Traceback" not in text, text
    return text


def test_figures_and_status(folder: Path) -> None:
    text = HEAD + """
    struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, int); __type(value, long); }
    counts SEC(".maps");
    SEC("tracepoint/sched/sched_switch") int good(void *ctx)
    { int key = 1; long *n = bpf_map_lookup_elem(&counts, &key); if (n) ++*n; return 0; }
    SEC("kprobe/do_exit") int bad(void *ctx) { int key = 1; long *n = bpf_map_lookup_elem(&counts, &key); return *n; }
    """
    path = compiled(folder, "figures", text)
    out = check(path, "--btf", "none", expect=1)
    figures = r"\d+ instructions processed, \d+ states at most, \d+ in all, "
    assert re.search(r"good \(tracepoint/sched/sched_switch\): accepted: " + figures, out)
    assert "bad (kprobe/do_exit): rejected (EACCES): R0 invalid mem access 'map_value_or_null'; " in out
    assert "1 of 2 programs accepted" in out
    assert "1 of 1 programs accepted" in check(path, "--btf", "none", "--program", "good")
    log = check(path, "--btf", "none", "--program", "bad", "--log-level", 1, expect=1)
    assert "; SEC(\"kprobe/do_exit\") int bad(void *ctx)" in log and "R0 invalid mem access" in log
    assert re.search(r"(?m)^processed [1-9]\d* insns", check(path, "--btf", "none", "--program", "good", "--log-level", 4))


def test_global_data_and_constants(folder: Path) -> None:
    # The loop ends only where `limit` is known: that is, when the frozen map's contents are; the call is in dead code.
    text = HEAD + """
    const volatile int limit = 5, enabled = 0;
    int total, table[8] = { 1, 2, 3 };
    static int hidden;
    static __noinline int add(int by) { hidden += by; return hidden; }
    SEC("raw_tp/sys_enter") int run(void *ctx)
    {
        for (int i = 0; i < limit; i++)
            total += add(table[i]);
        if (enabled)
            ((void (*)(void))9999)();
        return total;
    }
    """
    assert "accepted" in check(compiled(folder, "data", text, "-mcpu=v3"), "--btf", "none")
    refused = check(compiled(folder, "enabled", text.replace("enabled = 0", "enabled = 1")), "--btf", "none", expect=1)
    assert "invalid func unknown#9999" in refused


def test_calls_of_every_kind(folder: Path) -> None:
    text = HEAD + """
    int sum;
    __noinline int global_one(int x) { return x * 2; }
    static __noinline int deep(int x) { return global_one(x) + 1; }
    static long each(unsigned int i, void *data) { sum += deep(i); return 0; }
    static __noinline int beside(int x) { bpf_loop(4, each, 0, 0); return deep(x); }
    SEC("kprobe") int first(void *ctx) { return beside(1) & 1; }
    SEC("kprobe") int second(void *ctx) { return deep(2) + global_one(3); }
    SEC("kretprobe/f") int third(void *ctx) { return 0; }
    """
    out = check(compiled(folder, "calls", text), "--btf", "none")
    assert "3 of 3 programs accepted" in out


def test_maps_of_many_kinds(folder: Path) -> None:
    text = HEAD + """
    struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, int); };
    struct {
        __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS); __uint(max_entries, 2); __type(key, int); __array(values, struct inner);
    } outer SEC(".maps");
    struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 5000); } ring SEC(".maps");
    struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, 4); __uint(value_size, 4); } events SEC(".maps");
    struct locked { struct bpf_spin_lock lock; int value; };
    struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, struct locked); }
    l SEC(".maps");
    SEC("tp/a/b") int f(void *ctx)
    {
        int key = 0, *value; void *map = bpf_map_lookup_elem(&outer, &key);
        if (map && (value = bpf_map_lookup_elem(map, &key))) *value = 1;
        bpf_ringbuf_output(&ring, &key, 4, 0);
        bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &key, 4);
        return 0;
    }
    SEC("tc") int locks(void *ctx)
    {
        int key = 0; struct locked *v = bpf_map_lookup_elem(&l, &key);
        if (v) { bpf_spin_lock(&v->lock); v->value++; bpf_spin_unlock(&v->lock); }
        return 0;
    }
    SEC("tc") int forgets(void *ctx)
    {
        int key = 0; struct locked *v = bpf_map_lookup_elem(&l, &key);
        if (v) bpf_spin_lock(&v->lock);
        return 0;
    }
    """
    out = check(compiled(folder, "maps", text), "--btf", "none", expect=1)
    assert "f (tp/a/b): accepted" in out and "locks (tc): accepted" in out
    assert "forgets (tc): rejected" in out and "bpf_spin_unlock is missing" in out


def test_older_maps(folder: Path) -> None:
    text = HEAD + """
    struct old { unsigned int type, key_size, value_size, max_entries, map_flags; };
    struct old first SEC("maps") = { BPF_MAP_TYPE_ARRAY, 4, 8, 2, 0 }
        , second SEC("maps") = { BPF_MAP_TYPE_HASH, 8, 16, 9, 0 };
    SEC("socket") int f(void *ctx)
    { long key = 0, *v = bpf_map_lookup_elem(&second, &key); if (v) v[1] = 2;
      v = bpf_map_lookup_elem(&first, &key); return v ? v[0] : 0; }
    """
    assert "accepted" in check(compiled(folder, "older", text), "--btf", "none")
    wrong = text.replace("v ? v[0] : 0", "v ? v[1] : 0")
    assert "invalid access to map value, value_size=8 off=8 size=8" in check(
        compiled(folder, "older2", wrong), "--btf", "none", "--log-level", 1, expect=1
    )


CORE = HEAD + MINE + """
#include <bpf/bpf_core_read.h>
char seen[128];
SEC("raw_tp/x") int fields(void *ctx)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    struct task_struct___other *other = (void *)task;
    long sum = __builtin_preserve_field_info(task->pid, BPF_FIELD_BYTE_OFFSET);
    char comm[16];
    if (sum != 28) ((void (*)(void))9001)();
    seen[BPF_CORE_READ_BITFIELD_PROBED(task, more)] = 1;
    if (__builtin_preserve_field_info(task->wide, BPF_FIELD_BYTE_SIZE) != 8) ((void (*)(void))9003)();
    if (bpf_core_field_exists(task->absent)) ((void (*)(void))9004)();
    if (bpf_core_type_exists(struct nowhere)) ((void (*)(void))9005)();
    if (!bpf_core_type_exists(struct task_struct) || bpf_core_type_size(struct list) != 8) ((void (*)(void))9006)();
    if (bpf_core_enum_value(enum state, SLEEPING) != 7) ((void (*)(void))9007)();
    if (bpf_core_enum_value_exists(enum state, ZOMBIE)) ((void (*)(void))9010)();
    if (__builtin_preserve_field_info(task->tasks[2].next, BPF_FIELD_BYTE_OFFSET) != 64) ((void (*)(void))9008)();
    if (__builtin_preserve_field_info(task->more, BPF_FIELD_RSHIFT_U64) != 57) ((void (*)(void))9009)();
    bpf_core_read(comm, sizeof(comm), &other->comm);
    return sum;
}
SEC("raw_tp/x") int absent(void *ctx)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    char *p;
    bpf_core_read(&p, 8, &task->absent);
    return 0;
}
"""


def test_relocations_against_a_kernels_types(folder: Path, kernel_btf: Path) -> None:
    path = compiled(folder, "core", CORE)
    out = check(path, "--btf", kernel_btf, expect=1)
    assert "fields (raw_tp/x): accepted" in out, out
    assert "absent (raw_tp/x): rejected" in out
    assert "it uses what the kernel's types do not have: <byte_off> task_struct.absent" in out
    assert "fields (raw_tp/x): rejected" in check(path, "--btf", "none", "--program", "fields", expect=1)


def test_attaching_to_what_the_types_have(folder: Path, kernel_btf: Path) -> None:
    text = HEAD + """
    #include <bpf/bpf_tracing.h>
    #pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
    struct task_struct { int pid; };
    #pragma clang attribute pop
    int last;
    SEC("fentry/do_exit") int BPF_PROG(reads, struct task_struct *task) { last = task->pid; return 0; }
    SEC("fentry/do_exit") int BPF_PROG(writes, struct task_struct *task) { task->pid = 1; return 0; }
    SEC("fentry/no_such") int BPF_PROG(nowhere) { return 0; }
    SEC("fexit") int BPF_PROG(unnamed) { return 0; }
    """
    out = check(compiled(folder, "attach", text), "--btf", kernel_btf, expect=1)
    assert "reads (fentry/do_exit): accepted" in out, out
    assert "writes (fentry/do_exit): rejected (EACCES)" in out
    assert "nowhere (fentry/no_such): not loadable: no_such, which it attaches to: not in the kernel's types" in out
    assert "unnamed (fexit): not loadable: its section does not say what it attaches to" in out


def test_externs(folder: Path, kernel_btf: Path) -> None:
    text = HEAD + """
    extern int LINUX_KERNEL_VERSION __kconfig;
    extern unsigned long CONFIG_HZ __kconfig;
    extern _Bool CONFIG_ABSENT __kconfig __weak;
    extern char CONFIG_NAME[8] __kconfig;
    extern int missing_variable __ksym __weak;
    extern int missing_function(int) __ksym __weak;
    extern const void some_symbol __ksym;
    SEC("tp/a/b") int f(void *ctx)
    {
        if (LINUX_KERNEL_VERSION != 0x030a6c) ((void (*)(void))9001)();
        if (CONFIG_HZ != 1000 || CONFIG_ABSENT || CONFIG_NAME[1] != 'b') ((void (*)(void))9002)();
        if (&missing_variable) ((void (*)(void))9003)();
        if (missing_function) missing_function(1);
        return &some_symbol != 0;
    }
    """
    path = compiled(folder, "externs", text)
    config = folder / "config"
    config.write_text('CONFIG_HZ=1000\nCONFIG_NAME="abc"\n# CONFIG_X is not set\n')
    assert "accepted" in check(path, "--btf", kernel_btf, "--kconfig", config, "--release", "3.10.108")
    assert "rejected" in check(path, "--btf", kernel_btf, "--kconfig", config, "--release", "4.4.0", expect=1)
    out = check(path, "--btf", kernel_btf, expect=2)
    assert "no value is known for CONFIG_HZ: give the kernel's configuration by --kconfig" in out


def test_what_is_no_object(folder: Path, kernel_btf: Path) -> None:
    path = compiled(folder, "some", HEAD + 'SEC("tp/a/b") int f(void *ctx) { return 0; }')
    text = folder / "text.o"
    text.write_text("hello")
    empty = folder / "empty.o"
    empty.write_bytes(b"")
    whole = path.read_bytes()
    assert "not an object file" in check(text, expect=2)
    assert "not an object file" in check(empty, expect=2)
    assert "No such file" in check(folder / "absent.o", expect=2)
    assert "of machine EM_X86_64" in check(Path("/bin/true"), expect=2)
    assert "no program named" in check(path, "--program", "g", "--btf", "none", expect=2)
    assert "not a BTF file" in check(path, "--btf", text, expect=2)
    assert "No such file" in check(path, "--btf", folder / "absent.btf", expect=2)
    for cut in range(64, len(whole), 97):
        broken = folder / "broken.o"
        broken.write_bytes(whole[:cut])
        check(broken, "--btf", "none", expect=2)
    out = check(compiled(folder, "odd", HEAD + 'SEC("odd/x") int f(void *ctx) { return 0; }'), "--btf", "none", expect=1)
    assert "section odd/x tells no program type (--type)" in out
    assert "accepted" in check(folder / "odd.o", "--btf", "none", "--type", "kprobe")
    lsm = compiled(folder, "types", HEAD + 'SEC("sockops") int f(void *ctx) { return 0; }')
    assert "programs of type sock_ops are not offered" in check(lsm, "--btf", "none", expect=1)
