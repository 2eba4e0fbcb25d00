# SPDX-License-Identifier: MIT
"""Events: what a program on a hook adds to a system call, and what the kernel's own tracing and SystemTap add."""

import os
import struct
import subprocess

import asm as a
import attach_cases as att
import bpfsys as b
from asm import R0, R1, R2, R10
from bench_common import (
    CALLS,
    GETPPID,
    LOOKUP,
    NULL,
    ROUNDS,
    case,
    filled,
    getppid_loop,
    key_on_stack,
    keys,
    kprobe_hook,
    load,
    q,
    raw_hook,
    set_name_loop,
    spend_event,
    tracepoint_hook,
)

# name: attach, program type, what makes it happen, its rival in tracefs
HOOKS = {
    "kprobe": (kprobe_hook(0), b.KPROBE, getppid_loop, "p:bench %s" % GETPPID),
    "kretprobe": (kprobe_hook(1), b.KPROBE, getppid_loop, "r:bench %s" % GETPPID),
    "tracepoint": (tracepoint_hook("task/task_rename"), b.TRACEPOINT, set_name_loop, "task/task_rename"),
    "raw tracepoint": (raw_hook("task_rename"), b.RAW_TRACEPOINT, set_name_loop, "task/task_rename"),
    "syscall tracepoint": (
        tracepoint_hook("syscalls/sys_enter_getppid"),
        b.TRACEPOINT,
        getppid_loop,
        "syscalls/sys_enter_getppid",
    ),
}


def runs_counted(prog, cause):
    """How often a program runs in ten calls, by the statistics that are off while it is timed."""
    stats = b.check(b.call(b.ENABLE_STATS, struct.pack("<I", 0)), "ENABLE_STATS")
    counts = []
    for calls in (10, 0):
        info = b.buf(256)
        b.check(b.call(b.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", prog, 232, b.addr(info))), "info")
        counts.append(struct.unpack_from("<Q", info, 200)[0])
        if calls:
            cause(calls)
    os.close(stats)
    return counts[1] - counts[0]


def event_case(name, counting):
    attach, kind, cause, _ = HOOKS[name]

    @case("events", "%s, %s" % (name, "hash increment" if counting else "null program"))
    def run():
        fd = filled(b.HASH, 8, 8, 1024, 512)
        key = keys(512, 8)[9]
        b.check(b.update(fd, key, q(0)), "update")
        if counting:
            code = a.asm(
                *key_on_stack(key),
                a.mov(R2, R10),
                a.add_imm(R2, -64),
                a.ld_map(R1, fd),
                a.call(LOOKUP),
                a.jmp_imm("eq", R0, 0, "out"),
                a.mov_imm(R1, 1),
                a.atomic(8, "add", R0, 0, R1),
                "out",
                a.mov_imm(R0, 0),
                a.exit_(),
            )
        else:
            code = NULL
        prog = load(code, kind)
        out = []
        for turn in range(ROUNDS):
            bare = spend_event(cause)
            event = attach(prog)
            try:
                out.append(spend_event(cause) - bare)
                ran = 10 if counting else runs_counted(prog, cause)
            finally:
                os.close(event)
            assert ran == 10, "%d runs, not 10" % ran
            if counting:
                hits = struct.unpack("<Q", b.lookup(fd, key, 8))[0]
                assert hits == (turn + 1) * (CALLS + 50), "%d hits, not %d" % (hits, (turn + 1) * (CALLS + 50))
        return out


for hook in HOOKS:
    event_case(hook, False)
    event_case(hook, True)


# ---- what its users have instead on a kernel without bpf(2): tracing by kprobe_events and trace events, and SystemTap ----


def write(path, text):
    fd = os.open(path, os.O_WRONLY | (os.O_APPEND if path.endswith("kprobe_events") else 0))
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def traced():
    """How many events the trace buffer of this CPU has taken in."""
    with open(att.TRACING + "/per_cpu/cpu0/stats") as file:
        stats = dict(line.split(":", 1) for line in file)
    return int(stats["entries"]) + int(stats["overrun"])


def tracefs_case(name):
    _, _, cause, rival = HOOKS[name]

    @case("tracefs", "%s, null program" % name)
    def run():
        base = att.TRACING
        if ":" in rival:
            write(base + "/kprobe_events", rival + "\n")
            enable = base + "/events/kprobes/bench/enable"
        else:
            enable = base + "/events/%s/enable" % rival
        out = []
        for _ in range(ROUNDS):
            bare = spend_event(cause)
            write(enable, "1")
            before = traced()
            out.append(spend_event(cause) - bare)
            hits = traced() - before
            write(enable, "0")
            assert hits >= CALLS + 50, "%d events, not %d" % (hits, CALLS + 50)
        if ":" in rival:
            write(base + "/kprobe_events", "-:bench\n")
        return out


for hook in HOOKS:
    tracefs_case(hook)


def systemtap_case(name, counting):
    cause = HOOKS[name][2]
    label = "%s, %s" % (name, "hash increment" if counting else "null program")
    module = "bench_%s_%d" % (name.replace(" ", "_"), counting)

    @case("systemtap", label)
    def run():
        """Of SystemTap's own count of hits (staprun -d prints nothing of it) only the one that is kept in a map can be seen."""
        path = os.path.join(os.environ["BENCH_STAP"], module + ".ko")
        if not os.path.exists(path):
            raise OSError(2, "not built: see %s.log" % module)
        out = []
        for _ in range(ROUNDS):
            bare = spend_event(cause)
            said = subprocess.run(["staprun", "-L", path], capture_output=True, text=True)
            assert not said.returncode, said.stderr
            try:
                out.append(spend_event(cause) - bare)
            finally:
                subprocess.run(["staprun", "-d", module], capture_output=True)
            assert out[-1] > 0, out
        return out


for hook in ("kprobe", "kretprobe", "raw tracepoint"):
    systemtap_case(hook, 0)
    systemtap_case(hook, 1)
