# SPDX-License-Identifier: MIT
"""
Our own libbpf program (prog/), which uses what real ones use, and bpftool looking at it while it runs. Natively too:
nothing here knows which side it is on but the command's environment.
"""

from __future__ import annotations

import functools
import json
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from driver import HERE, OUT, preload
from vm_plugin import Guest

from vm.machine import VM, Process, Result
from vm.paths import locked

MAPS = {
    "by_number": "hash", "per_cpu": "percpu_array", "ring": "ringbuf", "perf": "perf_event_array",
    "stacks": "stack_trace", "stack_counts": "hash", "programs": "prog_array",
    "watch.rodata": "array", "watch.data": "array", "watch.bss": "array",
}  # fmt: skip


@functools.cache
def client() -> Path:
    with locked("clients"):
        subprocess.run(["make", "-s", "-C", HERE / "prog", f"OUT={OUT}"], check=True)
    return OUT / "watch"


def side(guest: Guest) -> dict[str, str]:
    return {} if guest.native else {"LD_PRELOAD": str(preload())}


def squares(number: int) -> int:
    return sum(i * i for i in range(1, min(number, 8) + 1))


def check_report(text: str, count: int, factor: int) -> None:
    lines = [line.split("=", 1) for line in text.splitlines() if "=" in line]
    facts = dict(lines)
    own = facts["self"]
    assert [value for key, value in lines if key == "ring"] == [
        f"{own}:{n}:{squares(n)}:watch" for n in range(1, count + 1, 2)
    ], "every second one was discarded"
    perf = [value for key, value in lines if key == "perf"]
    assert sorted(perf, key=lambda value: int(value.split(":")[1])) == [
        f"{own}:{n}:{squares(n)}:watch" for n in range(1, count + 1)
    ]
    assert "lost" not in facts
    assert facts["calls"] == facts["tail_calls"] == str(count), "what came after the limit was set is not counted"
    assert int(facts["scaled"]) == factor * sum(range(1, count + 1))
    assert facts["last_parent"] == facts["parent"]
    assert int(facts["by_number"]) == count
    assert facts["per_cpu"] == f"{count}:{2 * count}"
    stacks = [value.split(":") for key, value in lines if key == "stack"]
    assert facts["stack_error"] == "0"
    kernel = [int(hits) for hits, address in stacks if int(address, 16) >> 47 == 0x1FFFF]
    user = [int(hits) for hits, address in stacks if 0 < int(address, 16) < 1 << 47]
    assert sum(kernel) == sum(user) == count
    assert int(facts["stack_hits"]) == 2 * count


def test_reports_right(guest: Guest) -> None:
    count, factor = random.randint(10, 60), random.randint(2, 1000)
    done = guest.run([client(), str(count), str(factor)], env=side(guest))
    assert done.returncode == 0, done.stderr
    check_report(done.stdout, count, factor)


def test_under_run(vm: VM) -> None:
    """`bpfcompat run`, and no line of its own where all is well."""
    done = vm.run(["python3", "-m", "bpfcompat", "run", "--", client(), "7"], env={"PYTHONPATH": str(HERE / "../../shim"),
                     "BPFCOMPAT_PRELOAD": str(preload())})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "bpfcompat" not in done.stderr
    check_report(done.stdout, 7, 1)


@pytest.mark.no_module
def test_fails_without_the_module(vm: VM) -> None:
    done = vm.run([client(), "7"], env={"LD_PRELOAD": str(preload())})
    assert done.returncode == 1
    assert "ring=" not in done.stdout


