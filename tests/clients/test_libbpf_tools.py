# SPDX-License-Identifier: MIT
"""
Unmodified programs of Debian's package libbpf-tools: each must report exactly the activity that was made, with names,
ports and counts that are fresh each time, and must not report it where it was not made.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from driver import Said, Session, drive, histograms, word

from vm.machine import VM

Check = Callable[[Said, dict[str, str]], object]


@dataclass
class Case:
    """A tool's command line, the activity, and the check of what it said. The check returns what two runs must share."""

    tool: Sequence[object]
    activity: Sequence[object]
    check: Check
    last: bool = False  # ends by itself
    symbols: Sequence[str] = ()  # without which the tool cannot work
    events: Sequence[str] = ()
    # Tracepoints whose presence the tool asks for, but by a name that no kernel has; they are put there as decoys.
    decoys: Sequence[str] = ()
    # The tool wants the line MemAvailable in /proc/meminfo, which kernels before 3.14 lack; one with it is put over theirs.
    meminfo: bool = False


def execsnoop(vm: VM) -> Case:
    name, first, second = word(), word(), word(30)
    path = f"/tmp/{name}"

    def check(said: Said, facts: dict[str, str]) -> object:
        assert said.rows(name) == [[name, facts["child"], facts["self"], "0", path, first, second]]
        failed = [row for row in said.rows() if row[4:5] == [f"{path}.missing"]]
        assert failed == [["ncomm", facts["failed"], facts["self"], "-2", f"{path}.missing", first]]
        return said.rows(name) + failed

    return Case(["execsnoop", "-x"], ["exec", "ncomm", path, first, second], check)


def opensnoop(vm: VM) -> Case:
    name, path, missing = word(), f"/tmp/{word()}", f"/tmp/{word(60)}"

    def check(said: Said, facts: dict[str, str]) -> object:
        assert said.rows(facts["self"], name) == [
            [facts["self"], name, facts["fd"], "0", path],
            [facts["self"], name, "-1", "2", missing],
        ]
        return said.rows(facts["self"], name)

    return Case(["opensnoop"], ["open", name, path, missing], check)


def exitsnoop(vm: VM) -> Case:
    name, code, sig = word(), random.randint(2, 200), random.choice([signal.SIGUSR1, signal.SIGKILL, signal.SIGTERM])

    def check(said: Said, facts: dict[str, str]) -> object:
        rows = [(row[1], row[2], row[3], *row[5:]) for row in said.rows(name)]
        own, exited, killed = facts["self"], facts["exited"], facts["killed"]
        assert rows[:2] == [
            (exited, own, exited, "code", str(code)),
            (killed, own, killed, "signal", str(sig.value), f"({signal.strsignal(sig)})".split()[0], *_rest(sig)),
        ]
        assert [(row[0], row[3]) for row in rows[2:]] == [(own, "0")]
        ages = {row[1]: float(row[4]) for row in said.rows(name)}
        assert 0.25 <= ages[killed] < 5 and ages[exited] < ages[killed] <= ages[own] < 10, ages
        return rows[:2]

    def _rest(sig: signal.Signals) -> list[str]:
        return f"({signal.strsignal(sig)})".split()[1:]

    return Case(["exitsnoop"], ["exit", name, code, sig.value], check)


def statsnoop(vm: VM) -> Case:
    name, path, missing = word(), "/var/tmp", f"/tmp/{word()}"

    def check(said: Said, facts: dict[str, str]) -> object:
        rows = said.rows(facts["self"], name)
        assert rows == [[facts["self"], name, "0", "0", path], [facts["self"], name, "-1", "2", missing]]
        return rows

    # 0.26 asks whether the event "newstat" is there, not "sys_enter_newstat", and so attaches nothing on any kernel.
    return Case(["statsnoop"], ["stat", name, path, missing], check, decoys=["newstat"])


