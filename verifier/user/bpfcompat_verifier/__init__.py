# SPDX-License-Identifier: GPL-2.0-only
"""bpfcompat's verifier, interpreter and code generator in user space: a World holds maps, BTF and programs; verifies
and runs them."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import Any

from .build_ffi import load as _load

_module = _load()
ffi: Any = _module.ffi
lib: Any = _module.lib

ENOTSUPP = 524  # the kernel's own, which Python does not know


def errno_name(code: int) -> str:
    """Name of a positive errno."""
    return "ENOTSUPP" if code == ENOTSUPP else errno.errorcode.get(code, str(code))


@dataclass
class Verdict:
    """What the verifier said of a program."""

    fd: int  # of the program, or a negative errno
    log: str
    stats: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.fd >= 0

    @property
    def error(self) -> str:
        """Name of the errno, "" when accepted."""
        return "" if self.ok else errno_name(-self.fd)


@dataclass
class Run:
    """What happened in one run of a program."""

    retval: int
    insns: int
    mem_violations: int
    state_violations: int
    ref_leaks: int
    overflows: int
    timed_out: bool
    message: str
    ctx: bytes


class World:
    """Maps, BTF and programs that can refer to each other by fd."""

    def __init__(self) -> None:
        self._world = lib.bcu_new()

    def close(self) -> None:
        if self._world:
            lib.bcu_free(self._world)
            self._world = None

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def map(
        self, map_type: int, key_size: int, value_size: int, max_entries: int, flags: int = 0,
        btf_fd: int = -1, value_type_id: int = 0,
    ) -> int:
        """Makes a map; its fd."""
        fd = lib.bcu_map_new(self._world, map_type, key_size, value_size, max_entries, flags, btf_fd, value_type_id)
        if fd < 0:
            raise OSError(-fd, errno_name(-fd))
        return fd

    def freeze(self, fd: int) -> None:
        lib.bcu_map_freeze(self._world, fd)

    def set_inner(self, fd: int, inner: int) -> None:
        """Gives a map of maps its template."""
        lib.bcu_map_set_inner(self._world, fd, inner)

    def forbid_boot(self) -> None:
        """From now on programs are loaded by one without CAP_SYS_BOOT."""
        lib.bcu_forbid_boot(self._world)

    def allow_all_helpers(self) -> None:
        """Programs may call helpers that are not here; such do not run."""
        lib.bcu_allow_all_helpers(self._world)

    def lookup(self, fd: int, key: bytes, size: int) -> bytes | None:
        """The first @size bytes of a value."""
        found = lib.bcu_map_lookup(self._world, fd, key)
        return bytes(ffi.buffer(found, size)) if found else None

    def update(self, fd: int, key: bytes, value: bytes, flags: int = 0) -> int:
        return lib.bcu_map_update(self._world, fd, key, value, flags)

    def map_address(self, fd: int) -> int:
        """What ld_imm64 of the map holds at last."""
        return lib.bcu_map_address(self._world, fd)

    def value_address(self, fd: int) -> int:
        """Address of an array's first value."""
        return lib.bcu_value_address(self._world, fd)

    def set_prog(self, map_fd: int, index: int, prog_fd: int) -> int:
        """Puts a program in a prog array."""
        return lib.bcu_prog_array_set(self._world, map_fd, index, prog_fd)

    def btf(self, data: bytes, kernel: bool = False, log_size: int = 1 << 16) -> tuple[int, str]:
        """Validates BTF: (fd or negative errno, log)."""
        log = ffi.new("char[]", max(log_size, 1))
        fd = lib.bcu_btf_new(self._world, data, len(data), kernel, log, log_size)
        return fd, ffi.string(log).decode(errors="replace")

    def load(
        self, insns: bytes, prog_type: int = 1, *, attach_type: int = 0, attach_btf_id: int = 0, flags: int = 0, gpl: bool = True,
        log_level: int = 1, log_size: int = 1 << 20, btf_fd: int = -1, func_info: bytes = b"", line_info: bytes = b"",
        record: bool = False, no_prune: bool = False, max_verified: int = 0, fd_array: tuple[int, ...] = (),
    ) -> Verdict:
        """Verifies a program. With @record its states are kept, and runs are held against them."""
        buf = ffi.from_buffer(insns)
        functions, lines = ffi.from_buffer(func_info), ffi.from_buffer(line_info)
        log = ffi.new("char[]", log_size) if log_level else ffi.NULL
        request = ffi.new("struct bcu_load *")
        request.prog_type, request.expected_attach_type, request.prog_flags = prog_type, attach_type, flags
        request.attach_btf_id = attach_btf_id
        request.gpl, request.insns, request.insn_cnt = gpl, buf, len(insns) // 8
        request.btf_fd = btf_fd
        request.func_info, request.func_info_cnt = functions, len(func_info) // 8
        request.line_info, request.line_info_cnt = lines, len(line_info) // 16
        fds = ffi.new("s32[]", fd_array or (0,))
        if fd_array:
            request.fd_array, request.fd_array_cnt = fds, len(fd_array)
        request.log_level, request.log, request.log_size = log_level, log, log_size if log_level else 0
        request.record, request.no_prune, request.max_verified = record, no_prune, max_verified
        stats = ffi.new("struct bcu_stats *")
        fd = lib.bcu_prog_load(self._world, request, stats)
        text = ffi.string(log).decode(errors="replace") if log_level else ""
        names = ("insn_cnt", "subprog_cnt", "verified_insns", "total_states", "peak_states", "states_recorded")
        return Verdict(fd, text, {name: getattr(stats, name) for name in names})

    def raw(self, insns: bytes, prog_type: int = 1) -> int:
        """A program taken as it is, unverified: for tests of the interpreter alone."""
        return lib.bcu_prog_raw(self._world, prog_type, insns, len(insns) // 8)

    def insns(self, prog_fd: int) -> bytes:
        """A program's instructions as they run."""
        count = lib.bcu_prog_insns(self._world, prog_fd, ffi.NULL, 0)
        buf = ffi.new("char[]", count * 8 + 1)
        lib.bcu_prog_insns(self._world, prog_fd, buf, count)
        return bytes(ffi.buffer(buf, count * 8))

    def jit_flags(self, flags: int) -> None:
        """How code is generated from now on: lib.BCU_JIT_*."""
        lib.bcu_jit_flags(self._world, flags)

    def code(self, prog_fd: int) -> bytes:
        """A program's machine code; empty when there is none for it."""
        size = lib.bcu_jit_code(self._world, prog_fd, ffi.NULL, 0)
        buf = ffi.new("char[]", size + 1)
        lib.bcu_jit_code(self._world, prog_fd, buf, size)
        return bytes(ffi.buffer(buf, size))

    def run(self, prog_fd: int, ctx: bytes = b"", packet: bytes = b"", seed: int = 1, max_insns: int = 0,
            jit: bool = False) -> Run:
        """Runs a program on a context (made out of @packet for those on packets). With @jit its accesses are not watched."""
        ctx_buf = ffi.new("char[]", len(ctx) + 1)
        packet_buf = ffi.new("char[]", len(packet) + 1)
        ffi.memmove(packet_buf, packet, len(packet))
        if ctx:
            ffi.memmove(ctx_buf, ctx, len(ctx))
        request = ffi.new("struct bcu_run *")
        request.ctx, request.ctx_size = ctx_buf, len(ctx)
        request.packet, request.packet_size = packet_buf, len(packet)
        request.seed, request.max_insns, request.jit = seed, max_insns, jit
        code = lib.bcu_run(self._world, prog_fd, request)
        if code:
            raise OSError(-code, errno_name(-code))
        return Run(
            request.retval, request.insns, request.mem_violations, request.state_violations, request.ref_leaks,
            request.overflows, request.timed_out, ffi.string(request.message).decode(),
            bytes(ffi.buffer(ctx_buf, len(ctx))),
        )


def func_name(func_id: int) -> str:
    """Name of a helper, without "bpf_"."""
    return ffi.string(lib.bc_func_name(func_id)).decode()
