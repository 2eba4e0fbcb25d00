# SPDX-License-Identifier: MIT
"""Builds libFuzzer's target (libfuzzer.c) with address and undefined-behaviour sanitizers, makes its first inputs out of
our own cases and generators, runs it, and with --note writes what came of it into docs/soundness.md. See CONTRIBUTING.md."""

from __future__ import annotations

import argparse
import os
import random
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/unit"), str(ROOT / "tests/guest"), str(ROOT)]

import asm as a
from fuzz import gen, note
from programs import accept, dynptr, kptr, kptr_ref, reject, timer
from programs import btf as b
from programs.btf_bad import BAD, blob_of
from programs.case import ARRAY, CGROUP_SOCK, KPROBE, Case, MapSpec

OUT = ROOT / "build/libfuzzer"
SANITIZE = ["-fsanitize=fuzzer-no-link,address,undefined", "-fno-sanitize-recover=undefined"]
FLAGS = ["-std=gnu89", "-g", "-O1", "-fno-strict-aliasing", "-DBC_TRACE", "-w", f"-I{ROOT}"]
# Programs may access memory at any address, and their arithmetic wraps: both are theirs to do.
EXEC = ["-fno-sanitize=alignment", "-fwrapv"]
MAX_LEN = 8192

FIRST_FD = 3
FIXED = {"array": 3, "hash": 4, "percpu": 5, "ring": 6, "rodata": 7, "progs": 8}
NEXT_FD = 9  # the input's BTF, where it has any; then its map


def build() -> Path:
    """The target, compiled anew."""
    sources = [*(ROOT / "verifier").glob("*.c"), *(ROOT / "verifier/user").glob("*.c"), HERE / "libfuzzer.c"]
    OUT.mkdir(parents=True, exist_ok=True)
    objects = []
    for source in [*sources, *(ROOT / "kmod/exec").glob("*.c")]:
        more = EXEC if source.parent.name == "exec" else []
        objects.append(OUT / ("_".join(source.relative_to(ROOT).parts) + ".o"))
        subprocess.run(["clang", *FLAGS, *SANITIZE, *more, "-c", source, "-o", objects[-1]], check=True)
    target = OUT / "target"
    subprocess.run(["clang", "-fsanitize=fuzzer,address,undefined", *objects, "-o", target], check=True)
    return target


