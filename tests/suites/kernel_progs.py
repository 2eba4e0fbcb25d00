# SPDX-License-Identifier: MIT
"""The BPF programs of the kernel's selftests (tools/testing/selftests/bpf/progs), out of Debian's package linux-source-6.1:
compiled unmodified with clang under build/, each loaded by itself with libbpf (load_objects.c) against the user-space verifier
or in a machine, and what became of each compared with what Linux 6.1 itself made of it.

As a script: `native` boots Debian's kernel and writes progs_native.json; `list WHERE [OUTPUT]` writes the differences found
there ("user space", or a kernel, which is booted unless the loader's output is given) into progs_differences.json, for review
with git diff; of a run that is not over in time nothing is written. `table [NATIVE-OUTPUT OUR-OUTPUT]` boots Debian's once
more, loads the scale tests natively and through the module in turn, and writes docs/verifier.md."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import kernel_verifier as suite

from vm.machine import VM
from vm.paths import BUILD, REPO, locked

HERE = Path(__file__).resolve().parent
OUT = BUILD / "suites"
OBJECTS = OUT / "progs"
PROGS = f"{suite.TREE}/{suite.TESTS}"
WANTED = [f"{suite.TESTS}/progs", f"{suite.TESTS}/*.h", "tools/include"]
# Programs of other types cannot be loaded, and are not counted.
TYPES = {
    1: "socket_filter", 2: "kprobe", 3: "sched_cls", 5: "tracepoint", 6: "xdp", 7: "perf_event", 8: "cgroup_skb",
    9: "cgroup_sock", 17: "raw_tracepoint", 24: "raw_tracepoint_writable", 26: "tracing",
}  # fmt: skip
NO_INLINE = {"test_l4lb_noinline", "test_xdp_noinline"}  # as the kernel's Makefile compiles them
COMPILE_SECONDS = 60  # of one file: it is left out beyond
SCALE = re.compile(r"(loop\d|pyperf|strobemeta|test_verif_scale|test_xdp_loop|profiler|test_cls_redirect)")


def compile_all() -> list[Path]:
    """The object files; those that this clang cannot compile are left out."""
    with locked("suites"):
        version = subprocess.run(["clang", "--version"], capture_output=True, text=True, check=True).stdout
        stamp, wanted = OUT / "progs.stamp", f"{suite.SOURCE.stat().st_size} {suite.SOURCE.stat().st_mtime_ns} {version}"
        if not stamp.exists() or stamp.read_text() != wanted:
            OUT.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(OBJECTS, ignore_errors=True)
            OBJECTS.mkdir()
            names = [f"linux-source-6.1/{name}" for name in WANTED]
            subprocess.run(["tar", "-xJf", suite.SOURCE, "-C", OUT, "--wildcards", *names], check=True)
            btf = suite.debian_btf_unlocked()
            types = subprocess.run(["bpftool", "btf", "dump", "file", btf, "format", "c"], capture_output=True, check=True).stdout
            (Path(PROGS) / "vmlinux.h").write_bytes(types)
            for source in sorted(Path(PROGS, "progs").glob("*.c")):
                _compile(source)
            stamp.write_text(wanted)
    return sorted(OBJECTS.glob("*.o"))


def _compile(source: Path) -> None:
    target = OBJECTS / f"{source.stem}.bpf.o"
    include = [f"-I{PROGS}", f"-I{suite.TREE}/tools/include/uapi", "-idirafter", "/usr/include/x86_64-linux-gnu"]
    flags = ["-g", "-O2", "-target", "bpf", "-mcpu=v3", "-D__TARGET_ARCH_x86", "-mlittle-endian", "-DENABLE_ATOMICS_TESTS", "-w"]
    if source.stem in NO_INLINE:
        flags.append("-fno-inline")
    try:
        command = ["clang", *flags, *include, "-c", source, "-o", target]
        subprocess.run(command, cwd=PROGS, capture_output=True, timeout=COMPILE_SECONDS, check=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        target.unlink(missing_ok=True)


def loader() -> Path:
    with locked("suites"):
        target, source = OUT / "load_objects", HERE / "load_objects.c"
        if suite.newer(target, source):
            OUT.mkdir(parents=True, exist_ok=True)
            subprocess.run(["gcc", "-O1", "-Wall", "-o", target, source, "-lbpf", "-lpthread"], check=True)
    return target


def run_offline(objects: list[Path]) -> str:
    """What the loader prints when the user-space library answers it."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    def more_files() -> None:
        # the library's descriptors take the first thousand
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limit), limit))

    environment = {**os.environ, "LD_PRELOAD": str(suite.offline_library()), "OFFLINE_BTF": str(suite.debian_btf())}
    done = subprocess.run(
        [loader(), *objects], env=environment, capture_output=True, errors="replace", timeout=1200, preexec_fn=more_files
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return whole(done.stdout)


# -- what it printed --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Load:
    """What became of one program."""

    type: int
    error: int  # errno; -1: it did not come to the verifier
    insns: int
    states: int
    peak: int
    usec: int
    memory: int  # kB
    section: str
    why: str


_NOISE = re.compile(
    r"verification time|stack depth|processed \d|\d+: \(|;|from \d|\d+: R|func#|math between|.*last_idx|.*regs=|-- |$"
    r"|libbpf: (?:failed to (?:load object|perform CO-RE)|prog .*(?:failed to (?:load|prepare load|relocate)|load failed)|-- )"
)


def read(text: str) -> dict[str, Load]:
    """The programs of an output, as "object:program"."""
    found = {}
    row = r"(?ms)^@ (\S+)\.bpf\.o (\S+) (\S+) (\d+) (-?\d+) (-?\d+) (-?\d+) (-?\d+) (-?\d+) (-?\d+) \d+\n(.*?)\n?@end$"
    for match in re.finditer(row, text):
        name, program, section, log = match[1], match[2], match[3], match[11]
        numbers = [int(part) for part in match.groups()[3:10]]
        took = re.search(r"verification time (\d+) usec", log)
        numbers[5] = int(took[1]) if took else numbers[5]
        said = [line for line in log.splitlines() if not _NOISE.match(line)]
        found[f"{name}:{program}"] = Load(*numbers, section, said[-1].strip() if said and numbers[1] else "")
    assert len(found) > 20, f"no output of the loader: {text[-1000:]}"
    return found


NATIVE = HERE / "progs_native.json"
LIST = HERE / "progs_differences.json"


def native() -> dict[str, tuple[int, int, int]]:
    """Of the programs of our types that come to the verifier on Linux 6.1: type, errno, instructions."""
    return {name: tuple(row) for name, row in json.loads(NATIVE.read_text()).items()}


def write_native(loads: dict[str, Load]) -> None:
    rows = {name: [load.type, load.error, load.insns] for name, load in loads.items() if load.type in TYPES and load.error >= 0}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(row)}" for name, row in sorted(rows.items()))
    replace(NATIVE, "{\n" + lines + "\n}\n")


