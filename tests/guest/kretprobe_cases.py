# SPDX-License-Identifier: MIT
"""Return probes where functions return late, never, nested or in strange places: one JSON object on stdout.

Runs in a guest; see test_kretprobe.py.
"""

import contextlib
import ctypes
import itertools
import json
import os
import random
import select
import signal
import sys
import time
import traceback

import attach_cases as c  # first: it finds the assembler
import bpfsys as b
from attach_cases import (
    CPUS,
    HITS,
    PGID_NAME,
    TRACING,
    Seen,
    act,
    keep,
    kprobe,
    libc,
    program,
    read,
    set_bpf,
    symbols,
)

SYS = PGID_NAME[: -len("getpgid")]
PAUSE, SYS_PAUSE, SYS_GETPGID, SYS_GETSID = SYS + "pause", 34, 121, 124
OWN_CALLS = 2000


def on_return(seen, name, body=(), mine=True):
    """A kretprobe with its program: what opening or attaching said, at best the event's fd."""
    event = kprobe(name, ret=1)
    if event < 0:
        return event
    err = set_bpf(event, program(seen, b.KPROBE, body, mine=mine))
    if err:
        os.close(event)
    return err or event


def write(path, text):
    fd = os.open(path, os.O_WRONLY | (os.O_APPEND if path.endswith("kprobe_events") else os.O_TRUNC))
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def wait_until(condition, seconds=30):
    end = time.time() + seconds
    while not condition():
        if time.time() > end:
            raise TimeoutError
        time.sleep(0.01)


def in_pause(pid):
    try:
        return read(f"/proc/{pid}/syscall").split()[0] == str(SYS_PAUSE)
    except OSError:
        return False


def pausing():
    """A child that sleeps in pause() until SIGUSR1, and then goes with status 7."""
    pid = os.fork()
    if not pid:
        os.closerange(3, 256)  # the events are the parent's
        signal.signal(signal.SIGUSR1, lambda *_: None)
        libc.syscall(SYS_PAUSE)
        os._exit(7)
    wait_until(lambda: in_pause(pid))
    return pid


def end(pid):
    os.kill(pid, signal.SIGUSR1)
    return os.waitpid(pid, 0)[1] >> 8


# ---- functions that return late or never ----


def case_result_of_a_sleeper():
    """What slept while other tasks went through the same function."""
    seen = Seen()
    event = on_return(seen, PAUSE, keep(4, 8, 80), mine=False)
    pids = [pausing() for _ in range(3)]
    out = {"asleep": sum(seen.hits())}
    out["ends"] = [end(pid) for pid in (pids[1], pids[0], pids[2])]
    out["result"] = ctypes.c_long(seen.slots()[4]).value
    out["hits"] = sum(seen.hits())
    os.close(event)
    return out


def case_detached_inside():
    """The probe goes while a task is in the function; it returns to where it came from all the same."""
    seen = Seen()
    event = on_return(seen, PAUSE, mine=False)
    pid = pausing()
    os.close(event)
    time.sleep(0.1)
    out = {"end": end(pid), "hits": sum(seen.hits())}
    # and one after the other at the same place
    first = on_return(seen, PAUSE, mine=False)
    pid = pausing()
    second = on_return(seen, PAUSE, mine=False)
    os.close(first)
    other = pausing()
    out["two"] = [end(pid), end(other), sum(seen.hits())]
    os.close(second)
    return out


def case_dies_inside():
    """Functions that never return as their task dies there: more of them than there are instances."""
    name = "get_signal" if symbols("get_signal") else "get_signal_to_deliver"
    seen = Seen()
    event = on_return(seen, name)
    statuses = set()
    for _ in range(80):
        pid = os.fork()
        if not pid:
            os.kill(os.getpid(), signal.SIGKILL)
        statuses.add(os.waitpid(pid, 0)[1])
    signal.signal(signal.SIGUSR1, lambda *_: None)
    for cpu in range(CPUS):
        os.sched_setaffinity(0, {cpu})
        for _ in range(HITS):
            os.kill(os.getpid(), signal.SIGUSR1)
    os.sched_setaffinity(0, set(range(CPUS)))
    os.close(event)
    return {"statuses": sorted(statuses), "hit": min(seen.hits()) >= HITS}


def case_more_than_instances():
    """Some may be missed, all return; and then none is missed any more."""
    seen = Seen()
    event = on_return(seen, PAUSE, mine=False)
    pids = [pausing() for _ in range(70)]
    out = {"ends": sorted({end(pid) for pid in pids})}
    out["some hit"] = 0 < sum(seen.hits()) <= len(pids)
    seen.clear()
    out["again"] = [end(pausing()) for _ in range(3)]
    out["hits again"] = sum(seen.hits())
    os.close(event)
    return out


# ---- several at once ----


