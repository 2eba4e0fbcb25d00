# SPDX-License-Identifier: MIT
"""The BTF editor and what it changes, checked with pahole's and bpftool's reading of real BTF."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest"))

from kernel_btf import KernelBtf
from programs import btf as b
from verifier_lib import World

from bpfcompat.btf import load as btf_load
from bpfcompat.btf.adapt import adapt
from bpfcompat.btf.blob import FUNC, FUNC_PROTO, FWD, HEADER, PTR, STRUCT, TYPEDEF, UNION, Blob, BtfError
from bpfcompat.btf.iterators import CONTEXTS, add_contexts, add_iterators
from bpfcompat.btf.make import inspect, make
from bpfcompat.btf.twins import hide_ambiguous, merge_twins

OLD_KERNEL = """
int vlais{2}(int n);
struct trace_entry {{ unsigned short type; int pid; }};
struct ftrace_raw_sys_enter {{ struct trace_entry ent; long id; unsigned long args[6]; char __data[0]; }} enter;
struct ftrace_raw_both {{ int a; }} both;
struct trace_event_raw_both {{ int a; int b; }} both_new;
struct mnt_namespace {{ int count; unsigned int proc_inum; int event; }} ns;
struct timespec {{ long tv_sec; long tv_nsec; }};
struct task_struct {{ long state; struct timespec start_time; int flag:1; unsigned long long clock; }} init;
struct in6_addr {{ union {{ unsigned char u6_addr8[16]; unsigned int u6_addr32[4]; }} in6_u; }};
struct sock_common {{ int daddr; int saddr; unsigned char reuse:4; void *net; struct in6_addr *six; }} sk;
struct inet_sock {{ struct sock_common sk; unsigned char freebind:1, hdrincl:1; unsigned char rcv_tos; int index; }} in;
struct request_queue {{ int q; }};
struct request {{ int r; }};
struct ftrace_event_class {{ char *system; void *probe; void *perf_probe; }};
struct ftrace_event_call {{ void *list[2]; struct ftrace_event_class *class; char *name; }};
void perf_trace_sched_switch(void *__data, struct task_struct *prev, struct task_struct *next) {{ }}
void perf_trace_block_rq_complete(void *__data, struct request_queue *q, struct request *rq, unsigned int bytes) {{ }}
void perf_trace_wakeup_template(void *__data, struct task_struct *p, int success) {{ }}
_Bool truth;
static struct ftrace_event_class event_class_sched_switch = {{ .perf_probe = perf_trace_sched_switch }};
static struct ftrace_event_class event_class_block_rq_complete = {{ .perf_probe = perf_trace_block_rq_complete }};
static struct ftrace_event_class event_class_wakeup_template = {{ .perf_probe = perf_trace_wakeup_template }};
static struct ftrace_event_class event_class_syscall = {{ .perf_probe = vlais{2} }};
__attribute__((used)) static struct ftrace_event_call event_sched_switch = {{ .class = &event_class_sched_switch }};
__attribute__((used)) static struct ftrace_event_call event_block_rq_complete = {{ .class = &event_class_block_rq_complete }};
__attribute__((used)) static struct ftrace_event_call event_sched_wakeup = {{ .class = &event_class_wakeup_template }};
__attribute__((used)) static struct ftrace_event_call event_sched_wakeup_new = {{ .class = &event_class_wakeup_template }};
__attribute__((used)) static struct ftrace_event_call event_enter_open = {{ .class = &event_class_syscall }};
struct task {{
    union {{ void *fresh; struct {{ long old; }} __UNIQUE_ID_rh_kabi_hide{0}; union {{ }}; }};
    union {{ struct {{ int one; int two; }}; struct {{ long older; }} __UNIQUE_ID_rh_kabi_hide{1}; union {{ }}; }};
    int last;
}} task{2};
int vlais{2}(int n)
{{
    struct {{ struct trace_entry ent; char text[n]; int after[4]; }} tail;
    tail.after[1] = n;
    return tail.after[1];
}}
"""


def image(folder: Path) -> Path:
    """Two units of an object with debug information, in which the same struct has other counters."""
    objects = []
    for unit, counters in enumerate(((7, 8), (1234, 1235))):
        source = folder / f"unit{unit}.c"
        # Only the first defines what is not under test twice.
        text = OLD_KERNEL.format(*counters, unit)
        second = "struct trace_entry { unsigned short type; int pid; };" + text[text.index("struct task {") :]
        source.write_text(second if unit else text)
        objects.append(source.with_suffix(".o"))
        subprocess.run(["gcc", "-g", "-gdwarf-4", "-c", "-o", objects[-1], source], check=True)
    out = folder / "vmlinux"
    subprocess.run(["ld", "-e", "0", "--build-id=sha1", "-o", out, *objects], check=True)
    return out


@pytest.fixture(scope="module")
def vmlinux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def made(vmlinux: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "3.10.0-test.btf"
    before = vmlinux.read_bytes()
    make(str(vmlinux), str(out))
    assert vmlinux.read_bytes() == before, "the image itself must not be changed"
    return out


def names(blob: Blob, kind: int) -> list[str]:
    return [blob.string(entry.name_off) for entry in blob.list if entry.kind == kind]


def test_unchanged_blob_survives(made: Path) -> None:
    data = made.read_bytes()
    assert Blob(data).pack() == data


def test_events_have_both_names(made: Path) -> None:
    structs = names(Blob(made.read_bytes()), STRUCT)
    assert structs.count("ftrace_raw_sys_enter") == structs.count("trace_event_raw_sys_enter") == 1
    assert structs.count("trace_event_raw_both") == 1, "a kernel's own struct of the new name stays"
    text = c_dump(made)
    old = text[text.index("struct ftrace_raw_sys_enter {") :].split("};")[0]
    assert old.replace("ftrace_raw_", "trace_event_raw_") in text


TRACEPOINTS = {
    "sched_switch": [("preempt", "_Bool"), ("prev", "task_struct *"), ("next", "task_struct *")],
    "block_rq_complete": [("rq", "request *"), ("error", "int"), ("bytes", "unsigned int")],
    "sched_wakeup": [("p", "task_struct *"), ("success", "int")],
    "sched_wakeup_new": [("p", "task_struct *"), ("success", "int")],
}


def tracepoints(blob: Blob) -> dict[str, list[tuple[str, str]]]:
    """Arguments of each btf_trace_* in a blob, but for the first, which is the tracepoint's own."""
    found = {}
    for entry in blob.list:
        name = blob.string(entry.name_off)
        if entry.kind != TYPEDEF or not name.startswith("btf_trace_"):
            continue
        pointer = blob.list[entry.value - 1]
        proto = blob.list[pointer.value - 1]
        assert (pointer.kind, proto.kind, proto.value) == (PTR, FUNC_PROTO, 0)
        arguments = []
        for name_off, type_id in proto.params:
            kind, star = blob.list[type_id - 1], ""
            if kind.kind == PTR and kind.value:
                kind, star = blob.list[kind.value - 1], " *"
            arguments.append((blob.string(name_off), blob.string(kind.name_off) + star))
        assert arguments[0][0] == "__data"
        found[name[len("btf_trace_") :]] = arguments[1:]
    return found