def mountsnoop(vm: VM) -> Case:
    name, source, folder = word(), word(), f"/tmp/{word()}"

    def check(said: Said, facts: dict[str, str]) -> object:
        rows = said.rows(name, facts["self"], facts["self"])
        calls = [" ".join(row[4:]) for row in rows]
        flags = "MS_NOSUID | MS_NODEV"
        assert calls == [
            f'mount("{source}", "{folder}", "tmpfs", {flags}, "size=64k") = 0',
            f'umount("{folder}", 0x0) = 0',
        ]
        assert all(int(row[3]) >> 28 == 0xF for row in rows), "the mount namespace's inode number"
        return rows

    return Case(["mountsnoop"], ["mount", name, source, folder], check)


def syscount(vm: VM) -> Case:
    name, count = word(), random.randint(100, 3000)
    number, called = random.choice([(148, "sched_rr_get_interval"), (143, "sched_getparam"), (115, "getgroups")])

    def check(said: Said, facts: dict[str, str]) -> object:
        assert said.rows(called) == [[called, str(count)]]
        return said.rows(called)

    return Case(["syscount", "-T", 1000], ["syscall", name, number, count], check)


def sigsnoop(vm: VM) -> Case:
    name, sig = word(), random.randint(34, 60)

    def check(said: Said, facts: dict[str, str]) -> object:
        rows = [row[1:] for row in said.rows() if row[1:3] == [facts["self"], name] and row[3] == str(sig)]
        assert rows == [[facts["self"], name, str(sig), facts["target"], "0"]]
        return rows

    return Case(["sigsnoop"], ["signal", name, sig], check)


def bindsnoop(vm: VM) -> Case:
    name, port = word(), random.randint(10000, 60000)

    def check(said: Said, facts: dict[str, str]) -> object:
        assert said.rows(facts["self"]) == [
            [facts["self"], name, "0", "TCP", "...R.", "0", str(port), "127.0.0.1"]
        ]
        return said.rows(facts["self"])

    return Case(["bindsnoop"], ["bind", name, port], check, symbols=["inet_bind", "inet6_bind"])


def tcpconnect(vm: VM) -> Case:
    name, port = word(), random.randint(10000, 60000)

    def check(said: Said, facts: dict[str, str]) -> object:
        assert said.rows(facts["self"]) == [[facts["self"], name, "4", "127.0.0.1", "127.0.0.1", str(port)]]
        return said.rows(facts["self"])

    return Case(["tcpconnect"], ["connect", name, port], check, symbols=["tcp_v4_connect", "tcp_v6_connect"])


def _address() -> str:
    return "fd00::" + ":".join(f"{random.randint(0x1000, 0xFFFF):x}" for _ in range(4))


def bindsnoop_v6(vm: VM) -> Case:
    """UDP and TCP: where IPv6 addresses are in a struct of their own, they are in other places for the two."""
    name, port, address = word(), random.randint(10000, 60000), _address()

    def check(said: Said, facts: dict[str, str]) -> object:
        rows = said.rows(facts["self"])
        assert rows == [
            [facts["self"], name, "0", "UDP", "...R.", "0", str(port), address],
            [facts["self"], name, "0", "TCP", ".....", "0", str(port), address],
        ]
        return rows

    return Case(["bindsnoop"], ["inet6", name, address, port], check, symbols=["inet_bind", "inet6_bind"])


def tcpconnect_v6(vm: VM) -> Case:
    name, port, address = word(), random.randint(10000, 60000), _address()

    def check(said: Said, facts: dict[str, str]) -> object:
        assert said.rows(facts["self"]) == [[facts["self"], name, "6", address, address, str(port)]]
        return said.rows(facts["self"])

    return Case(["tcpconnect"], ["inet6", name, address, port], check, symbols=["tcp_v4_connect", "tcp_v6_connect"])


def solisten(vm: VM) -> Case:
    """At the return of a function, whose arguments it reads there."""
    name, port = word(), random.randint(10000, 60000)

    def check(said: Said, facts: dict[str, str]) -> object:
        rows = said.rows(facts["self"], name)
        assert rows == [[facts["self"], name, "0", "1", "TCPv4", str(port), "127.0.0.1"]]
        return rows

    return Case(["solisten"], ["connect", name, port], check, symbols=["inet_listen"])


