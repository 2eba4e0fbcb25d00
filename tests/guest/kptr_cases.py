# SPDX-License-Identifier: MIT
"""Runs inside a machine: kernel objects in map values. Prints one JSON object of answers; test_kptr.py judges them.

The same natively and on the module. Standard library only. A kernel without the type that Linux tests owned objects with
answers for those that are borrowed alone.
"""

import json
import mmap
import os
import struct
import subprocess
import time

import attach_cases as c  # first: it finds the assembler
import bpfsys as b
from asm import R0, R1, R2, R3, R4, R6, R7, R8, R9, R10
from attach_cases import a
from kernel_btf import FUNC, STRUCT, TYPEDEF, of_this_kernel
from programs import btf as types
from programs import kptr_ref

BTF = of_this_kernel()
OWNS = bool(BTF.find(STRUCT, "prog_test_ref_kfunc"))
TRACING, RAW_TP, FENTRY = 26, 23, 24
LOOKUP, UPDATE, DELETE = 1, 2, 3
STORE, ZERO = 4001, os.open("/dev/zero", os.O_RDONLY)


def kfunc(name):
    number = BTF.find(FUNC, "bpf_kfunc_" + name)
    assert number, name
    return a.call_kfunc(number)


def errno_of(call):
    try:
        call()
    except OSError as error:
        return -error.errno
    return 0


# -- what the verifier says ---------------------------------------------------------------------------------------------


def make(kind, map_type=b.ARRAY, entries=1, flags=0):
    blob, key, value, size = kptr_ref.value_btf(kind)
    fd = b.check(b.btf_load(blob), "BTF")
    more = {} if kind == kptr_ref.UNTYPED else {"btf": fd, "btf_key": key, "btf_value": value}
    made = b.map_create(map_type, 4, size, entries, flags, **more)
    os.close(fd)
    return made


def verdicts():
    said = {}
    for case in kptr_ref.cases(kfunc):
        code, fds = case.insns, []
        for kind in (kptr_ref.MAP, kptr_ref.PLAIN, kptr_ref.UNTYPED, kptr_ref.MANY, kptr_ref.NO_DTOR):
            if struct.pack("<I", kind) in code:
                fds.append(b.check(make(kind), case.name))
                code = code.replace(struct.pack("<I", kind), struct.pack("<I", fds[-1]))
        prog = b.Prog(code, case.prog_type, log_level=1, log_size=1 << 16)
        fd = prog.load()
        good = (fd >= 0 if not case.error else fd == -getattr(__import__("errno"), case.error)) and case.message in prog.log_text()
        if good and case.result is not None:
            good = run(fd) == case.result
        said[case.name] = "as told" if good else [fd, prog.log_text()[-1500:]]
        for each in [*fds, *([fd] if fd >= 0 else [])]:
            os.close(each)
    return said


# -- who owns what --------------------------------------------------------------------------------------------------------


def run(fd, repeat=1):
    packet = b.buf(bytes(64))
    attr = b.buf(struct.pack("<IIIIQQIIQQIIII", fd, 0, 64, 0, b.addr(packet), 0, repeat, 0, 0, 0, 0, 0, 0, 0))
    b.check(b.call(b.PROG_TEST_RUN, attr), "PROG_TEST_RUN")
    return struct.unpack_from("<I", attr.raw, 4)[0]


def load(*items):
    prog = b.Prog(a.asm(*items), 3, log_level=1, log_size=1 << 16)
    fd = prog.load()
    assert fd >= 0, prog.log_text()[-2000:]
    return fd


def count():
    """References to the object that are out, but for this one."""
    global counter
    if counter is None:
        counter = load(
            *kptr_ref.acquired(kfunc, R6), a.ldx(4, R7, R6, 24), a.mov(R1, R6), kfunc("call_test_release"), a.mov(R0, R7), a.exit_()
        )
    return run(counter)


counter = None


def find(fd, key=1, helper=LOOKUP):
    """r0, r7 = the value; else the program ends with 90."""
    return [a.st(4, R10, -4, key), a.mov(R2, R10), a.add_imm(R2, -4), a.ld_map(R1, fd), a.call(helper), a.jmp_imm("ne", R0, 0, 2),
            a.mov_imm(R0, 90), a.exit_(), a.mov(R7, R0)]  # fmt: skip


def put(fd, key=1, between=()):
    """A program that gives the value an object: 1; 2 when it had one, which is given back."""
    return load(
        a.mov_imm(R9, 1), *find(fd, key), *between, a.st(8, R10, -16, 0), a.mov(R1, R10),
        a.add_imm(R1, -16), kfunc("call_test_acquire"), a.jmp_imm("ne", R0, 0, 2), a.mov_imm(R0, 91), a.exit_(), a.mov(R2, R0),
        a.mov(R1, R7), a.call(kptr_ref.XCHG), a.jmp_imm("eq", R0, 0, 3), a.mov_imm(R9, 2), a.mov(R1, R0),
        kfunc("call_test_release"), a.mov(R0, R9), a.exit_(),
    )  # fmt: skip


