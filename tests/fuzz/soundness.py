# SPDX-License-Identifier: MIT
"""The verifier against execution, on programs of the C generator (tests/fuzz/typed): `run` verifies and runs them, watched;
`bugs` plants the bugs of planted.py one at a time and counts the programs until each is found; `coverage` counts the branches
of the verifier that accepted programs take; `native` compares verdicts with the bpf(2) of Debian's kernel, in a machine.
With --note the figures go into docs/soundness.md."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/unit"), str(ROOT)]

from fuzz import note, typed_types
from fuzz.planted import BUGS, Bug

OUT = ROOT / "build/typed"
FLAGS = ["-std=gnu89", "-O2", "-g", "-fno-strict-aliasing", "-fwrapv", "-DBC_TRACE", "-w"]
EVERYTHING = 2047  # GEN_ALL
V3 = 2014  # without encodings later than Linux 6.1's, and without the small kernel
BUDGET = 1_000_000


def sources() -> list[Path]:
    folders = (HERE / "typed", ROOT / "verifier", ROOT / "verifier/user", ROOT / "kmod/exec")
    return [path for folder in folders for path in sorted(folder.glob("*.c"))]


def compile_all(out: Path, flags: Sequence[str], files: Sequence[Path], include: Path = ROOT) -> list[Path]:
    """Objects of @files in @out; those whose command and sources are as they were stay."""
    out.mkdir(parents=True, exist_ok=True)
    types = typed_types.header()
    if not (out / "types.h").exists() or (out / "types.h").read_text() != types:
        (out / "types.h").write_text(types)
    headers = [*(HERE / "typed").glob("*.h"), *(include / "verifier").rglob("*.h"), *(include / "kmod").rglob("*.h")]
    common = hashlib.sha256(repr(flags).encode() + types.encode() + b"".join(path.read_bytes() for path in sorted(headers)))
    objects = []
    for path in files:
        digest = common.copy()
        digest.update(path.read_bytes())
        target = out / f"{path.parent.name}-{path.stem}-{digest.hexdigest()[:12]}.o"
        if not target.exists():
            for old in out.glob(f"{path.parent.name}-{path.stem}-*.o"):
                old.unlink()
            subprocess.run(["gcc", *flags, f"-I{include}", f"-I{out}", "-c", path, "-o", target], check=True, cwd=out)
        objects.append(target)
    return objects


def build(out: Path = OUT, flags: Sequence[str] = FLAGS) -> Path:
    """The generator's driver."""
    objects = compile_all(out, flags, sources())
    name = hashlib.sha256("".join(path.name for path in objects).encode()).hexdigest()[:12]
    target = out / f"driver-{name}"
    if not target.exists():
        for old in out.glob("driver-*"):
            old.unlink()
        subprocess.run(["gcc", *flags, *objects, "-o", target], check=True)
    return target


def call(program: Path, *args: object, timeout: float | None = None) -> tuple[dict[str, Any], str]:
    """What it printed as JSON, and what it said of violations. A program that brought it down was found as well."""
    done = subprocess.run([program, *map(str, args)], text=True, capture_output=True, timeout=timeout)
    if not done.stdout.strip():
        return {}, f"died of signal {-done.returncode}\n{done.stderr}"
    return json.loads(done.stdout), done.stderr


# ---- planted bugs ----


def planted(bug: Bug) -> str:
    """The file with the bug in."""
    text = (ROOT / "verifier" / bug.file).read_text()
    if text.count(bug.old) != 1:
        raise ValueError(f"{bug.name}: its text stands {text.count(bug.old)} times in {bug.file}")
    return text.replace(bug.old, bug.new)


def build_bug(bug: Bug, objects: Sequence[Path]) -> Path:
    """The driver with one file of the verifier replaced."""
    folder = OUT / "bugs" / hashlib.sha256(repr(bug).encode()).hexdigest()[:12]
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "verifier").mkdir(parents=True)
    wrong = folder / "verifier" / bug.file
    wrong.write_text(planted(bug))
    made, target = folder / "wrong.o", folder / "typed"
    # headers that the file names by itself are the tree's
    subprocess.run(["gcc", *FLAGS, f"-I{ROOT / 'verifier'}", "-c", wrong, "-o", made], check=True)
    kept = [path for path in objects if not path.name.startswith(f"verifier-{Path(bug.file).stem}-")]
    subprocess.run(["gcc", *FLAGS, *kept, made, "-o", target], check=True)
    return target