def case_recursion():
    """An epoll that watches one that watches one: where the kernel's functions for that call themselves, they return as often."""
    names = ["ep_eventpoll_poll", "ep_call_nested", "ep_scan_ready_list", "ep_poll_readyevents_proc", "do_sys_poll", SYS + "poll"]
    seen, entered, events = [], [], []
    for name in names:
        event = kprobe(name)
        if event < 0:
            continue
        entered.append(Seen())
        set_bpf(event, program(entered[-1], b.KPROBE))
        seen.append(Seen())
        events += [event, on_return(seen[-1], name)]
    fds = [select.epoll() for _ in range(4)]
    for inner, outer in itertools.pairwise(fds):
        outer.register(inner, select.EPOLLIN)
    poll = select.poll()
    poll.register(fds[-1], 1)
    for s in seen + entered:
        s.clear()
    for _ in range(HITS):
        poll.poll(0)
    for event in events:
        os.close(event)
    hits = [[sum(s.hits()) for s in every] for every in (entered, seen)]
    return {"entered": min(hits[0]) >= HITS, "returned as often": hits[0] == hits[1]}


def traced_by_kernel(name):
    """Hits and misses of an event of kprobe_events."""
    for line in read(TRACING + "/kprobe_profile").splitlines():
        if line.split()[0].split("/")[-1] == name:
            return [int(x) for x in line.split()[-2:]]
    raise KeyError(name)


def case_several_at_one_function():
    """Two of ours and one of kprobe_events, whichever came first."""
    out = {}
    for order, steps in {"kernel first": "k01", "kernel between": "0k1", "kernel last": "01k"}.items():
        name = f"k{random.randrange(1 << 24):06x}"
        write(TRACING + "/kprobe_events", f"r:kret/{name} {PGID_NAME}\n")
        enable = f"{TRACING}/events/kret/{name}/enable"
        seen = [Seen(), Seen()]
        events = []
        for step in steps:
            if step == "k":
                write(enable, "1")
            else:
                events.append(on_return(seen[int(step)], PGID_NAME, keep(4, 8, 80)))
        act(-5)
        out[order] = {
            "ours": [s.hits() for s in seen],
            "results": [ctypes.c_int(s.slots()[4] & 0xFFFFFFFF).value for s in seen],
            "kernel's": traced_by_kernel(name)[0] >= CPUS * HITS,
        }
        for event in events:
            os.close(event)
        for s in seen:
            s.clear()
        act()
        out[order]["after"] = [s.hits() for s in seen]
        write(enable, "0")
        write(TRACING + "/kprobe_events", f"-:kret/{name}\n")
    return out


def case_with_the_graph_tracer():
    """It replaces return addresses, too."""
    out = {}
    tracer = TRACING + "/current_tracer"
    if "function_graph" not in read(TRACING + "/available_tracers").split():
        return "no such tracer"
    # of several names for one function the tracer knows one
    names = set(read(TRACING + "/available_filter_functions").split()) & {"__x64_sys_getpgid", "sys_getpgid", "SyS_getpgid"}
    write(TRACING + "/set_ftrace_filter", names.pop() + "\n")
    for order in ("tracer first", "tracer last"):
        seen = Seen()
        if order == "tracer first":
            write(tracer, "function_graph")
        event = on_return(seen, PGID_NAME, keep(4, 8, 80))
        if order == "tracer last":
            write(tracer, "function_graph")
        act(-5)
        out[order] = [seen.hits(), ctypes.c_int(seen.slots()[4] & 0xFFFFFFFF).value, "getpgid" in read(TRACING + "/trace")]
        os.close(event)
        act()
        write(tracer, "nop")
        act()
        out[order].append(seen.hits())
    write(TRACING + "/set_ftrace_filter", "\n")
    return out


def case_exact_on_all_cpus():
    """No return is lost or counted twice, while tasks on all CPUs go through two functions, each with an entry and two return probes."""
    seen = [Seen() for _ in range(6)]
    events = []
    for at, name in ((0, PGID_NAME), (3, SYS + "getsid")):
        events += [on_return(seen[at], name, mine=False), on_return(seen[at + 1], name, mine=False), kprobe(name)]
        set_bpf(events[-1], program(seen[at + 2], b.KPROBE, mine=False))
    pids = []
    for cpu in range(CPUS):
        pid = os.fork()
        if not pid:
            os.sched_setaffinity(0, {cpu})
            for s in seen:
                s.clear()
            time.sleep(0.5)
            for _ in range(OWN_CALLS):
                libc.syscall(SYS_GETPGID, 0)
                libc.syscall(SYS_GETSID, 0)
            os._exit(0)
        pids.append(pid)
    out = {"ends": [os.waitpid(pid, 0)[1] for pid in pids]}
    out["hits"] = [s.hits() == [OWN_CALLS] * CPUS for s in seen]
    for event in events:
        os.close(event)
    return out


# ---- the switch of all kprobes ----


