# SPDX-License-Identifier: MIT
"""A program case: instructions in which maps are named, the maps, and what a verifier must say. Standard library only,
as the tables are read inside virtual machines too."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit"))

import asm as a
from programs.btf import Btf, kptr_btf, lock_btf, timer_btf

# program types
SOCKET_FILTER, KPROBE, SCHED_CLS, TRACEPOINT, XDP, PERF_EVENT, CGROUP_SKB, CGROUP_SOCK = 1, 2, 3, 5, 6, 7, 8, 9
RAW_TRACEPOINT = 17
RAW_TRACEPOINT_WRITABLE = 24

# map types
HASH, ARRAY, PROG_ARRAY, PERF_EVENT_ARRAY, PERCPU_HASH, PERCPU_ARRAY, STACK_TRACE = 1, 2, 3, 4, 5, 6, 7
CGROUP_ARRAY, LRU_HASH, ARRAY_OF_MAPS, HASH_OF_MAPS, RINGBUF, USER_RINGBUF = 8, 9, 12, 13, 27, 31
RDONLY_PROG, WRONLY_PROG = 1 << 7, 1 << 8

# helpers
(LOOKUP, UPDATE, DELETE, PROBE_READ, KTIME, TRACE_PRINTK, PRANDOM, CPU) = range(1, 9)
TAIL_CALL, PID_TGID, COMM, PERF_OUTPUT, STACKID, SKB_LOAD = 12, 14, 16, 25, 27, 26
GET_STACK, SPIN_LOCK, SPIN_UNLOCK, STRTOL, PROBE_READ_KERNEL = 67, 93, 94, 105, 113
RB_OUTPUT, RB_RESERVE, RB_SUBMIT, RB_DISCARD, RB_QUERY = 130, 131, 132, 133, 134
PUSH = 87
FOR_EACH, SNPRINTF, GET_FUNC_IP, COOKIE, LOOP, STRNCMP = 164, 165, 173, 174, 181, 182

_PLACEHOLDER = 0x6D617000  # plus the map's place in MAPS


@dataclass(frozen=True)
class MapSpec:
    """A map that cases use by name."""

    name: str
    type: int
    key: int
    value: int
    entries: int
    flags: int = 0
    lock: bool = False  # the value begins with a bpf_spin_lock, by BTF
    kptr: bool = False  # ... or with a pointer to a kernel object
    timer: bool = False  # ... or holds a bpf_timer behind a number
    content: bytes = b""  # of value 0
    freeze: bool = False
    inner: str = ""  # the map that this one's are like

    def value_btf(self) -> tuple[bytes, int, int] | None:
        """BTF of a value that needs it: blob, key type, value type."""
        if self.lock:
            return lock_btf()
        return kptr_btf() if self.kptr else timer_btf() if self.timer else None


MAPS = [
    MapSpec("array", ARRAY, 4, 48, 4),
    MapSpec("small", ARRAY, 4, 8, 1),
    MapSpec("hash", HASH, 8, 16, 8),
    MapSpec("percpu", PERCPU_ARRAY, 4, 8, 2),
    MapSpec("progs", PROG_ARRAY, 4, 4, 4),
    MapSpec("events", PERF_EVENT_ARRAY, 4, 4, 4),
    MapSpec("stacks", STACK_TRACE, 4, 8 * 16, 4),
    MapSpec("ring", RINGBUF, 0, 0, 4096),
    MapSpec("rodata", ARRAY, 4, 16, 1, RDONLY_PROG, content=struct.pack("<QQ", 5, 0x6C6C6548), freeze=True),
    MapSpec("rdonly", ARRAY, 4, 16, 1, RDONLY_PROG),
    MapSpec("wronly", ARRAY, 4, 16, 1, WRONLY_PROG),
    MapSpec("locked", ARRAY, 4, 16, 2, lock=True),
    MapSpec("locked2", ARRAY, 4, 16, 1, lock=True),
    MapSpec("big", ARRAY, 4, 4096, 1),
    MapSpec("kptr", ARRAY, 4, 16, 1, kptr=True),
    MapSpec("cgroups", CGROUP_ARRAY, 4, 4, 1),
    MapSpec("arrays", ARRAY_OF_MAPS, 4, 4, 2, inner="array"),
    MapSpec("hashes", HASH_OF_MAPS, 8, 4, 2, inner="hash"),
    MapSpec("timers", ARRAY, 4, 24, 2, timer=True),
    MapSpec("timers2", HASH, 4, 24, 2, timer=True),
    MapSpec("timer maps", ARRAY_OF_MAPS, 4, 4, 2, inner="timers"),
    MapSpec("rodatas", ARRAY_OF_MAPS, 4, 4, 2, inner="rodata"),
    MapSpec("user ring", USER_RINGBUF, 0, 0, 4096),
]
BY_NAME = {spec.name: spec for spec in MAPS}
_INDEX = {spec.name: place for place, spec in enumerate(MAPS)}


def ld_map(dst: int, name: str) -> tuple[a.Insn, a.Insn]:
    """ld_imm64 of a map named above."""
    return a.ld_map(dst, _PLACEHOLDER + _INDEX[name])


def ld_value(dst: int, name: str, off: int = 0) -> tuple[a.Insn, a.Insn]:
    """ld_imm64 of an address in a map's first value."""
    return a.ld_map_value(dst, _PLACEHOLDER + _INDEX[name], off)