def tcpconnlat(vm: VM) -> Case:
    """At the entries of functions."""
    name, port = word(), random.randint(10000, 60000)

    def check(said: Said, facts: dict[str, str]) -> object:
        rows = said.rows(facts["self"], name)
        assert [row[:-1] for row in rows] == [[facts["self"], name, "4", "127.0.0.1", "127.0.0.1", str(port)]]
        assert 0 < float(rows[0][-1]) < 5000
        return rows[0][:-1]

    symbols = ["tcp_v4_connect", "tcp_v6_connect", "tcp_rcv_state_process"]
    return Case(["tcpconnlat"], ["connect", name, port], check, symbols=symbols)


def vfsstat(vm: VM) -> Case:
    creates, opens = random.randint(200, 900), random.randint(200, 900)

    def check(said: Said, facts: dict[str, str]) -> object:
        rows = [row for row in said.rows() if row and row[0].endswith(":")]
        assert rows
        sums = [sum(int(row[column]) for row in rows) for column in range(1, 6)]
        assert sums[4] in (creates, creates + 1), f"created: {sums[4]}, wanted {creates}"
        assert opens <= sums[3] <= opens + 150, f"opened: {sums[3]}, wanted {opens} and a few"
        return sums[4]

    # An interrupt ends it without a last report, so it is let run for its rows of one second each.
    symbols = ["vfs_read", "vfs_write", "vfs_fsync", "vfs_open", "vfs_create"]
    return Case(["vfsstat", 1, 4], ["vfs", "vfs", "/tmp", creates, 10, opens], check, last=True, symbols=symbols)


def cachestat(vm: VM) -> Case:
    pages, times = random.randint(100, 200), random.randint(10, 20)

    def check(said: Said, facts: dict[str, str]) -> object:
        rows = [row for row in said.rows() if row and row[0].isdigit()]
        dirtied = sum(int(row[2]) for row in rows)
        hits = sum(int(row[0]) for row in rows)
        assert hits >= pages * (times - 2), f"{hits} hits, wanted {pages} pages {times} times"
        assert hits <= pages * (times + 6)
        return dirtied >= 0

    symbols = ["add_to_page_cache_lru", "mark_page_accessed", "account_page_dirtied", "mark_buffer_dirty"]
    activity = ["cache", "cache", f"/tmp/{word()}", pages, times]
    return Case(["cachestat", 1000, 1], activity, check, symbols=symbols, meminfo=True)


def funclatency(vm: VM) -> Case:
    count = random.randint(20, 300)

    def check(said: Said, facts: dict[str, str]) -> object:
        total = sum(histograms(said.stdout).get("", {}).values())
        assert total == count
        return total

    return Case(["funclatency", "-u", "vfs_mkdir"], ["mkdir", "mkdir", f"/tmp/{word()}", count], check)


def funclatency_time(vm: VM) -> Case:
    """The times themselves: waits of 70 ms are in no bucket below 65 ms."""
    count = random.randint(5, 9)

    def check(said: Said, facts: dict[str, str]) -> object:
        found = histograms(said.stdout).get("", {})
        assert sum(n for low, n in found.items() if low >= 65536) == sum(found.values()) == count
        return True

    # Nothing else here calls select(): a function that others run while it is patched can make Debian's QEMU 7.2 loop
    # for ever in a translation that still has the breakpoint.
    return Case(["funclatency", "-u", "core_sys_select"], ["select", "waiter", 70, count], check)


def filetop(vm: VM) -> Case:
    name, path, writes, reads = word(), f"/tmp/{word()}", random.randint(10, 400), random.randint(10, 400)

    def check(said: Said, facts: dict[str, str]) -> object:
        rows = [row for row in said.rows(facts["self"], name) if row[-1] == path[5:]]
        assert rows == [[facts["self"], name, str(reads), str(writes), str(reads), str(writes * 2), "R", path[5:]]]
        return rows

    return Case(["filetop", "-C", "-r", 200, 1000, 1], ["file", name, path, writes, reads], check)