def find_bug(bug: Bug, seed: int, budget: int = BUDGET) -> tuple[int, str]:
    """How many programs it took to notice, 0 when it was not; and what was noticed."""
    program = build_bug(bug, compile_all(OUT, FLAGS, sources()))
    step, before = 20_000, 0
    try:
        while before < budget:
            said, words = call(program, "run", seed + before, min(step, budget - before), EVERYTHING, 1)
            if not said:  # which program it was is not known: one of this step
                return before + step, words.splitlines()[0]
            if said["violations"]:
                return before + said["first_violation"], words.split(": ", 1)[-1].strip()
            before += step
    finally:
        shutil.rmtree(program.parent, ignore_errors=True)
    return 0, "not found"


# ---- coverage ----


def branch_counts(seed: int, count: int) -> dict[str, tuple[int, int, int, int]]:
    """By file of verifier/: branches taken by accepted programs, branches; the same without ways that lead to a refusal."""
    out = OUT / "coverage"
    for old in out.glob("*.gcda"):
        old.unlink()
    flags = ["-std=gnu89", "-O0", "-g", "-fno-strict-aliasing", "-fwrapv", "-DBC_TRACE", "-w", "--coverage", "-DCOUNT_BRANCHES"]
    program = build(out, flags)
    said, words = call(program, "accepted", seed, count, EVERYTHING)
    assert said, words
    found = {}
    for path in sorted((ROOT / "verifier").glob("*.c")):
        data = next(out.glob(f"verifier-{path.stem}-*.gcda"), None)
        if not data:  # tables alone
            continue
        subprocess.run(["gcov", "--json-format", "--branch-probabilities", data], cwd=out, check=True, capture_output=True)
        made = next(out.glob(f"{data.stem}*.gcov.json.gz"))
        report = json.loads(gzip.decompress(made.read_bytes()))
        made.unlink()
        found[path.name] = count_branches(path.read_text().splitlines(), report["files"], path.name)
    return found


def count_branches(text: Sequence[str], files: Sequence[dict[str, Any]], name: str) -> tuple[int, int, int, int]:
    """Of one file, from gcov's lines."""
    taken = total = kept_taken = kept = 0
    lines = next(entry["lines"] for entry in files if entry["file"].endswith("verifier/" + name))
    for line in lines:
        branches = [branch for branch in line["branches"] if not branch["throw"]]
        if len(branches) == 0:
            continue
        hits = [branch["count"] > 0 for branch in branches]
        taken += sum(hits)
        total += len(hits)
        spare = refusals(text, line["line_number"], len(hits))
        kept_taken += sum(hits)
        kept += len(hits) - min(spare, len(hits) - sum(hits))
    return taken, total, kept_taken, kept


def refusals(text: Sequence[str], number: int, branches: int) -> int:
    """How many of the branches of an `if` lead straight to the return of an error: one of them, where its body is that."""
    head = text[number - 1].strip() if number <= len(text) else ""
    if not head.startswith(("if ", "} else if")) or branches < 2:
        return 0
    for line in text[number : number + 6]:
        line = line.strip()
        if line.startswith(("return -E", "return err;", "goto out;")) or (line == "return false;" and "log" in text[number]):
            return branches // 2
        if not line.startswith(("bc_log", "btf_err", '"', "err = -E")) and not line.endswith((",", ");")):
            return 0
    return 0


# ---- the commands ----