def pack(
    insns: bytes, prog_type: int = 1, *, attach_type: int = 0, flags: int = 0, gpl: bool = True, btf: bytes = b"",
    kernel: bool = False, funcs: bytes = b"", lines: bytes = b"", spec: MapSpec | None = None,
    value_type: int = 0, target: int = 0, log_level: int = 3,
) -> bytes:
    """An input: struct input of libfuzzer.c, and what it counts."""
    made = (spec.type, spec.key, spec.value, spec.entries, spec.flags) if spec else (0, 0, 0, 0, 0)
    head = struct.pack("<BBBBHHBBBBIIIIIII", prog_type & 255, attach_type & 255, flags & 255, log_level, len(insns) // 8,
                       len(btf), len(funcs) // 8, len(lines) // 16, not gpl, kernel, *made, value_type, target)
    return head + insns + btf + funcs + lines


def of_case(case: Case, log_level: int) -> bytes:
    """A program case, with the fds that the target has; a map of another kind than these is the input's own."""
    own: list[MapSpec] = []
    value_type = 0
    blob, funcs = case.func_info()

    def fd_of(spec: MapSpec) -> int:
        nonlocal blob, funcs, value_type
        if spec.name in FIXED:
            return FIXED[spec.name]
        own.append(spec)
        if spec.timer and blob:
            blob, funcs, value_type = timer_and_callbacks(case)
        elif not blob and (made := spec.value_btf()):
            blob, _, value_type = made
        return NEXT_FD + bool(blob)

    insns = case.code(fd_of)
    return pack(insns, case.prog_type, attach_type=case.attach_type, flags=case.flags, gpl=case.gpl, btf=blob, funcs=funcs,
                spec=own[0] if own else None, value_type=value_type, log_level=log_level)


def timer_and_callbacks(case: Case) -> tuple[bytes, bytes, int]:
    """One BTF for a value with a timer and for the functions of the program that sets it."""
    btf = b.Btf()
    u64 = btf.int("unsigned long long", 8, 0)
    timer_type = btf.struct("bpf_timer", 16, [("opaque", u64, 0)])
    value = btf.struct("val", 24, [("number", u64, 0), ("timer", timer_type, 64)])
    proto = btf.proto(btf.int("int", 4), [("ctx", btf.ptr(u64))])
    funcs = b"".join(struct.pack("<II", at, btf.func(f"f{at}", proto)) for at in case.func_starts)
    return btf.blob(), funcs, value


def with_lines(case: Case) -> bytes:
    """The same with a line to each function, and BTF that holds the text."""
    btf = b.Btf()
    number = btf.int("int", 4)
    proto = btf.proto(number, [("ctx", btf.ptr(btf.struct("__sk_buff", 4, [("len", number, 0)])))])
    file, text = btf.name("a.c"), btf.name("return 0;")
    starts = case.func_starts or [0]
    funcs = b"".join(struct.pack("<II", at, btf.func(f"f{at}", proto, b.GLOBAL if at else b.STATIC)) for at in starts)
    lines = b"".join(struct.pack("<IIII", at, file, text, at << 10) for at in starts)
    return pack(case.code(lambda spec: FIXED.get(spec.name, 3)), case.prog_type, btf=btf.blob(), funcs=funcs, lines=lines)


def kernel_with_objects() -> tuple[bytes, dict[str, int], int]:
    """A kernel's BTF that describes values which own objects, too; the numbers of its functions, and of the value."""
    btf = b.Btf()
    number, ulong = btf.int("int", 4), btf.int("long unsigned int", 8, 0)
    btf.struct("task_struct", 8, [("flags", ulong, 0)])
    member = btf.struct("prog_test_member", 8, [("a", number, 0), ("c", number, 32)])
    this = btf.ptr(member + 2)
    fields = [("a", number, 0), ("b", number, 32), ("memb", member, 64), ("next", this, 128), ("cnt", number, 192)]
    held = btf.struct("prog_test_ref_kfunc", 32, fields)
    ids = {}
    for name, returns, params in (
        ("call_test_acquire", this, [("p", btf.ptr(ulong))]), ("call_test_release", 0, [("p", this)]),
        ("call_memb_release", 0, [("p", btf.ptr(member))]),
        ("call_test_kptr_get", this, [("pp", btf.ptr(this)), ("a", number), ("b", number)]),
    ):  # fmt: skip
        ids[name] = btf.func(f"bpf_kfunc_{name}", btf.proto(returns, params))
    owned, other = (btf.ptr(btf.modifier(b.TYPE_TAG, to, "kptr_ref")) for to in (held, member))
    borrowed = btf.ptr(btf.modifier(b.TYPE_TAG, held, "kptr"))
    places = (("owned", owned), ("member", other), ("number", ulong), ("borrowed", borrowed))
    value = btf.struct("val", kptr_ref.SIZE, [(name, to, 64 * i) for i, (name, to) in enumerate(places)])
    return btf.blob(), ids, value


def kept() -> dict[str, bytes]:
    """Objects in map values, and storage: their types are the kernel's, so that is the BTF of these inputs."""
    blob, ids, value = kernel_with_objects()
    map_fd, made = NEXT_FD + 1, {}

    def put(name: str, code: bytes, prog_type: int, spec: MapSpec, value_type: int) -> None:
        made[name] = pack(code, prog_type, btf=blob, kernel=True, spec=spec, value_type=value_type, log_level=len(made) % 8)

    for case in kptr_ref.cases(lambda name: a.call_kfunc(ids[name])):
        code = case.insns.replace(kptr_ref.MAP.to_bytes(4, "little"), map_fd.to_bytes(4, "little"))
        put(case.name, code, case.prog_type, MapSpec("", ARRAY, 4, kptr_ref.SIZE, 1), value)
    for name, helper, prog_type, map_type in (("task", 156, KPROBE, 29), ("socket", 107, CGROUP_SOCK, 24)):
        for flags in (0, 1):
            owner = [a.call(158), a.mov(a.R2, a.R0)] if name == "task" else [a.mov(a.R2, a.R1)]
            code = a.asm(*owner, a.ld_map(a.R1, map_fd), a.mov_imm(a.R3, 0), a.mov_imm(a.R4, flags), a.call(helper),
                         a.jmp_imm("eq", a.R0, 0, 2), a.st(8, a.R0, 8, 7), a.ldx(4, a.R0, a.R0, 12), a.mov_imm(a.R0, 0),
                         a.exit_())  # fmt: skip
            put(f"storage of a {name} {flags}", code, prog_type, MapSpec("", map_type, 4, 16, 1), 0)
    return made


def shown() -> dict[str, bytes]:
    """Types of all kinds, to be printed: numbers, bits, text, arrays, unions, pointers and enumerations in each other."""
    btf = b.Btf()
    number, byte, wide = btf.int("int", 4), btf.int("char", 1, b.CHAR), btf.int("__int128", 16, 0)
    flag, odd = btf.int("_Bool", 1, b.BOOL), btf.int("odd", 4, 0, bits=24)
    text, rows = btf.array(byte, number, 8), btf.array(btf.array(number, number, 3), number, 2)
    inner = btf.struct("inner", 8, [("x", number, 0), ("y", odd, 32)])
    nameless = btf.struct("", 4, [("left", number, 0), ("right", flag, 0)], b.UNION)
    alias = btf.modifier(b.TYPEDEF, btf.modifier(b.CONST, inner), "inner_t")
    members = [("a", number, 0), ("text", text, 32), ("rows", rows, 96), ("in", alias, 288), ("", nameless, 352)]
    btf.struct("outer", 80, [*members, ("to", btf.ptr(inner), 384), ("wide", wide, 512)])
    memory = bytes(range(1, 81)) + bytes(range(200, 256)) + bytes(64)
    made = {}
    for flags, at, room in ((0, 0, 199), (1, 0, 40), (2, 3, 199), (15, 60, 199), (28, 0, 1), (31, 7, 199)):
        spec = MapSpec("", 0, at, 8, room, flags)
        made[f"shown {flags} {at}"] = pack(memory, btf=btf.blob(), kernel=True, spec=spec, value_type=4)
    return made


def seeds(count: int) -> dict[str, bytes]:
    """First inputs by name: our tables of programs and of BTF, and @count random programs."""
    made: dict[str, bytes] = {}
    cases = [case for table in (accept, reject, kptr, dynptr, timer) for case in table.CASES]
    for case in [*cases, *(gen.make(seed, gen.EVERYTHING if seed % 2 else frozenset()) for seed in range(count))]:
        if len(case.insns) > MAX_LEN // 2:
            continue
        made[case.name] = of_case(case, len(made) % 8)
        if len(made) % 4 == 0:
            made[case.name + " lines"] = with_lines(case)
    made |= kept() | shown()
    for name, _, _, make in BAD:
        made["btf " + name] = pack(b"", btf=blob_of(make)[:65535])
    for name, (blob, _, value) in {"lock": b.lock_btf(), "kptr": b.kptr_btf()}.items():
        for kernel in (False, True):
            made[f"btf {name} {kernel}"] = pack(b"", btf=blob, kernel=kernel, value_type=value)
    return {name: data for name, data in made.items() if len(data) <= MAX_LEN}


def write_corpus(folder: Path, count: int) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    made = seeds(count)
    for place, data in enumerate(made.values()):
        (folder / f"seed{place:05}").write_bytes(data)
    return len(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--seed", type=int, default=0, help="0: of the clock, and printed")
    parser.add_argument("--note", action="store_true", help="write the figures into docs/soundness.md")
    options = parser.parse_args()
    seed = options.seed or random.SystemRandom().randrange(1, 1 << 31)
    corpus = OUT / "corpus"
    made, target, log = write_corpus(corpus, 1500), build(), OUT / "log"
    begun = time.monotonic()
    with log.open("w") as out:
        done = subprocess.run(
            [target, f"-max_total_time={options.seconds}", f"-seed={seed}", f"-max_len={MAX_LEN}", "-timeout=120",
             "-rss_limit_mb=2048", f"-artifact_prefix={OUT}/", "-print_final_stats=1", corpus],
            stdout=out, stderr=subprocess.STDOUT, cwd=OUT, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1"},
        )
    text = log.read_text(errors="replace")
    figures = {name: int(value) for name, value in re.findall(r"stat::(\w+):\s+(\d+)", text)}
    edges = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)
    print(f"libFuzzer, seed {seed}: exit {done.returncode}, {figures}, edges/features/corpus {edges[-1:]}; log in {log}")
    if done.returncode:
        sys.exit(text[-4000:])
    if options.note:
        note.put("libfuzzer", [
            ("seed of the run, first inputs", f"{seed}, {made}"),
            ("time", f"{time.monotonic() - begun:.0f} s"),
            ("inputs executed", f"{figures['number_of_executed_units']:,}"),
            ("edges, features, corpus at the end", ", ".join(f"{int(n):,}" for n in edges[-1])),
            ("findings", "0"),
            ("commit", note.commit()),
        ])


if __name__ == "__main__":
    main()
