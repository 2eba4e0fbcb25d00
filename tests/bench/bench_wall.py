# SPDX-License-Identifier: MIT
"""Time by the clock, from one CPU and from two at once: contention and caches, which counting instructions does not see."""

import json
import os

import asm as a
import bpfsys as b
from asm import R0, R1, R2, R3, R9, R10
from bench_common import EACH, LOOKUP, case, filled, key_on_stack, keys, load, q, test_run
from bench_run import RB_RESERVE, RB_SUBMIT, produced, update_body

ROUNDS, REPEAT = 25, 400


def hash_program(fd, cpu, updating):
    """32 operations on keys that are this CPU's own, in a map that all share."""
    some = keys(512, 8)[cpu * EACH :]
    parts = []
    for i in range(EACH):
        parts += key_on_stack(some[i])
        if updating:
            parts += update_body(fd)
        else:
            parts += [a.mov(R2, R10), a.add_imm(R2, -64), a.ld_map(R1, fd), a.call(LOOKUP), a.jmp_imm("eq", R0, 0, 2)]
            parts += [a.ldx(8, R1, R0, 0), a.add(R9, R1)]
    return load(a.asm(a.mov_imm(R9, 0), a.st(8, R10, -56, 1), *parts, a.mov(R0, R9), a.exit_()))


def ring_program(fd):
    body = [a.ld_map(R1, fd), a.mov_imm(R2, 64), a.mov_imm(R3, 0), a.call(RB_RESERVE), a.jmp_imm("eq", R0, 0, 5),
            a.stx(8, R0, 0, R9), a.mov(R1, R0), a.mov_imm(R2, 1), a.call(RB_SUBMIT), a.add_imm(R9, 1)]  # fmt: skip
    return load(a.asm(a.mov_imm(R9, 0), *body * EACH, a.mov(R0, R9), a.exit_()))


def at_once(progs, repeat, expect):
    """ns a run of each program, each on a CPU of its own and all at the same time: the slowest one's."""
    go, start = os.pipe()
    children = []
    for cpu, prog in enumerate(progs):
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            os.sched_setaffinity(0, {cpu})
            test_run(prog, 1)
            os.write(write, b".")
            os.read(go, 1)
            os.write(write, json.dumps(test_run(prog, repeat)).encode())
            os._exit(0)
        children.append((pid, read))
        os.read(read, 1)
        os.close(write)
    os.write(start, b"." * len(progs))
    slowest = 0
    for pid, read in children:
        result, ns = json.loads(os.read(read, 100).decode())
        os.waitpid(pid, 0)
        os.close(read)
        assert result == expect, "returned %d, not %d" % (result, expect)
        slowest = max(slowest, ns)
    os.close(go)
    os.close(start)
    return slowest


def hash_case(what, cpus):
    @case("wall", "hash %s from %d CPU%s" % (what, cpus, "s" * (cpus > 1)))
    def run():
        fd = filled(b.HASH, 8, 8, 1024, 512)
        progs = [hash_program(fd, cpu, what == "update") for cpu in range(cpus)]
        out = [at_once(progs, REPEAT, EACH if what == "lookup" else 0) / EACH for _ in range(ROUNDS)]
        assert all(b.lookup(fd, key, 8) == q(1) for key in keys(512, 8)[: cpus * EACH])
        return out


def ring_case(cpus):
    @case("wall", "ring buffer reserve and submit from %d CPU%s" % (cpus, "s" * (cpus > 1)))
    def run():
        out, repeat = [], REPEAT
        for _ in range(ROUNDS):
            fd = b.check(b.map_create(b.RINGBUF, 0, 0, 4 << 20), "map")
            progs = [ring_program(fd) for _ in range(cpus)]
            out.append(at_once(progs, repeat, EACH) / EACH)
            wanted = cpus * (repeat + 1) * EACH * 72
            assert produced(fd) == wanted, "%d bytes, not %d" % (produced(fd), wanted)
            for one in [*progs, fd]:
                os.close(one)
        return out


for count in (1, 2):
    hash_case("lookup", count)
    hash_case("update", count)
    ring_case(count)
