# SPDX-License-Identifier: MIT
"""The kernel's own test_verifier, out of Debian's package linux-source-6.1: unpacked and built unmodified under build/,
run against the user-space verifier, and its output read: what was the verdict on each case, and in what way is it not
the one that Linux 6.1 gives?"""

from __future__ import annotations

import io
import json
import lzma
import os
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from vm.kernels import find_kernel
from vm.paths import BUILD, REPO, locked

SOURCE = Path("/usr/src/linux-source-6.1.tar.xz")
SOURCE_MISSING = "linux-source-6.1 is not installed (make test-full installs it)"
HERE = Path(__file__).resolve().parent
OUT = BUILD / "suites"
TREE = OUT / "linux-source-6.1"
TESTS = "tools/testing/selftests/bpf"
WANTED = [f"{TESTS}/*.[ch]", f"{TESTS}/verifier", "tools/include", "tools/arch/x86/include"]


def unpack() -> Path:
    """The folder of the suite's sources."""
    stamp = OUT / "source.stamp"
    wanted = f"{SOURCE.stat().st_size} {SOURCE.stat().st_mtime_ns} {WANTED}"
    if not stamp.exists() or stamp.read_text() != wanted:
        OUT.mkdir(parents=True, exist_ok=True)
        names = [f"linux-source-6.1/{name}" for name in WANTED]
        subprocess.run(["tar", "-xJf", SOURCE, "-C", OUT, "--wildcards", *names], check=True)
        stamp.write_text(wanted)
    return TREE / TESTS


def newer(target: Path, *sources: Path) -> bool:
    return not target.exists() or any(source.stat().st_mtime > target.stat().st_mtime for source in sources)


def build() -> Path:
    """test_verifier, as the kernel's makefiles build it: with a list of the files of cases, and Debian's libbpf."""
    with locked("suites"):
        folder, program = unpack(), OUT / "test_verifier"
        if newer(program, folder / "test_verifier.c"):
            cases = sorted(path.name for path in (folder / "verifier").glob("*.c"))
            lines = ["#ifdef FILL_ARRAY", *(f'#include "{name}"' for name in cases), "#endif", ""]
            (folder / "verifier/tests.h").write_text("\n".join(lines))
            include = [f"-I{folder}", f"-I{TREE}/tools/include", f"-I{TREE}/tools/include/uapi"]
            sources = [folder / "test_verifier.c", folder / "cap_helpers.c"]
            subprocess.run(["gcc", "-O1", "-w", *include, "-o", program, *sources, "-lbpf"], check=True)
    return program


def recorder() -> Path:
    """The library that writes verdicts into the suite's output."""
    with locked("suites"):
        target, source = OUT / "record.so", HERE / "record.c"
        if newer(target, source):
            subprocess.run(["gcc", "-O2", "-Wall", "-shared", "-fPIC", "-o", target, source, "-ldl"], check=True)
    return target


def offline_library() -> Path:
    """The library that answers bpf(2) out of verifier/."""
    sys.path.insert(0, str(REPO / "verifier/user"))
    from bpfcompat_verifier.build_ffi import FLAGS, fingerprint, sources

    flags = [flag for flag in FLAGS if not flag.startswith("-std=")]
    with locked("suites"):
        OUT.mkdir(parents=True, exist_ok=True)
        source = HERE / "offline.c"
        target = OUT / f"offline-{fingerprint()}.so"
        if newer(target, source):
            for old in OUT.glob("offline-*.so"):
                old.unlink()
            command = ["gcc", "-std=gnu99", *flags, "-w", "-shared", "-fPIC", "-o", target, source, *sources(), "-ldl"]
            subprocess.run(command, check=True)
    return target


def debian_btf() -> Path:
    """The types of Debian's kernel, out of its compressed image."""
    with locked("suites"):
        return debian_btf_unlocked()


def debian_btf_unlocked() -> Path:
    """The same for who holds the lock."""
    image = find_kernel("debian-6.1").image
    target = OUT / f"{image.name}.btf"
    if newer(target, image):
        OUT.mkdir(parents=True, exist_ok=True)
        data = image.read_bytes()
        unpacked = lzma.LZMADecompressor().decompress(data[data.index(b"\xfd7zXZ\0") :])
        target.write_bytes(ELFFile(io.BytesIO(unpacked)).get_section_by_name(".BTF").data())
    return target


def run_offline() -> str:
    """What the suite prints when the user-space library answers it."""
    program, libraries, btf = build(), f"{recorder()}:{offline_library()}", debian_btf()
    environment = {**os.environ, "LD_PRELOAD": libraries, "OFFLINE_BTF": str(btf)}
    done = subprocess.run([program], env=environment, capture_output=True, errors="replace", timeout=300)
    assert done.returncode in (0, 1), f"status {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout


# -- what it printed --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """What became of one case."""

    name: str
    outcome: str  # "ok", "skip", or how it failed: see outcome_of
    accepted: bool | None  # None: it never came to a verdict
    why: str  # what the output says of the reason


REASONS = [
    (r"SKIP \(unsupported program type (\d+)\)", r"programs of type \1 are not offered"),
    (r"SKIP \(unsupported map type (\d+)\)", r"maps of type \1 are not offered"),
    (r"Failed to create map with btf_id pointer", "no struct prog_test_ref_kfunc in the kernel's BTF"),
    (r"Failed to create (map with \w+|\w+_map)", r"no \1"),
    (r"invalid kernel function call not eliminated", "the kernel's BTF has not the function that is called"),
    (r"unknown func (bpf_\w+)#", r"\1 is not offered"),
    (r"Failed to find BTF ID for '(\w+)'", r"no function \1 in the kernel's BTF"),
    (r"map_ptr access not supported without CONFIG_DEBUG_INFO_BTF", "maps are not laid out as Linux's"),
    (r"SKIP \(program uses an unsupported feature\)", "unsupported feature"),
]


NAME_END = re.compile(r" ?(?:\{load |\{violation |SKIP|FAIL|Failed to|Did not run|\d+ cases OK|OK$)")


def outcome_of(text: str, accepted: bool | None) -> str:
    """How a case failed: looser (accepted, and should not be), stricter, message (of a rejection, or the log of an
    acceptance), code (the instructions after the verifier), result (of a run), broken (else)."""
    if "Unexpected success to load" in text:
        return "looser"
    if "Failed to load prog" in text:
        return "stricter"
    if "Unexpected error message" in text or "Unexpected verifier log" in text or "insn_processed" in text:
        return "message"
    if "subsequence of instructions" in text:
        return "code"
    if accepted and ("FAIL retval" in text or "bpf_prog_test_run error" in text):
        return "result"
    return "broken"


def read(text: str) -> dict[str, Case]:
    """The privileged cases of an output, by name; names that come again are numbered."""
    cases: dict[str, Case] = {}
    seen: dict[str, int] = defaultdict(int)
    parts = re.split(r"(?m)^#\d+/([pu]) ", text)
    assert len(parts) > 1000, f"no output of test_verifier: {text[-1000:]}"
    for side, body in zip(parts[1::2], parts[2::2], strict=True):
        if side == "u":  # unprivileged loads: for none, natively or here
            continue
        body = body.split("\nSummary:")[0]
        name = NAME_END.split(body.split("\n")[0])[0].strip()
        seen[name] += 1
        if seen[name] > 1:
            name += f" [{seen[name]}]"
        load = re.search(r"\{load \d+ (\d+)\}", body)
        accepted = load[1] == "0" if load else None
        if "{violation" in body:
            outcome = "broken"
        elif re.search(r"(?m)OK$", body) and "FAIL" not in body:
            outcome = "ok"
        elif "SKIP (" in body:
            outcome = "skip"
        else:
            outcome = outcome_of(body, accepted)
        why = next((match.expand(reason) for pattern, reason in REASONS if (match := re.search(pattern, body))), "")
        cases[name] = Case(name, outcome, accepted, why)
    return cases


Groups = dict[str, dict[str, list[str]]]


def differences(cases: dict[str, Case], known: dict[str, str]) -> Groups:
    """How -> why -> cases, of those that are not as on Linux 6.1. @known: reasons that the output does not tell, by case."""
    groups: Groups = defaultdict(lambda: defaultdict(list))
    for case in cases.values():
        if case.outcome != "ok":
            groups[case.outcome][known.get(case.name) or case.why or "?"].append(case.name)
    return {how: dict(sorted(whys.items())) for how, whys in sorted(groups.items())}


def figures(groups: Groups, cases: dict[str, Case]) -> str:
    """One line for a report."""
    counts = {how: sum(map(len, whys.values())) for how, whys in groups.items()}
    return f"{len(cases)} cases, as on Linux 6.1 {len(cases) - sum(counts.values())}" + "".join(
        f", {how} {count}" for how, count in counts.items()
    )


LIST = HERE / "verifier_differences.json"


def main(arguments: list[str]) -> None:
    """WHERE [OUTPUT-FILE]: writes the differences found there ("user space" is run) into the list, for review with git diff."""
    where = arguments[0]
    text = Path(arguments[1]).read_text(errors="replace") if len(arguments) > 1 else run_offline()
    listed = json.loads(LIST.read_text())
    cases = read(text)
    listed[where] = differences(cases, listed["reasons"])
    LIST.write_text(json.dumps(listed, indent=1, ensure_ascii=False) + "\n")
    print(figures(listed[where], cases))


if __name__ == "__main__":
    main(sys.argv[1:])