Items = Iterable["a.Insn | tuple[a.Insn, ...] | list[a.Insn] | str"]


@dataclass(frozen=True)
class Case:
    """A program and the verdict on it."""

    name: str
    group: str
    insns: bytes
    prog_type: int = SOCKET_FILTER
    error: str = ""  # errno's name; "" when it is to be accepted
    message: str = ""  # a part of the log
    gpl: bool = True
    attach_type: int = 0
    target: str = ""  # function or tracepoint that it attaches to (tracing.py)
    flags: int = 0
    result: int | None = None  # what a run returns (accepted programs)
    packet: bytes = b""
    ctx: bytes = b""
    # Why Linux 6.1 answers otherwise, where it does: such a case is not compared with it.
    native_differs: str = ""
    # It needs the kernel's BTF to be judged: ENOTSUPP without.
    needs_btf: bool = False

    @property
    def func_starts(self) -> list[int]:
        """Instructions at which functions begin, when it has callbacks: those need func_info; empty otherwise."""
        starts, callbacks = {0}, False
        for place in range(len(self.insns) // 8):
            code, regs, _, imm = struct.unpack_from("<BBhi", self.insns, 8 * place)
            callback = code == 0x18 and regs >> 4 == a.PSEUDO_FUNC
            if callback or (code == a.JMP | 0x80 and regs >> 4 == a.PSEUDO_CALL):
                starts.add(place + 1 + imm)
            callbacks |= callback
        return sorted(starts) if callbacks else []

    def func_info(self) -> tuple[bytes, bytes]:
        """BTF with a static function for each, and the records that name them; empty without callbacks."""
        starts = self.func_starts
        if not starts:
            return b"", b""
        btf = Btf()
        number = btf.int("int", 4)
        proto = btf.proto(number, [])
        records = b"".join(struct.pack("<II", at, btf.func(f"f{at}", proto)) for at in starts)
        return btf.blob(), records

    @property
    def maps(self) -> list[MapSpec]:
        """The maps that it uses, each once."""
        used: list[MapSpec] = []
        for slot in range(0, len(self.insns) - 7, 8):
            spec = self._map_at(slot)
            if spec and spec not in used:
                used.append(spec)
        return used

    def _map_at(self, slot: int) -> MapSpec | None:
        code, regs, _, imm = struct.unpack_from("<BBhi", self.insns, slot)
        if code != 0x18 or regs >> 4 not in (a.PSEUDO_MAP_FD, a.PSEUDO_MAP_VALUE):
            return None
        place = imm - _PLACEHOLDER
        return MAPS[place] if 0 <= place < len(MAPS) else None

    def code(self, fd_of: Callable[[MapSpec], int]) -> bytes:
        """The instructions, with real fds in."""
        out = bytearray(self.insns)
        for slot in range(0, len(out) - 7, 8):
            spec = self._map_at(slot)
            if spec:
                struct.pack_into("<i", out, slot + 4, fd_of(spec))
        return bytes(out)