def settled(wanted):
    """The count, once it is that; what it is after a while otherwise."""
    for _ in range(60):
        found = count()
        if found == wanted:
            break
        time.sleep(0.05)
    return found


KEY = struct.pack("<I", 1)
VALUE = struct.pack("<QQQQ", 0xBAD, 0xBAD, 77, 0xBAD)  # none of the pointers is taken over
KINDS = {
    "array": (b.ARRAY, 0), "hash": (b.HASH, 0), "hash, not preallocated": (b.HASH, b.F_NO_PREALLOC), "LRU hash": (b.LRU_HASH, 0),
    "per-CPU array": (b.PERCPU_ARRAY, 0),
}  # fmt: skip


def number_of(value):
    """The number of the first value, and whether all else of it is nothing."""
    return [struct.unpack_from("<Q", value, 16)[0], not any(value[:16] + value[24:32])] if isinstance(value, bytes) else value


def evict(fd):
    """Fills a map with keys that programs look up more than KEY, till that is gone: what a look-up of it says then."""
    touch = load(a.call(7), a.alu64_imm("and", R0, 1023), a.add_imm(R0, 100), a.stx(4, R10, -4, R0), a.ld_map(R1, fd), a.mov(R2, R10),
                 a.add_imm(R2, -4), a.call(LOOKUP), a.mov_imm(R0, 0), a.exit_())  # fmt: skip
    for round in range(40):
        for key in range(100 + round % 4 * 256, 356 + round % 4 * 256):
            b.update(fd, struct.pack("<I", key), VALUE)
        run(touch, 500)
        found = b.lookup(fd, KEY, kptr_ref.SIZE)
        if not isinstance(found, bytes):
            break
    os.close(touch)
    return number_of(found)


def life(map_type, flags):
    """How many references the map has, after each step."""
    base = count()
    hash = map_type in (b.HASH, b.LRU_HASH)
    fd = b.check(make(kptr_ref.MAP, map_type, 512 if map_type == b.LRU_HASH else 4, flags), "map")
    cpus = os.cpu_count() if map_type == b.PERCPU_ARRAY else 1
    size = kptr_ref.SIZE * cpus
    out = {"created": b.update(fd, KEY, VALUE * cpus)}
    giver = put(fd)

    def give():
        b.update(fd, KEY, VALUE * cpus)
        return [run(giver), count() - base]

    out["read"] = number_of(b.lookup(fd, KEY, size))
    out["given"] = [run(giver), count() - base]
    out["given again"] = [run(giver), count() - base]
    out["read then"] = number_of(b.lookup(fd, KEY, size))
    out["written over"] = [b.update(fd, KEY, VALUE * cpus), settled(base) - base]
    if map_type != b.PERCPU_ARRAY:
        writer = load(*[a.st(8, R10, -8 * i, 5) for i in range(2, 6)], a.st(4, R10, -4, 1), a.ld_map(R1, fd), a.mov(R2, R10),
                      a.add_imm(R2, -4), a.mov(R3, R10), a.add_imm(R3, -40), a.mov_imm(R4, 0), a.call(UPDATE), a.exit_())  # fmt: skip
        out["by a program"] = [give(), run(writer), settled(base) - base]
        os.close(writer)
    if hash:
        out["deleted"] = [give(), b.delete(fd, KEY), settled(base) - base]
        out["taken out"] = [
            give(), number_of(b.lookup(fd, KEY, size, cmd=b.MAP_LOOKUP_AND_DELETE_ELEM)), settled(base) - base,
        ]  # fmt: skip
        keys = b.buf(KEY)
        out["deleted in a batch"] = [give(), b.call(b.MAP_DELETE_BATCH, b.batch_attr(fd, keys, None, 1)), settled(base) - base]
        # the program still has the element that it deleted itself, and gives it one
        late = put(fd, between=[a.st(4, R10, -4, 1), a.mov(R2, R10), a.add_imm(R2, -4), a.ld_map(R1, fd), a.call(DELETE)])
        b.update(fd, KEY, VALUE)
        out["given when it was deleted"] = run(late)
        for key in range(8):
            b.update(fd, struct.pack("<I", key), VALUE)
        for key in range(8):
            b.delete(fd, struct.pack("<I", key))
    if map_type == b.LRU_HASH:
        with b.on_one_cpu():
            out["evicted"] = [give(), evict(fd), settled(base) - base]
    out["given at last"] = give()[0]
    out["freeze"] = b.call(b.MAP_FREEZE, struct.pack("<I", fd))
    os.close(giver)
    if hash:
        os.close(late)
    os.close(fd)
    out["closed"] = settled(base) - base
    return out


def refused():
    """Maps that may not hold objects."""
    fd = b.check(make(kptr_ref.MAP, flags=b.F_MMAPABLE), "map")
    out = {
        "mapped": errno_of(lambda: mmap.mmap(fd, 4096, mmap.MAP_SHARED, mmap.PROT_READ)),
        "for programs to read": make(kptr_ref.MAP, flags=b.F_RDONLY_PROG),
        "for programs to write": make(kptr_ref.MAP, flags=b.F_WRONLY_PROG),
        "per-CPU hash": make(kptr_ref.MAP, b.PERCPU_HASH),
        "queue": make(kptr_ref.MAP, 22),
    }
    os.close(fd)
    return out