def case_switched_off():
    """No probe hits while all are off, and then all do, those that came or changed meanwhile among them."""
    switch = "/sys/kernel/debug/kprobes/enabled"
    if not os.path.exists(switch):
        os.system("mount -t debugfs none /sys/kernel/debug 2>/dev/null")
    seen = [Seen() for _ in range(5)]
    entry = kprobe(PGID_NAME)
    set_bpf(entry, program(seen[0], b.KPROBE))
    events = [entry, on_return(seen[1], PGID_NAME)]
    # an event that keeps its kprobe while its program goes
    kept = kprobe(PGID_NAME)
    prog = program(seen[4], b.KPROBE)
    link = c.link_create(prog, kept)
    write(switch, "0")
    try:
        later = kprobe(PGID_NAME)
        set_bpf(later, program(seen[2], b.KPROBE))
        events += [later, on_return(seen[3], PGID_NAME), kept]
        os.close(link)
        link = c.link_create(prog, kept)
        act()
        out = {"off": [sum(s.hits()) for s in seen]}
    finally:
        write(switch, "1")
    act()
    out["on"] = [s.hits() for s in seen]
    os.close(link)
    for event in events:
        os.close(event)
    for s in seen:
        s.clear()
    act()
    out["after"] = [sum(s.hits()) for s in seen]
    return out


# ---- places that are not for the faint-hearted ----

# locks that kretprobes take themselves, what runs before RCU looks at an interrupted idle loop and after, what NMIs run
STRANGE = (
    "_raw_spin_lock _raw_spin_lock_irqsave _raw_spin_unlock_irqrestore default_idle cpu_idle_loop rcu_is_cpu_idle "
    "smp_apic_timer_interrupt exit_idle irq_enter irq_exit rcu_irq_enter rcu_irq_exit rcu_idle_enter rcu_idle_exit do_IRQ "
    "tick_nohz_idle_enter tick_nohz_idle_exit tick_check_idle scheduler_ipi schedule finish_task_switch kprobe_flush_task "
    "nmi_handle local_touch_nmi ftrace_nmi_enter do_exit do_page_fault __fput kfree"
).split()


def busy(seconds):
    stop = time.time() + seconds
    while time.time() < stop:
        act(hits=5)
        time.sleep(0.02)
        with contextlib.suppress(FileNotFoundError):
            os.stat(f"/{random.random()}")
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)


def strange(names):
    """Entry and return probes at such functions, one by one and then all at once; how many took them and how many hit."""
    found = [name for name in names if symbols(name)]
    taken, hit, kept = [], [], []
    for name in found:
        seen = Seen()
        entry = kprobe(name)
        if entry < 0:
            continue
        taken.append(name)
        set_bpf(entry, program(seen, b.KPROBE, mine=False))
        back = Seen()
        # A kretprobe of such a kernel's own PMU is in force before any program comes to it, and what locks its instances is what is
        # probed here: CentOS 7.9's hangs over that without the module, too (mended in Linux 5.8).
        event = -1 if name.startswith("_raw_spin") and symbols("perf_kprobe_init") else on_return(back, name, mine=False)
        busy(0.2)
        if sum(seen.hits()):
            hit.append(name)
        kept.append(entry)
        if event >= 0:
            kept.append(event)
    print("all", flush=True)
    busy(2)
    print("taken", " ".join(taken), flush=True)
    print("hit", " ".join(hit), flush=True)
    for event in kept:
        os.close(event)


OVER = f"kret/over {PAUSE}"


def over(on):
    """A return probe of the kernel's own where the sleeper sleeps."""
    enable = TRACING + "/events/kret/over/enable"
    if on:
        write(TRACING + "/kprobe_events", f"r:{OVER}\n")
    write(enable, str(on))
    if not on:
        write(TRACING + "/kprobe_events", f"-:{OVER.split()[0]}\n")


def sleeper(mark):
    """For a test that unloads the module while a task is in the function: the probe goes, the sleeper stays."""
    event = on_return(Seen(), PAUSE, mine=False)
    if event < 0:
        raise OSError(-event, "kretprobe")
    pid = os.fork()
    if not pid:
        os.setsid()
        # the events and the shim's device too, whatever their numbers
        for fd in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                os.close(int(fd))
        signal.signal(signal.SIGUSR1, lambda *_: None)
        libc.syscall(SYS_PAUSE)
        with open(mark, "w") as file:
            file.write("returned")
        os._exit(0)
    wait_until(lambda: in_pause(pid))
    print("asleep", pid, flush=True)


def main():
    wanted = sys.argv[1:]
    if wanted[:1] == ["sleeper"]:
        sleeper(wanted[1])
        return
    if wanted[:1] == ["over"]:
        over(int(wanted[1]))
        return
    if wanted[:1] == ["strange"]:
        strange(wanted[1:] or STRANGE)
        return
    out = {}
    for name, case in sorted(globals().items()):
        if not name.startswith("case_") or (wanted and name[5:] not in wanted):
            continue
        try:
            out[name[5:]] = case()
        except Exception:
            out[name[5:]] = {"failed": traceback.format_exc()}
    json.dump(out, sys.stdout, indent=1, sort_keys=True)
    print()


if __name__ == "__main__":
    main()