def test_tracepoints_have_types(made: Path) -> None:
    """As the module passes their arguments; events of one class share its function."""
    assert tracepoints(Blob(made.read_bytes())) == TRACEPOINTS


def test_tracepoints_out_of_a_blob_alone(vmlinux: Path, tmp_path: Path) -> None:
    """BTFHub's files come without an image: an event is known then by the name of its class, or not at all."""
    raw = tmp_path / "raw"
    subprocess.run(["pahole", "-J", f"--btf_encode_detached={raw}", vmlinux], check=True)
    blob = Blob(raw.read_bytes())
    for _ in range(2):  # a second time changes nothing
        adapt(blob)
        assert tracepoints(blob) == {
            **{name: TRACEPOINTS[name] for name in ("sched_switch", "block_rq_complete")},
            "wakeup_template": TRACEPOINTS["sched_wakeup"],
        }
    without = Blob(made_without_functions())
    adapt(without)
    assert tracepoints(without) == {}


def made_without_functions() -> bytes:
    """A blob with types alone."""
    blob = Blob(HEADER.pack(0xEB9F, 1, 0, HEADER.size, 0, 0, 0, 1) + b"\0")
    blob.add_struct(STRUCT, "task_struct", 8)
    return blob.pack()


def test_ringbuf_is_there_once(made: Path) -> None:
    blob = Blob(made.read_bytes())
    assert names(blob, STRUCT).count("bpf_ringbuf") == 1
    assert not any(adapt(blob).values()), "doing it twice changes nothing"