REASONS = [
    (r"extern \(func ksym\) '(\w+)'", r"the kernel has no function \1"),
    (r"(?:calling|invalid) kernel function", "the kernel function that it calls is not offered"),
    (r"unknown func (bpf_\w+)#", r"\1 is not offered"),
    (r"map 'server_map' is referenced but wasn't created", "a map is pinned, and user space has no paths that hold objects"),
    (r"map '(\w+)' is referenced but wasn't created", r"the map \1 cannot be made here"),
    (r"failed to find the address for kernel symbol|extern '__per_cpu_start'", "an address of the kernel is not known here"),
    (r"extern '(CONFIG_\w+)' \(strong\)", r"the kernel's configuration has no \1"),
    (r"extern '(\w+)' \(strong\)", r"the kernel has no symbol \1"),
    (r"extern \(var ksym\) '(\w+)': not found", r"the kernel's BTF has no variable \1"),
    (r"failed to find kernel BTF type ID of '(\w+)'", r"the kernel has no \1 to attach to"),
    (r"kernel BTF|vmlinux BTF", "the kernel's BTF lacks what it names"),
    (r"failed to resolve CO-RE relocation <\w+> \[\d+\] (?:\w+ )?(\S+)", r"the kernel has no \1 as the program reads it"),
    (r"relocation decision ambiguity", "the kernel has several types of a name that it asks for"),
    (r"failed to open system Kconfig", "the kernel's configuration is not at hand in its machine"),
]