def put_run(seed: int, parts: Sequence[dict[str, Any]]) -> None:
    """The record of a run, of which each part had a process of its own."""
    said = {key: sum(part[key] for part in parts) for key in parts[0] if key != "errnos"}
    note.put("run", [
        ("seeds", f"{seed} to {seed + said['programs'] - 1}"), ("programs", f"{said['programs']:,}"),
        ("accepted", f"{said['accepted']:,} ({100 * said['accepted'] / said['programs']:.1f}%)"),
        ("of these with every path walked and every register compared", f"{said['full']:,}"),
        ("runs, instructions watched", f"{said['runs']:,}, {said['insns']:,}"), ("violations", str(said["violations"])),
        ("accepted with pruning alone", str(said["pruned_only"])),
        ("time of a processor", f"{said['cpu']:.0f} s ({1e6 * said['cpu'] / said['programs']:.0f} µs a program)"),
        ("commit", note.commit()),
    ])


def do_run(options: argparse.Namespace) -> int:
    program, share = build(), options.programs // options.jobs
    with ThreadPoolExecutor(options.jobs) as pool:
        begin = [options.seed + job * share for job in range(options.jobs)]
        parts = list(pool.map(lambda seed: call(program, "run", seed, share, EVERYTHING), begin))
    for said, words in parts:
        print(words + json.dumps(said))
    if not all(said and not said["violations"] for said, _ in parts):
        return 1
    if options.note:
        put_run(options.seed, [said for said, _ in parts])
    return 0


def do_bugs(options: argparse.Namespace) -> int:
    rows, missed = [], 0
    for bug in BUGS:
        if options.only and options.only not in bug.name:
            continue
        found, words = find_bug(bug, options.seed, options.programs)
        missed += not found
        print(f"{found or '-':>8}  {bug.name} ({bug.file}): {words}", flush=True)
        rows.append((bug.name, bug.file, f"{found:,}" if found else "not found"))
    print(f"{len(rows) - missed} of {len(rows)} found")
    if options.note:
        note.put("bugs", rows, ("bug planted", "in", "found after programs"))
    return missed != 0


def do_coverage(options: argparse.Namespace) -> int:
    found = branch_counts(options.seed, options.programs)
    rows = []
    for name, (taken, total, _, kept) in found.items():
        rows.append((name, f"{taken} of {total}", f"{100 * taken / max(kept, 1):.0f}%"))
    taken, total, kept_taken, kept = (sum(counts[i] for counts in found.values()) for i in range(4))
    rows.append(("all", f"{taken} of {total} ({100 * taken / total:.1f}%)", f"{100 * kept_taken / kept:.1f}% of {kept}"))
    for row in rows:
        print("{:20} {:>22} {:>20}".format(*row))
    if options.note:
        note.put("coverage", rows, ("file", "branches taken", "without ways to a refusal"))
    return 0


def do_native(options: argparse.Namespace) -> int:
    from vm.kernels import find_kernel
    from vm.machine import VM

    with VM(find_kernel("debian-6.1"), module=False, quiet=True) as machine:
        done = machine.run([str(build()), "native", str(options.seed), str(options.programs), str(V3)], native=True, timeout=3600)
    said = json.loads(done.stdout)
    for difference in said["differences"]:
        print(json.dumps(difference))
    said.pop("differences")
    print(json.dumps(said))
    if options.note:
        note.put("native", [("seeds", f"{options.seed} to {options.seed + options.programs - 1}"),
                            *((name, f"{said[key]:,}") for name, key in NATIVE_ROWS), ("commit", note.commit())])
    return said["looser"] != 0


NATIVE_ROWS = [("programs", "programs"), ("accepted by both", "both"), ("rejected by both", "neither"),
               ("rejected here alone (stricter)", "stricter"), ("accepted here alone (looser)", "looser")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["run", "bugs", "coverage", "native"])
    parser.add_argument("--seed", type=int, default=1_000_000)
    parser.add_argument("--programs", type=int, default=BUDGET)
    parser.add_argument("--jobs", type=int, default=1, help="processes of `run`")
    parser.add_argument("--only", default="", help="bugs with this in their name")
    parser.add_argument("--note", action="store_true")
    options = parser.parse_args()
    sys.exit({"run": do_run, "bugs": do_bugs, "coverage": do_coverage, "native": do_native}[options.command](options))


if __name__ == "__main__":
    main()
