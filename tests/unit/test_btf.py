# SPDX-License-Identifier: MIT
"""BTF validation: what a compiler makes is taken; what is malformed is refused with Linux's errno and message."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import btf as b
from programs.btf import Btf
from programs.btf_bad import BAD, Maker, blob_of
from verifier_lib import World, errno_name, lib

SOURCE = """
struct inner { int a:3; unsigned b:5; void *p; struct inner *next; struct { short s; char c[5]; }; };
union both { long l; double d; struct inner i; };
typedef struct inner inner_t;
enum small { A, B = 7, C = -1 };
typedef int (*fn)(inner_t *, ...);
struct flexible { int n; char data[]; };
int global = 3; static int hidden; inner_t table[4]; const volatile enum small mode = B; fn callback;
float f; _Bool flag; union both u; struct flexible *flex; int (*matrix)[3][4];
__attribute__((noinline)) int sub(inner_t *x, int n) { return x->a + n + hidden; }
int prog(void *ctx) { hidden++; return sub(&table[1], global); }
char licence[] __attribute__((section("license"))) = "GPL";
"""


def verdict(blob: bytes, kernel: bool = False) -> tuple[str, str]:
    """Errno's name ("" when taken) and the log."""
    before = lib.bc_user_live_blocks()
    with World() as world:
        fd, log = world.btf(blob, kernel)
    assert lib.bc_user_live_blocks() == before, "memory is left over"
    return (errno_name(-fd) if fd < 0 else ""), log


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The BTF that clang makes of SOURCE; section sizes and offsets are filled in as libbpf does before loading."""
    clang, objcopy = shutil.which("clang"), shutil.which("llvm-objcopy")
    assert clang, "clang is part of `make setup`"
    assert objcopy, "llvm is part of `make setup`"
    folder: Path = tmp_path_factory.mktemp("btf")
    (folder / "a.c").write_text(SOURCE)
    subprocess.run([clang, "-g", "-O2", "-target", "bpf", "-c", "a.c", "-o", "a.o"], cwd=folder, check=True)
    subprocess.run([objcopy, "--dump-section", ".BTF=a.btf", "a.o"], cwd=folder, check=True)
    return fix_datasecs((folder / "a.btf").read_bytes())


def fix_datasecs(blob: bytes) -> bytes:
    """Compilers leave data sections without size and offsets."""
    out = bytearray(blob)
    at, end = 24, 24 + struct.unpack_from("<I", blob, 12)[0]
    tail = {b.INT: 4, b.ARRAY: 12, b.VAR: 4, b.DECL_TAG: 4}
    item = {b.STRUCT: 12, b.UNION: 12, b.ENUM: 8, b.FUNC_PROTO: 8, b.DATASEC: 12, b.ENUM64: 12}
    while at < end:
        _, info, _ = struct.unpack_from("<III", out, at)
        kind, vlen = info >> 24 & 0x1F, info & 0xFFFF
        if kind == b.DATASEC:
            offset = 0
            for index in range(vlen):
                place = at + 12 + 12 * index
                size = struct.unpack_from("<I", out, place + 8)[0]
                struct.pack_into("<I", out, place + 4, offset)
                offset += size
            struct.pack_into("<I", out, at + 8, offset)
        at += 12 + tail.get(kind, 0) + item.get(kind, 0) * vlen
    return bytes(out)


def test_compilers_output_is_taken(compiled: bytes) -> None:
    error, log = verdict(compiled)
    assert error == "", log[-500:]
    assert "] STRUCT inner size=" in log
    assert "\tnext type_id=" in log
    assert "] FUNC sub type_id=" in log
    assert "] DATASEC .bss size=" in log
    assert "vararg)" in log
    assert log.startswith("magic: 0xeb9f\nversion: 1\nflags: 0x0\nhdr_len: 24\ntype_off: 0\n")


def test_every_truncation_is_refused(compiled: bytes) -> None:
    for length in range(0, len(compiled), 7):
        assert verdict(compiled[:length])[0] in ("EINVAL", "E2BIG"), length


def test_noise_does_no_harm(compiled: bytes) -> None:
    """Seeded corruption: any verdict will do, as long as nothing breaks and no memory is left over."""
    rng = random.Random(7)
    verdicts = set()
    for _ in range(3000):
        blob = bytearray(compiled)
        for _ in range(rng.choice((1, 1, 2, 5))):
            at = rng.randrange(24, len(blob))
            blob[at] = rng.choice((0, 1, 0xFF, 0x80, rng.randrange(256)))
        verdicts.add(verdict(bytes(blob))[0])
    assert {"", "EINVAL"} <= verdicts
    assert verdicts <= {"", "EINVAL", "E2BIG", "EEXIST", "ENOTSUPP", "ELOOP"}


def test_out_of_memory(compiled: bytes) -> None:
    for fail in range(12):
        before = lib.bc_user_live_blocks()
        with World() as world:
            lib.bc_user_fail_alloc(fail)
            fd, _ = world.btf(compiled)
            lib.bc_user_fail_alloc(-1)
            assert fd >= 0 or errno_name(-fd) == "ENOMEM"
            if fd >= 0:
                assert fail > 4
        assert lib.bc_user_live_blocks() == before


@pytest.mark.parametrize(("error", "message", "make"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_malformed(error: str, message: str, make: Maker) -> None:
    got, log = verdict(blob_of(make))
    assert (got, message in log) == (error, True), log[-600:]


def test_header_with_trailing_bytes() -> None:
    btf = Btf()
    btf.int("int", 4)
    blob = btf.blob(hdr_len=28)
    assert verdict(blob[:24] + bytes(4) + blob[24:])[0] == ""
    error, log = verdict(blob[:24] + b"\0\0\1\0" + blob[24:])
    assert (error, "Unsupported btf_header" in log) == ("E2BIG", True)


def test_too_large() -> None:
    assert verdict(bytes(16 * 1024 * 1024 + 1))[0] == "E2BIG"


def test_legal_corners() -> None:
    """What looks odd and is allowed."""
    btf = Btf()
    number = btf.int("int", 4)
    btf.ptr(4)  # [2] pointer to a struct that holds it
    btf.add(b.FWD, "later", kflag=True)
    btf.struct("ring", 16, [("next", 2, 0), ("zero", 5, 64)])
    btf.array(number, number, 0)
    btf.modifier(b.TYPE_TAG, 7, "user")
    btf.modifier(b.CONST, 0)
    btf.enum64("big", 8, [("X", 1 << 40)])
    btf.enum("", 1, [("Y", -1)])
    btf.struct("bits", 4, [("a", number, 3 << 24), ("b", number, 5 << 24 | 3)], kflag=True)
    btf.datasec(".data..percpu", 4, [(btf.var("v.1", number, b.STATIC), 0, 4)])
    btf.func("f", btf.proto(0, [("x", 2), ("", 0)]))
    btf.add(b.FLOAT, "long double", 16)
    error, log = verdict(btf.blob())
    # a function's arguments carry names; a variadic end has none
    assert error == "", log[-400:]


NOWHERE = 99


@pytest.mark.parametrize(
    "refer",
    [
        lambda btf: btf.ptr(NOWHERE),
        lambda btf: btf.modifier(b.CONST, NOWHERE),
        lambda btf: btf.struct("s", 4, [("m", NOWHERE, 0)]),
        lambda btf: btf.array(NOWHERE, 1, 1),
        lambda btf: btf.array(1, NOWHERE, 1),
        lambda btf: btf.proto(NOWHERE, []),
        lambda btf: btf.proto(0, [("p", NOWHERE)]),
        lambda btf: btf.func("f", NOWHERE),
        lambda btf: btf.var("v", NOWHERE),
        lambda btf: btf.datasec(".data", 4, [(NOWHERE, 0, 4)]),
    ],
)
def test_kernel_btf_refers_to_types_that_it_has(refer: Callable[[b.Btf], int]) -> None:
    """libFuzzer: a kernel function's parameter that pointed past all types."""
    for there in (False, True):
        btf = b.Btf()
        btf.int("int", 4)
        at = refer(btf)
        while there and btf.count < NOWHERE:
            btf.int("int", 4)
        with World() as world:
            fd, log = world.btf(btf.blob(), kernel=True)
            assert (fd >= 0) == there, log
            assert there or (f"[{at}] " in log and "Invalid type_id" in log)


def test_kernel_btf_is_indexed() -> None:
    path = Path("/sys/kernel/btf/vmlinux")
    if not path.exists():
        pytest.skip("this machine's kernel has no BTF of its own")
    with World() as world:
        fd, log = world.btf(path.read_bytes(), kernel=True)
        assert fd >= 0, log[-300:]