def reason(name: str, load: Load, known: dict[str, str]) -> str:
    """What was seen goes before what is known: of one that came to no end nothing is to be seen."""
    if load.section.startswith("iter") and "failed to find kernel BTF type ID" in load.why:
        return f"there is no iterator {load.section.split('/')[-1]}"
    told = next((match.expand(text) for pattern, text in REASONS if (match := re.search(pattern, load.why))), "")
    return told or (known.get(name) if load.error == errno.E2BIG else "") or load.why or "?"


MOST = 1.1  # times the instructions that Linux processes
Groups = dict[str, dict[str, list[str]]]


def differences(ours: dict[str, Load], known: dict[str, str]) -> Groups:
    """How -> why -> programs, of those that came out otherwise than on Linux 6.1. @known: reasons that no output tells."""
    groups: Groups = defaultdict(lambda: defaultdict(list))
    for name, (_, error, insns) in native().items():
        load = ours.get(name)
        if load is None:
            groups["absent"]["the object cannot be opened here"].append(name)
        elif not error and load.error:
            groups["stricter"][reason(name, load, known)].append(name)
        elif error and not load.error:
            groups["looser"][known.get(name, "?")].append(name)
        elif not error and load.insns > MOST * insns:
            groups["more instructions"][known.get(name, "?")].append(name)
    return {how: {why: sorted(names) for why, names in sorted(whys.items())} for how, whys in sorted(groups.items())}


def figures(groups: Groups) -> str:
    """One line for a report."""
    loaded = [name for name, row in native().items() if not row[1]]
    refused = sum(map(len, groups.get("stricter", {}).values())) + sum(map(len, groups.get("absent", {}).values()))
    rest = {how: sum(map(len, whys.values())) for how, whys in groups.items() if how in ("looser", "more instructions")}
    return f"{len(native())} programs; of {len(loaded)} that Linux 6.1 loads {len(loaded) - refused} are loaded" + "".join(
        f", {how} {count}" for how, count in rest.items()
    )


# -- as a script ------------------------------------------------------------------------------------------------------

LIMIT = 1200  # seconds for one side


def whole(text: str) -> str:
    """@text, if the loader came to its end: no list is made of less."""
    assert text.endswith("\n@whole\n"), f"the output breaks off: {text[-300:]}"
    return text


def replace(path: Path, text: str) -> None:
    """Writes a file in one step."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def in_machine(vm: VM, is_native: bool, objects: list[Path], timeout: float = LIMIT) -> str:
    """What the loader prints in a machine, with a file system for objects where libbpf pins maps, as an administrator mounts
    it: in a namespace of its own, so that it goes with the loader. That is killed, and TimeoutError raised, when the time is
    over."""
    mount = 'mount -t bpf none /sys/fs/bpf && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", mount, "sh", str(loader()), *map(str, objects)]
    done = vm.run(command if is_native else ["bpfcompat", "run", "--", *command], native=is_native, timeout=timeout)
    assert done.returncode == 0, done.stderr[-2000:]
    return whole(done.stdout)


def list_of(where: str, objects: list[Path]) -> str:
    """What the loader prints in user space, or on the kernel of that name."""
    if where == "user space":
        return run_offline(objects)
    with VM(where) as vm:
        return in_machine(vm, False, objects)


HEAD = """# The verifier against Linux 6.1's

Written by `tests/suites/kernel_progs.py table`; not edited by hand.
Commit {commit}.

The large programs of the kernel's own selftests
(linux-source-6.1, tools/testing/selftests/bpf/progs, compiled by {clang}), each loaded natively and through the module on
Debian's 6.1, on one CPU under emulation that counts instructions (`icount`), so that times compare. Memory: what the
machine's free memory fell by while the program was loaded, seen every 5 ms, the code of the loaded program included; under
1 MB it is mostly noise.