# -- borrowed: what a task and a module were, read when they are gone -----------------------------------------------------


def borrowed_map():
    btf = types.Btf()
    u32, u64 = btf.int("unsigned int", 4, 0), btf.int("unsigned long long", 8, 0)
    task, module = (btf.ptr(btf.modifier(types.TYPE_TAG, btf.struct(name, 0, []), "kptr")) for name in ("task_struct", "module"))
    value = btf.struct("val", 32, [("task", task, 0), ("module", module, 64), ("seen", u64, 128), ("next", u64, 192)])
    fd = b.check(b.btf_load(btf.blob()), "BTF")
    return b.check(b.map_create(b.ARRAY, 4, 32, 1, btf=fd, btf_key=u32, btf_value=value), "map")


def trace(fd, attach, target, *items):
    kind, name = (TYPEDEF, "btf_trace_" + target) if attach == RAW_TP else (FUNC, target)
    code = a.asm(a.mov(R8, R1), a.ld_map_value(R7, fd), *items, a.mov_imm(R0, 0), a.exit_())
    more = {"expected_attach_type": attach, "attach_btf_id": BTF.find(kind, name), "log_level": 1, "log_size": 1 << 16}
    prog = b.Prog(code, TRACING, **more)
    loaded = prog.load()
    assert loaded >= 0, prog.log_text()[-1000:]
    return b.check(b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", 0, loaded)), "attach")


def reader(fd, off, items):
    """A program that returns what the pointer leads to: 1, or 90 where there is none."""
    return load(a.ld_map_value(R7, fd), a.ldx(8, R6, R7, off), a.jmp_imm("ne", R6, 0, 2), a.mov_imm(R0, 90), a.exit_(), *items,
                a.exit_())  # fmt: skip


def child(fd):
    """A process that is noted by its own read(), and waits."""
    up, down = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        c.libc.read(ZERO, b.buf(STORE), STORE)
        os.write(up[1], b"x")
        os.read(down[0], 1)
        os._exit(0)
    os.read(up[0], 1)
    return pid, down[1]


def borrowed_task():
    fd = borrowed_map()
    at = BTF.offset("task_struct", "pid"), BTF.offset("task_struct", "real_parent"), BTF.offset("task_struct", "tgid")
    link = trace(fd, FENTRY, "vfs_read", a.ldx(8, R1, R8, 16), a.jmp_imm("ne", R1, STORE, 2), a.call(158), a.stx(8, R7, 0, R0))
    pid = reader(fd, 0, [a.ldx(4, R0, R6, at[0])])
    parent = reader(fd, 0, [a.ldx(8, R6, R6, at[1]), a.ldx(4, R0, R6, at[2])])
    out = {"none yet": run(pid)}
    number, wake = child(fd)
    out["alive"] = [run(pid) == number, run(parent) == os.getpid(), b.lookup(fd, bytes(4), 32)[:8] == bytes(8)]
    os.write(wake, b"x")
    os.waitpid(number, 0)
    # other tasks take its place; whatever is there now, reading it does no harm
    for _ in range(3):
        time.sleep(0.2)
        run(pid), run(parent)
    b.update(fd, bytes(4), bytes([255]) * 32)
    out["written over"] = run(pid)
    for each in (link, pid, parent, fd):
        os.close(each)
    return out


def borrowed_module():
    """Its memory is unmapped when it goes: a read then finds nothing, and is no fault."""
    fd = borrowed_map()
    at = BTF.offset("module", "list", "next")
    link = trace(fd, RAW_TP, "module_load", a.ldx(8, R1, R8, 0), a.stx(8, R7, 8, R1), a.ldx(8, R2, R1, at), a.stx(8, R7, 24, R2),
                 a.st(8, R7, 16, 1))  # fmt: skip
    follow = reader(fd, 8, [a.ldx(8, R1, R6, at), a.mov_imm(R0, 1), a.jmp_imm("ne", R1, 0, 1), a.mov_imm(R0, 0)])
    # on another CPU than reads it afterwards: old kernels leave it in what a CPU remembers of its page tables
    os.sched_setaffinity(0, {1})
    out = {"loaded": subprocess.run(["insmod", "/run/gate.ko", "plant=nothing"], capture_output=True).returncode}
    os.sched_setaffinity(0, {0})
    seen, next = struct.unpack_from("<QQ", b.lookup(fd, bytes(4), 32), 16)
    out["seen"] = [seen, next != 0]
    time.sleep(0.5)
    out["gone"] = run(follow)
    for each in (link, follow, fd):
        os.close(each)
    return out


def main():
    answers = {"task": borrowed_task()}
    if os.path.exists("/run/gate.ko"):
        answers["module"] = borrowed_module()
    if OWNS:
        answers["verdicts"] = verdicts()
        answers["refused"] = refused()
        os.sched_setaffinity(0, {0})
        for name, (map_type, flags) in KINDS.items():
            answers[name] = life(map_type, flags)
    print(json.dumps({"owns": OWNS, "answers": answers}))


main()