def test_current_names_of_old_fields(made: Path, tmp_path: Path) -> None:
    """What a current program asks for by name is found: checked by libbpf, which relocates a program against this BTF."""
    source, out = tmp_path / "asks.bpf.c", tmp_path / "asks.bpf.o"
    source.write_text(ASKS)
    subprocess.run(["clang", "-target", "bpf", "-O2", "-g", "-c", "-o", out, source], check=True)
    done = subprocess.run(
        ["bpftool", "gen", "min_core_btf", made, tmp_path / "min.btf", out], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    asked = Blob((tmp_path / "min.btf").read_bytes())
    found = {asked.string(m[0]): m[2] for e in asked.list if e.kind in (STRUCT, UNION) for m in e.members}
    assert {"inum", "start_time", "skc_v6_daddr", "skc_v6_rcv_saddr", "bind_address_no_port"} <= set(found)
    assert (found["start_time"], found["skc_v6_daddr"], found["skc_v6_rcv_saddr"]) == (8, 8, 24)
    blob = Blob(made.read_bytes())
    assert not any(adapt(blob).values())


ASKS = """
typedef unsigned int __u32;
typedef unsigned long long __u64;
#define RELOCATED __attribute__((preserve_access_index))
struct ns_common { __u32 inum; } RELOCATED;
struct mnt_namespace { struct ns_common ns; } RELOCATED;
struct task_struct { __u64 start_time; } RELOCATED;
struct in6_addr { union { __u32 u6_addr32[4]; } in6_u; } RELOCATED;
struct sock_common { struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr; } RELOCATED;
struct inet_sock { unsigned char bind_address_no_port:1; } RELOCATED;
__attribute__((section("raw_tp/x"))) int asks(void *ctx)
{
    struct mnt_namespace *ns = ctx;
    struct task_struct *task = ctx;
    struct sock_common *sk = ctx;
    struct inet_sock *inet = ctx;
    return ns->ns.inum + task->start_time + sk->skc_v6_daddr.in6_u.u6_addr32[1] +
           sk->skc_v6_rcv_saddr.in6_u.u6_addr32[0] + __builtin_preserve_field_info(inet->bind_address_no_port, 0);
}
"""


def test_members_are_inside_their_structs(made: Path) -> None:
    """Also where the compiler gave no size, for an array of variable length."""
    blob = Blob(made.read_bytes())
    tails = [e for e in blob.list if e.kind == STRUCT and [blob.string(m[0]) for m in e.members][1:2] == ["text"]]
    assert tails
    for entry in tails:
        assert all(offset // 8 + blob.size_of(inner) <= entry.value for _, inner, offset in entry.members)


def test_kabi_names_are_uniform(made: Path) -> None:
    """One struct task, though two units spell its hidden members differently; within it their names differ."""
    blob = Blob(made.read_bytes())
    assert names(blob, STRUCT).count("task") == 1
    hidden = [
        blob.string(member[0])
        for entry in blob.list
        if entry.kind == UNION
        for member in entry.members
        if "kabi" in blob.string(member[0])
    ]
    assert sorted(hidden) == ["rh_kabi_hide_fresh", "rh_kabi_hide_one"]


def test_without_uniform_names_it_is_doubled(vmlinux: Path, tmp_path: Path) -> None:
    """What the renaming is for: without it pahole keeps a copy a unit."""
    raw = tmp_path / "raw.btf"
    subprocess.run(["pahole", "-J", f"--btf_encode_detached={raw}", vmlinux], check=True)
    assert names(Blob(raw.read_bytes()), STRUCT).count("task") == 2


def c_dump(path: Path) -> str:
    return subprocess.run(
        ["bpftool", "btf", "dump", "file", path, "format", "c"], check=True, capture_output=True, text=True
    ).stdout


def test_bpftool_and_a_compiler_read_it(made: Path, tmp_path: Path) -> None:
    header = tmp_path / "vmlinux.c"
    header.write_text(c_dump(made))
    subprocess.run(["clang", "-target", "bpf", "-c", "-o", tmp_path / "out.o", header], check=True)


def test_compilers_give_the_same_places(made: Path, tmp_path: Path) -> None:
    """What is read out of C that was written out of the BTF, as bpftrace does it: also behind fields that the kernel has not."""
    blob = Blob(made.read_bytes())
    lines = [c_dump(made)]
    for entry in blob.list:
        name = blob.string(entry.name_off)
        if entry.kind != STRUCT or not name or "vlais" in name:
            continue
        lines.append(f'_Static_assert(sizeof(struct {name}) == {entry.value}, "{name}");')
        for name_off, _, offset in entry.members:
            place, bits = entry.place(offset)
            if name_off and not bits:
                field = blob.string(name_off)
                lines.append(f'_Static_assert(__builtin_offsetof(struct {name}, {field}) == {place // 8}, "{name}.{field}");')
    for name, field, place in [("sock_common", "skc_v6_rcv_saddr", 3), ("sock_common", "six", 24), ("task_struct", "clock", 32)]:
        lines.append(f'_Static_assert(__builtin_offsetof(struct {name}, {field}) == {place}, "{name}.{field}");')
    source = tmp_path / "places.c"
    source.write_text("\n".join(lines))
    done = subprocess.run(["clang", "-target", "bpf", "-w", "-fsyntax-only", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_contexts_have_types(made: Path) -> None:
    """What programs are given, in the layout of bpf(2)'s own header; none where a part of it is unknown."""
    text = c_dump(made)
    assert "struct bpf_raw_tracepoint_args {\n\tlong long unsigned int args[0];\n};" in text, text
    assert "struct bpf_perf_event_data {" not in text, "there is no struct pt_regs in it"
    blob = Blob(made.read_bytes())
    blob.add_struct(STRUCT, "pt_regs", 168)
    assert adapt(blob)["contexts"] == 1 and adapt(blob)["contexts"] == 0
    data = blob.find(STRUCT, "bpf_perf_event_data")
    assert data is not None and data.value == 184
    assert [(blob.string(name), offset // 8) for name, _, offset in data.members] == [
        ("regs", 0), ("sample_period", 168), ("addr", 176),
    ]  # fmt: skip


def test_sidecar_names_the_kernel(made: Path, vmlinux: Path) -> None:
    about = json.loads(made.with_name(made.name + ".json").read_text())
    notes = subprocess.run(["readelf", "-n", vmlinux], check=True, capture_output=True, text=True).stdout
    assert f"Build ID: {about['build_id']}" in notes
    assert about["size"] == made.stat().st_size
    assert inspect(str(vmlinux))["build_id"] == about["build_id"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:10], "too short"),
        (lambda data: b"\x7fELF" + data[4:], "magic"),
        (lambda data: data[:2] + b"\x02" + data[3:], "unknown version"),
        (lambda data: data[:-4], "outside the file"),
        (lambda data: data[:-1] + b"x", "strings"),
        (lambda data: data[: HEADER.size + 7] + b"\x1f" + data[HEADER.size + 8 :], "unknown kind"),
        (lambda data: data[: HEADER.size + 4] + b"\xff\xff\x00\x0d" + data[HEADER.size + 8 :], "in the midst"),
        (lambda data: data[: HEADER.size] + b"\xff\xff\xff\x7f" + data[HEADER.size + 4 :], "no valid name"),
    ],
)  # fmt: skip
def test_malformed(made: Path, damage: object, message: str) -> None:
    with pytest.raises(BtfError, match=message):
        Blob(damage(made.read_bytes()))  # type: ignore[operator]


def test_make_refuses(tmp_path: Path, vmlinux: Path) -> None:
    text = tmp_path / "text"
    text.write_text("not an image")
    with pytest.raises(BtfError, match="not an ELF"):
        make(str(text), None)
    stripped = tmp_path / "stripped"
    shutil.copy(vmlinux, stripped)
    subprocess.run(["strip", "-g", stripped], check=True)
    with pytest.raises(BtfError, match="no debug information"):
        make(str(stripped), None)
    with pytest.raises(BtfError, match="cannot be run"):
        make(str(vmlinux), str(tmp_path / "out.btf"), pahole="/nonexistent/pahole")
    assert not (tmp_path / "out.btf").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stripped", "text"], "no leftovers"


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> str:
    """Makes the loader believe in a running kernel 3.10.0-test of build id 11…11; returns that release."""
    monkeypatch.setattr(btf_load, "build_id", lambda: b"\x11" * 20)
    monkeypatch.setattr(btf_load, "release", lambda: "3.10.0-test")
    return "3.10.0-test"


def test_other_kernel_is_refused(running: str, made: Path) -> None:
    about = btf_load.read(str(made))[1]
    with pytest.raises(BtfError, match="of another kernel"):
        btf_load.check_kernel("x", about, trust=False)
    with pytest.raises(BtfError, match="of another kernel"):
        btf_load.check_kernel("x", about, trust=True)
    btf_load.check_kernel("x", about | {"build_id": "11" * 20}, trust=False)


def test_btfhub_files(running: str, made: Path, tmp_path: Path) -> None:
    """Plain files are known by their names alone, packed or not."""
    plain = tmp_path / "3.10.0-test.btf"
    shutil.copy(made, plain)
    packed = tmp_path / "any.btf.tar.xz"
    subprocess.run(["tar", "-C", tmp_path, "-cJf", packed, plain.name], check=True)
    for path in (plain, packed):
        data, about = btf_load.read(str(path))
        assert data == made.read_bytes()
        btf_load.check_kernel(str(path), about, trust=False)
    other = tmp_path / "3.10.0-other.btf"
    plain.rename(other)
    about = btf_load.read(str(other))[1]
    with pytest.raises(BtfError, match="--trust"):
        btf_load.check_kernel(str(other), about, trust=False)
    btf_load.check_kernel(str(other), about, trust=True)


def test_broken_archive(tmp_path: Path) -> None:
    broken = tmp_path / "3.10.0-test.btf.tar.xz"
    broken.write_bytes(b"\xfd7zXZ\0 nothing")
    with pytest.raises(BtfError):
        btf_load.read(str(broken))


def test_iterators_are_described() -> None:
    """On a kernel without any: functions, contexts, and structs of objects, as libbpf and clients look them up."""
    btf = b.Btf()
    number, char = btf.int("unsigned int", 4, 0), btf.int("char", 1)
    btf.int("int", 4)
    long = btf.int("long long unsigned int", 8, 0)
    btf.int("unsigned char", 1, 0)
    btf.int("short unsigned int", 2, 0)
    btf.modifier(b.TYPEDEF, btf.struct("", 8, [("counter", long, 0)]), "atomic64_t")
    for name in ("task_struct", "file", "seq_file", "cgroup"):
        btf.struct(name, 8, [("a", long, 0)])
    offset = btf.modifier(b.TYPEDEF, long, "loff_t")
    btf.struct("kallsym_iter", 24, [("pos", offset, 0), ("name", btf.array(char, number, 9), 64)])
    # of the kernel's own, older: it keeps what it has
    btf.struct("bpf_prog", 8, [("jited", char, 0), ("len", number, 32)])
    btf.struct("bpf_map", 8, [("refcnt", number, 0), ("id", number, 32)])
    blob = Blob(btf.blob())
    assert add_iterators(blob) == 7  # there is no vm_area_struct to go through, and no function that goes through cgroups
    once = blob.pack()
    assert add_iterators(blob) == 0 and blob.pack() == once
    world = KernelBtf(data=once)
    proto = world.get(world.find(12, "bpf_iter_task_file"))[2]
    params = [world.get(world.bare(param)) for param in world.params(proto)]
    assert [kind for kind, *_ in params] == [2, 2, 1, 2]
    targets = [world.name(target) for kind, _, target, _ in params if kind == 2]
    assert targets == ["bpf_iter_meta", "task_struct", "file"]
    assert not world.find(12, "bpf_iter_task_vma")
    assert [world.offset("bpf_iter__task_file", name) for name in ("meta", "task", "fd", "file")] == [0, 8, 16, 24]
    assert [world.offset("bpf_iter_meta", name) for name in ("seq", "session_id", "seq_num")] == [0, 8, 16]
    assert world.offset("bpf_prog", "len") == 4 and world.offset("bpf_prog", "aux") % 8 == 0
    assert [world.offset("bpf_map", name) for name in ("refcnt_own", "id")] == [0, 4]  # the own one is shorter
    assert world.offset("bpf_map", "refcnt", "counter") % 8 == 0 and world.offset("bpf_map", "refcnt") >= 8
    assert [world.offset("kallsym_iter", name) for name in ("pos", "pos_arch_end", "show_value")] == [0, 24, 56]
    with World() as verifier:
        fd, log = verifier.btf(once, kernel=True)
        assert fd >= 0, log


def test_an_iterator_needs_functions_of_the_kernel() -> None:
    """Cgroups are walked by the kernel's own functions: where it lacks one, nobody is promised the iterator."""
    functions = ("cgroup_v1v2_get_from_fd", "css_next_descendant_post")
    for present in ((), functions[:1], functions[1:], functions):
        btf = b.Btf()
        for name, size in (("unsigned int", 4), ("unsigned char", 1), ("short unsigned int", 2), ("char", 1), ("int", 4)):
            btf.int(name, size, 0)
        long = btf.int("long long unsigned int", 8, 0)
        btf.modifier(b.TYPEDEF, btf.struct("", 8, [("counter", long, 0)]), "atomic64_t")
        for name in ("seq_file", "cgroup"):
            btf.struct(name, 8, [("a", long, 0)])
        for name in present:
            btf.func(name, btf.proto(long, []))
        blob = Blob(btf.blob())
        add_iterators(blob)
        assert (blob.find(FUNC, "bpf_iter_cgroup") is not None) == (present == functions), present
        assert blob.find(FUNC, "bpf_iter_bpf_map") is not None


def test_contexts_lie_as_the_header_says(tmp_path: Path) -> None:
    btf = b.Btf()
    for name, size in (("unsigned int", 4), ("unsigned char", 1), ("short unsigned int", 2), ("int", 4)):
        btf.int(name, size, 0)
    btf.int("long long unsigned int", 8, 0)
    blob = Blob(btf.blob())
    assert add_contexts(blob) == len(CONTEXTS) - 1  # there is no pt_regs
    lines = ["#include <linux/bpf.h>"]
    for name, fields in CONTEXTS:
        entry = blob.find(STRUCT, name)
        if entry is None:
            continue
        assert len(entry.members) == len(fields)
        places = {blob.string(member[0]): member[2] // 8 for member in entry.members}
        lines += [f'_Static_assert(__builtin_offsetof(struct {name}, {field}) == {at}, "");' for field, at in places.items()]
        lines.append(f'_Static_assert(sizeof(struct {name}) == {entry.value}, "{name}");')
    assert len(lines) > 80
    source = tmp_path / "layout.c"
    source.write_text("\n".join(lines) + "\n")
    done = subprocess.run(["gcc", "-fsyntax-only", source], capture_output=True, text=True)
    assert not done.returncode, done.stderr


def test_twins_are_one_again() -> None:
    """Two that differ in what lies behind a pointer alone are one; those that differ themselves, or in what they hold, stay."""
    btf = b.Btf()
    number = btf.int("unsigned int", 4, 0)
    other = btf.int("long unsigned int", 8, 0)
    rings = [btf.struct("ring", 8, [("a", number, 0), ("b", number, 32)]), btf.struct("ring", 8, [("c", other, 0)])]
    tasks, holders, functions = [], [], []
    for ring in rings:
        event = btf.struct("event", 8, [("ring", btf.ptr(ring), 0)])
        inner = btf.struct("", 8, [("event", btf.ptr(event), 0)])
        tasks.append(btf.struct("task", 16, [("inner", inner, 0), ("first", btf.array(event, number, 1), 64)]))
        holders.append(btf.struct("holder", 8, [("ring", ring, 0)]))
        task = btf.modifier(b.CONST, tasks[-1])
        functions.append(btf.func(f"of{ring}", btf.proto(0, [("task", btf.ptr(task))])))
    variable = btf.var("init", tasks[1])
    blob = Blob(btf.blob())
    assert merge_twins(blob) == 2  # event, task
    once = blob.pack()
    assert merge_twins(blob) == 0 and blob.pack() == once
    left = [[entry.id for entry in blob.find_all(STRUCT, name)] for name in ("task", "ring", "holder")]
    assert left == [tasks[:1], rings, holders]
    for function in functions:
        pointer = blob.list[blob.list[function - 1].value - 1].params[0][1]
        assert blob.list[blob.list[pointer - 1].value - 1].value == tasks[0]
    assert blob.list[variable - 1].value == tasks[0]
    assert blob.size_of(tasks[1]) == 8 and not blob.string(blob.list[tasks[1] - 1].name_off)
    # which of the rings an event has is not known: nobody is to follow that pointer, and what holds a ring is as it was
    assert hide_ambiguous(blob) == 2
    assert hide_ambiguous(blob) == 0
    event = next(entry for entry in blob.find_all(STRUCT, "event"))
    ring = blob.list[blob.list[event.members[0][1] - 1].value - 1]
    assert ring.kind == FWD and blob.string(ring.name_off) == "ring"
    assert [blob.list[holder - 1].members[0][1] for holder in holders] == rings
    with World() as verifier:
        fd, log = verifier.btf(blob.pack(), kernel=True)
        assert fd >= 0, log


def test_time_of_nanosleep() -> None:
    btf = b.Btf()
    long = btf.int("long int", 8)
    btf.struct("timespec", 16, [("tv_sec", long, 0), ("tv_nsec", long, 64)])
    blob = Blob(btf.blob())
    assert adapt(blob)["times"] == 1 and adapt(blob)["times"] == 0
    assert KernelBtf(data=blob.pack()).offset("__kernel_timespec", "tv_nsec") == 8