class Bpftool:
    """bpftool on one side, with its answers as JSON."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    def raw(self, *args: object) -> Result:
        return self.guest.run(["bpftool", *map(str, args)], env=side(self.guest))

    def __call__(self, *args: object) -> Any:
        done = self.raw("-j", *args)
        assert done.returncode == 0, f"{args}: {done.stdout} {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None


class Running:
    """The client, staying after its report, and what bpftool says is there since it came."""

    def __init__(self, guest: Guest, count: int) -> None:
        self.bpftool = Bpftool(guest)
        before = {kind: {entry["id"] for entry in self.bpftool(kind, "show")} for kind in ("prog", "map", "btf", "link")}
        self.process: Process = guest.popen([str(client()), str(count)], env=side(guest) | {"WATCH_STAY": "1"})
        self.process.wait_for("^staying", 60)
        self.new = {
            kind: [entry for entry in self.bpftool(kind, "show") if entry["id"] not in ids] for kind, ids in before.items()
        }

    def one(self, kind: str, name: str) -> dict[str, Any]:
        found = [entry for entry in self.new[kind] if entry.get("name") == name]
        assert len(found) == 1, f"{kind} {name}: {self.new[kind]}"
        return found[0]


COUNT = 12


@pytest.fixture
def running(guest: Guest) -> Iterator[Running]:
    found = Running(guest, COUNT)
    yield found
    found.process.kill(signal.SIGKILL)
    found.process.wait(30)


def test_bpftool_show(running: Running) -> None:
    watch, finish = running.one("prog", "watch"), running.one("prog", "finish")
    assert (watch["type"], finish["type"]) == ("tracepoint", "tracepoint")
    assert watch["gpl_compatible"] is True
    assert len(watch["tag"]) == 16 and watch["tag"] != finish["tag"]
    maps = {entry["name"]: entry for entry in running.new["map"]}
    assert {name: entry["type"] for name, entry in maps.items()} == MAPS
    assert maps["watch.rodata"]["frozen"] == 1
    assert (maps["stacks"]["bytes_value"], maps["by_number"]["max_entries"]) == (127 * 8, 64)
    used = {"by_number", "per_cpu", "ring", "stacks", "stack_counts", "programs", "watch.rodata", "watch.data", "watch.bss"}
    assert {maps[name]["id"] for name in used} <= set(watch["map_ids"])
    links = running.new["link"]
    entered = running.one("prog", "entered")
    assert sorted((link["type"], link["prog_id"], link.get("tp_name")) for link in links) == [
        ("perf_event", watch["id"], None), ("raw_tracepoint", entered["id"], "sys_enter"),
    ]  # fmt: skip
    assert {watch["btf_id"]} <= {entry["id"] for entry in running.new["btf"]}


def _plain(entries: Sequence[dict[str, Any]]) -> dict[int, int]:
    return {entry["formatted"]["key"]: entry["formatted"]["value"] for entry in entries}


def test_bpftool_map(running: Running) -> None:
    tool, numbers = running.bpftool, running.one("map", "by_number")["id"]
    assert _plain(tool("map", "dump", "id", numbers)) == {n: n * n for n in range(1, COUNT + 1)}
    key, value = ["5", "0", "0", "0"], ["7", "1", *["0"] * 6]
    tool("map", "update", "id", numbers, "key", *key, "value", *value)
    assert tool("map", "lookup", "id", numbers, "key", *key)["formatted"] == {"key": 5, "value": 263}
    tool("map", "delete", "id", numbers, "key", *key)
    assert _plain(tool("map", "dump", "id", numbers)) == {n: n * n for n in range(1, COUNT + 1) if n != 5}
    gone = tool.raw("map", "lookup", "id", numbers, "key", *key)
    assert gone.returncode != 0 or not gone.stdout.strip() or "null" in gone.stdout
    frozen = tool.raw("map", "update", "id", running.one("map", "watch.rodata")["id"], "key", "0", "0", "0", "0", "value",
                      *["0"] * running.one("map", "watch.rodata")["bytes_value"])  # fmt: skip
    assert frozen.returncode != 0 and "not permitted" in frozen.stdout + frozen.stderr
    data = tool("map", "dump", "id", running.one("map", "watch.bss")["id"])
    assert {"tail_calls": COUNT} in [
        {"tail_calls": part.get("tail_calls")} for entry in data for part in entry["formatted"]["value"][".bss"]
    ]


def test_bpftool_dumps(running: Running) -> None:
    tool, watch = running.bpftool, running.one("prog", "watch")
    xlated = tool.raw("prog", "dump", "xlated", "id", watch["id"])
    assert xlated.returncode == 0, xlated.stderr
    for wanted in ("call", "map[id:", "exit", "; int watch(void *ctx)"):
        assert wanted in xlated.stdout
    text = tool.raw("btf", "dump", "id", watch["btf_id"], "format", "c")
    assert text.returncode == 0, text.stderr
    assert "struct event {" in text.stdout and re.search(r"long long( int)? sum;", text.stdout)


@pytest.fixture
def pins(guest: Guest) -> Iterator[str]:
    """A directory for objects. Under the shim that is the module's, whatever the kernel has of that name."""
    path = "/tmp/pins"
    guest.run(f"mkdir {path} && mount -t bpf none {path}", env=side(guest)).check()
    yield path
    guest.run(f"umount {path} && rmdir {path}").check()