| program | instructions, Linux | ours | times | ms, Linux | ours | times | MB, Linux | ours | states at most, Linux | ours |
|---|---|---|---|---|---|---|---|---|---|---|
"""

TAIL = """
A program that is refused for an unknown function calls a helper that the module does not offer; `bpfcompat check` and the list
for user space go without such limits. Callbacks are walked until nothing new comes of them, where 6.1 walks them once: that is
what the two bpf_loop programs differ by.

No program of an unprivileged user is taken, so that the sanitation of speculative execution, which is for theirs alone, is not
there. What is not as on Linux, program by program and with reasons: progs_differences.json and verifier_differences.json in
tests/suites.
"""


def _row(name: str, theirs: Load, ours: Load) -> str:
    if theirs.error:
        return ""
    their_ms, their_mb = f"{theirs.usec / 1000:.0f}", f"{theirs.memory / 1024:.1f}"
    if ours.error:
        cells = [theirs.insns, f"refused: {ours.why[:60]}", "", their_ms, "", "", their_mb, "", theirs.peak, ""]
    else:
        insns, took = ours.insns / theirs.insns, ours.usec / max(theirs.usec, 1)
        cells = [theirs.insns, ours.insns, f"{insns:.2f}", their_ms, f"{ours.usec / 1000:.0f}", f"{took:.2f}"]
        cells += [their_mb, f"{ours.memory / 1024:.1f}", theirs.peak, ours.peak]
    return f"| {name} | " + " | ".join(map(str, cells)) + " |\n"


def write_table(theirs: dict[str, Load], ours: dict[str, Load]) -> None:
    clang = subprocess.run(["clang", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    rows = [_row(name, load, ours[name]) for name, load in theirs.items() if name in ours and load.type in TYPES]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=REPO, capture_output=True, text=True).stdout.strip()
    text = HEAD.format(clang=clang, commit=commit) + "".join(rows)
    wanted = [name for name, load in theirs.items() if not load.error and load.type in TYPES]
    loaded = [name for name in wanted if name in ours and not ours[name].error]
    insns, usec = [[sum(getattr(side[n], what) for n in loaded) for side in (theirs, ours)] for what in ("insns", "usec")]
    missing = [name for name in wanted if name not in ours]
    text += f"\nNot in this run: {', '.join(missing)}.\n" if missing else ""
    seconds = [f"{part / 1e6:.1f} s" for part in usec]
    text += f"\nAltogether: {insns[0]} instructions on Linux and {insns[1]} here, in {seconds[0]} and {seconds[1]}.\n"
    (REPO / "docs/verifier.md").write_text(text + TAIL)


def main(arguments: list[str]) -> None:
    objects = compile_all()
    if arguments[0] == "native":
        with VM("debian-6.1", module=False, icount=True, memory="2G", cpus=1) as vm:
            write_native(read(in_machine(vm, True, objects)))
    elif arguments[0] == "list":
        given = [Path(path).read_text(errors="replace") for path in arguments[2:]]
        text = whole(given[0]) if given else list_of(arguments[1], objects)
        listed = json.loads(LIST.read_text()) if LIST.exists() else {"reasons": {}}
        listed[arguments[1]] = differences(read(text), listed["reasons"])
        replace(LIST, json.dumps(listed, indent=1, ensure_ascii=False) + "\n")
        print(figures(listed[arguments[1]]))
    elif arguments[0] == "table" and len(arguments) == 3:
        sides = [read(Path(path).read_text(errors="replace")) for path in arguments[1:]]
        write_table(*({name: load for name, load in side.items() if SCALE.match(name)} for side in sides))
    elif arguments[0] == "table":
        scale = [path for path in objects if SCALE.match(path.name)]
        with VM("debian-6.1", icount=True, memory="2G", cpus=1) as vm:
            write_table(read(in_machine(vm, True, scale)), read(in_machine(vm, False, scale)))
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