def slabratetop(vm: VM) -> Case:
    count = random.randint(30, 90)

    def check(said: Said, facts: dict[str, str]) -> object:
        rows = said.rows("sighand_cache")
        # The driver's own fork of the activity is one more.
        assert [row[1] for row in rows] == [str(count + 1)]
        assert int(rows[0][2]) % (count + 1) == 0
        return rows

    # sighand_cache has a constructor, so that no kernel merges it with others of its size.
    return Case(["slabratetop", "-C", "-r", 500, 1000, 1], ["fork", "forker", count], check, symbols=["kmem_cache_alloc"])


def runqlat(vm: VM) -> Case:
    name, count = word(), random.randint(15, 40)

    def check(said: Said, facts: dict[str, str]) -> object:
        # Its name there is that of its first event, before it took its own.
        found = [bars for key, bars in histograms(said.stdout).items() if key.split()[:1] == [facts["self"]]]
        total, switches = sum(sum(bars.values()) for bars in found), int(facts["switches"])
        assert switches >= count
        # Its start is one more, and so are the last switches, after it counted.
        assert switches - 1 <= total <= switches + 5, f"{total} latencies for {switches} switches"
        return True

    return Case(["runqlat", "-L", 1000, 1], ["sleep", name, 10, count], check)


def softirqs(vm: VM) -> Case:
    count = random.randint(200, 900)

    def check(said: Said, facts: dict[str, str]) -> object:
        total = sum(histograms(said.stdout).get("net_rx", {}).values())
        assert count <= total <= count + 20, f"{total} of net_rx, wanted {count}"
        return True

    return Case(["softirqs", "-d", 1000, 1], ["udp", "udp", count], check)


def hardirqs(vm: VM) -> Case:
    count = random.randint(200, 900)

    def check(said: Said, facts: dict[str, str]) -> object:
        disk = vm.run("basename $(readlink -f /sys/block/vda/device)").check().stdout.strip()
        total = sum(int(row[1]) for row in said.rows() if row and row[0].startswith(disk + "-"))
        assert count <= total <= count + 20, f"{total} interrupts of {disk}, wanted {count}"
        return True

    return Case(["hardirqs", "-C", 1000, 1], ["disk", "disk", "/dev/vda", count], check)


def biolatency(vm: VM) -> Case:
    count = random.randint(100, 600)

    def check(said: Said, facts: dict[str, str]) -> object:
        total = sum(histograms(said.stdout).get("vda", {}).values())
        assert total == count
        return total

    events = ["block/block_rq_issue", "block/block_rq_complete", "block/block_rq_insert"]
    return Case(["biolatency", "-D", 1000, 1], ["disk", "disk", "/dev/vda", count], check, events=events)


CASES = [
    execsnoop, opensnoop, exitsnoop, statsnoop, mountsnoop, syscount, sigsnoop, bindsnoop, bindsnoop_v6,
    tcpconnect, tcpconnect_v6, solisten, tcpconnlat, vfsstat, cachestat, funclatency, funclatency_time, filetop, slabratetop,
    runqlat, softirqs, hardirqs, biolatency,
]  # fmt: skip
TRACING = "/sys/kernel/debug/tracing"
_lacking: dict[tuple[str, str], list[str]] = {}


def skip_where_lacking(vm: VM, case: Case) -> None:
    """Looked up in the running kernel: a symbol that the tool probes, or an event."""
    key = (vm.kernel.name, str(case.tool[0]))
    if key not in _lacking:
        lacking = []
        if case.symbols:
            pattern = f"^[0-9a-f]* [tTwW] ({'|'.join(case.symbols)})$"
            found = {line.split()[2] for line in vm.run(["grep", "-E", pattern, "/proc/kallsyms"]).stdout.splitlines()}
            lacking += [f"symbol {name}" for name in case.symbols if name not in found]
        for event in case.events:
            if vm.run(["test", "-e", f"{TRACING}/events/{event}/format"]).returncode:
                lacking.append(f"event {event}")
        _lacking[key] = lacking
    if _lacking[key]:
        pytest.skip(f"this kernel has no {', no '.join(_lacking[key])}")