def test_bpftool_pins(guest: Guest, running: Running, pins: str) -> None:
    """What is at a path outlives the client: a map with what is in it, and a link, whose program still runs."""
    tool, entered, numbers = running.bpftool, running.one("prog", "entered"), running.one("map", "by_number")["id"]
    link = next(entry["id"] for entry in running.new["link"] if entry["prog_id"] == entered["id"])
    for kind, number in (("map", numbers), ("prog", entered["id"]), ("link", link)):
        tool(kind, "pin", "id", number, f"{pins}/{kind}")
    again = tool.raw("map", "pin", "id", numbers, f"{pins}/map")
    assert again.returncode != 0 and "File exists" in again.stdout + again.stderr
    running.process.kill(signal.SIGKILL)
    running.process.wait(30)
    assert _plain(tool("map", "dump", "pinned", f"{pins}/map")) == {n: n * n for n in range(1, COUNT + 1)}
    assert tool("prog", "show", "pinned", f"{pins}/prog")["id"] == entered["id"]
    assert tool("link", "show", "pinned", f"{pins}/link")["prog_id"] == entered["id"]
    guest.run(["rm", f"{pins}/prog", f"{pins}/link", f"{pins}/map"]).check()
    for _ in range(50):
        left = {kind: {entry["id"] for entry in tool(kind, "show")} for kind in ("map", "prog", "link")}
        if not ({numbers} & left["map"] or {entered["id"]} & left["prog"] or {link} & left["link"]):
            return
        time.sleep(0.2)
    raise AssertionError(f"still there: {left}")


def test_bpftool_loads(guest: Guest, pins: str) -> None:
    """bpftool loads an object file, and leaves its programs and maps at paths."""
    tool = Bpftool(guest)
    client()  # makes the object file
    tool("prog", "loadall", OUT / "watch.bpf.o", f"{pins}/progs", "pinmaps", f"{pins}/maps")
    programs = guest.run(["ls", f"{pins}/progs"]).check().stdout.split()
    assert {"watch", "finish", "entered"} <= set(programs)
    assert {tool("prog", "show", "pinned", f"{pins}/progs/{name}")["name"] for name in programs} == set(programs)
    maps = guest.run(["ls", f"{pins}/maps"]).check().stdout.split()
    assert {"by_number", "ring"} <= set(maps)
    assert tool("map", "show", "pinned", f"{pins}/maps/by_number")["name"] == "by_number"
    guest.run(["rm", "-r", f"{pins}/progs", f"{pins}/maps"]).check()


def test_killed_client_leaves_nothing(guest: Guest) -> None:
    found = Running(guest, COUNT)
    found.process.kill(signal.SIGKILL)
    found.process.wait(30)
    wanted = {kind: {entry["id"] for entry in entries} for kind, entries in found.new.items()}
    left: dict[str, set[int]] = {}
    for _ in range(20):  # the last references go after a grace period
        left = {kind: ids & {entry["id"] for entry in found.bpftool(kind, "show")} for kind, ids in wanted.items()}
        if not any(left.values()):
            return
        time.sleep(0.2)
    raise AssertionError(f"still there: {left}")


def test_kernel_btf(guest: Guest) -> None:
    """Served where clients look for it, and listed under an id."""
    tool = Bpftool(guest)
    kernel = [entry for entry in tool("btf", "show") if entry.get("name") == "vmlinux"]
    size = int(guest.run("stat -c %s /sys/kernel/btf/vmlinux").check().stdout)
    assert len(kernel) == 1
    assert kernel[0]["kernel"] is True
    assert size == kernel[0]["size"] or size == 4096, "an attribute of unknown size shows a page"