@contextmanager
def prepared(vm: VM, case: Case) -> Iterator[None]:
    if case.activity[0] == "disk":
        vm.run("test -b /dev/vda || modprobe virtio_blk", check=True)
    for name in case.decoys:
        vm.run(f"echo 'p:syscalls/{name} do_exit' >> {TRACING}/kprobe_events", check=True)
    meminfo = case.meminfo and vm.run("grep -q MemAvailable /proc/meminfo").returncode != 0
    if meminfo:
        vm.run("sed '/^MemFree/{p;s/MemFree: /MemAvailable:/}' /proc/meminfo > /tmp/meminfo", check=True)
        vm.run("mount --bind /tmp/meminfo /proc/meminfo", check=True)
    try:
        yield
    finally:
        if meminfo:
            vm.run("umount /proc/meminfo", check=True)
        for name in case.decoys:
            vm.run(f"echo '-:syscalls/{name}' >> {TRACING}/kprobe_events", check=True)


def session(vm: VM, case: Case, activity: Sequence[object], native: bool = False) -> Session:
    done = drive(vm, case.tool, activity, native=native, last=case.last)
    assert done.tool.status == 0, str(done)
    assert done.activity.status == 0, str(done)
    return done


def checked(done: Session, case: Case, facts: dict[str, str]) -> object:
    try:
        return case.check(done.tool, facts)
    except (AssertionError, KeyError, IndexError, ValueError) as error:
        raise AssertionError(f"{type(error).__name__}: {error}\n{done}") from error


def nameless(value: object, facts: dict[str, str]) -> object:
    """The same with what differs from run to run, process ids, by its name."""
    if isinstance(value, (list, tuple)):
        return [nameless(part, facts) for part in value]
    return {pid: key for key, pid in facts.items()}.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_reports_the_activity(vm: VM, make: Callable[[VM], Case]) -> None:
    """And nothing of it where the activity was not made: the same check must fail then."""
    case = make(vm)
    skip_where_lacking(vm, case)
    with prepared(vm, case):
        done = session(vm, case, case.activity)
        checked(done, case, done.activity.facts())
        quiet = session(vm, case, ["none", "quiet"])
        with pytest.raises(AssertionError):
            checked(quiet, case, done.activity.facts() | quiet.activity.facts())


@pytest.mark.only_kernels(lambda kernel: kernel.is_reference)
@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_same_report_as_native(vm: VM, make: Callable[[VM], Case]) -> None:
    """
    Over the same activity, by the kernel's own bpf(2) and by ours: both right, and the same. One after the other, since a
    native program on a tracepoint that returns 0 ends the event for perf's other listeners, which we are.
    """
    case = make(vm)
    skip_where_lacking(vm, case)
    reports = []
    with prepared(vm, case):
        for native in (True, False):
            done = session(vm, case, case.activity, native)
            facts = done.activity.facts()
            reports.append((nameless(checked(done, case, facts), facts), str(done)))
    (native_report, native_text), (our_report, our_text) = reports
    assert our_report == native_report, f"natively:\n{native_text}\nours:\n{our_text}"


@pytest.mark.no_module
def test_nothing_works_without_the_module(vm: VM) -> None:
    """The control of all the tests above: on the same machine without the module every tool fails to load."""
    for make in CASES:
        if make in (statsnoop, cachestat):
            continue  # the first loads nothing without its decoy; the second cannot load where a symbol is missing
        case = make(vm)
        done = drive(vm, case.tool, ["none", "quiet"], last=case.last)
        assert done.tool.status not in (0, -signal.SIGINT), str(done)
        assert done.activity.status == -1, "the activity must not have been reached"
