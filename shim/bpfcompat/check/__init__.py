# SPDX-License-Identifier: MIT
"""`bpfcompat check`: verifies the programs of an object file by the verifier in user space. It needs no module, no root and no
libbpf: the packages bpfcompat_verifier (verifier/user), cffi and pyelftools."""

import argparse
import re
import sys
import time
from typing import Any, List, Optional, Tuple

from bpfcompat.btf import blob
from bpfcompat.check import core, kconfig, maps
from bpfcompat.check.link import Linker, LinkError, Loadable
from bpfcompat.check.object import Object, ObjectError
from bpfcompat.check.sections import TYPE, TYPES, Section, parse
from bpfcompat.check.types import Types

RUNNING_BTF = "/sys/kernel/btf/vmlinux"
LOG_BYTES = 1 << 26
STATS = 4


class Checker:
    """Verifies programs of one object for one kernel."""

    def __init__(self, package: Any, obj: Object, btf: Optional[bytes], kernel: kconfig.Kernel) -> None:
        self.package, self.obj, self.btf = package, obj, btf
        self.kernel_types = Types(blob.Blob(btf)) if btf else None
        self.linker = Linker(obj, self.kernel_types, kernel)
        self.defs = self.linker.map_defs()

    def target(self, section: Section) -> int:
        """The kernel's type of what a program attaches to."""
        if not section.target_kind:
            return 0
        if not section.target:
            raise LinkError("its section does not say what it attaches to")
        kind = blob.TYPEDEF if section.target_kind == "typedef" else blob.FUNC
        found = self.kernel_types.find(kind, section.target) if self.kernel_types else 0
        if not found:
            what = "the kernel's types are not known (--btf)" if not self.kernel_types else "not in the kernel's types"
            raise LinkError("{}, which it attaches to: {}".format(section.target, what))
        return found

    def _make_map(self, world: Any, found: maps.MapDef, btf_fd: int) -> int:
        has_type = found.value_type and btf_fd >= 0
        fd = world.map(
            found.type,
            found.key_size,
            found.value_size,
            found.max_entries,
            found.flags,
            btf_fd if has_type else -1,
            found.value_type,
        )
        if found.inner is not None:
            world.set_inner(fd, self._make_map(world, found.inner, btf_fd))
        if found.data:
            world.update(fd, bytes(4), found.data)
        if found.constant:
            world.freeze(fd)
        return int(fd)

    def check(self, world: Any, program: Loadable, section: Section, log_level: int) -> Tuple[Any, float]:
        """The verifier's words on one program, and the seconds it took."""
        target = self.target(section)
        func_info, line_info = (program.func_info, program.line_info) if self.btf_fd >= 0 else (b"", b"")
        started = time.perf_counter()
        verdict = world.load(
            program.code, section.type, attach_type=section.attach, attach_btf_id=target, flags=section.flags, gpl=self.obj.gpl,
            log_level=log_level or 1, log_size=LOG_BYTES, btf_fd=self.btf_fd, func_info=func_info, line_info=line_info,
        )  # fmt: skip
        return verdict, time.perf_counter() - started

    def open(self, world: Any) -> None:
        """Puts the object's types and maps into a world."""
        world.allow_all_helpers()
        if self.btf:
            fd, words = world.btf(self.btf, kernel=True)
            if fd < 0:
                raise LinkError("the kernel's types are malformed: {}".format(words.strip() or fd))
        self.btf_fd = -1
        if self.obj.blob is not None:
            self.btf_fd, words = world.btf(self.obj.blob.pack())
            if self.btf_fd < 0:
                raise LinkError("the object's types are refused: {}".format(words.strip() or self.btf_fd))
        fds = {}  # type: Dict[str, int]
        for found in self.defs:
            try:
                fds[found.name] = self._make_map(world, found, self.btf_fd)
            except OSError as error:
                raise LinkError("map {} cannot be made: {}".format(found.name, error.strerror))
        self.linker.set_maps(fds)


def _section_of(name: str, wanted: Optional[str]) -> Section:
    if wanted:
        return Section(TYPE[wanted])
    found = parse(name)
    if found is None:
        raise LinkError("section {} tells no program type (--type)".format(name))
    return found


def _explain(log: str, notes: List[str]) -> str:
    """The verifier's last words, without its statistics."""
    lines = [
        line for line in log.splitlines() if line and not re.match(r"processed \d|verification time|stack depth|\d+: \(", line)
    ]
    words = lines[-1] if lines else "refused without a word"
    if str(core.POISON) in words:
        words = "it uses what the kernel's types do not have" + (": " + notes[0] if notes else "")
    return words


def _kernel(options: argparse.Namespace) -> Tuple[Optional[bytes], kconfig.Kernel]:
    """The kernel's types and configuration as the command line has them."""
    running = kconfig.running() if options.btf in (None, RUNNING_BTF) else kconfig.Kernel("6.1.0", {})
    btf = None
    if options.btf != "none":
        try:
            with open(options.btf or RUNNING_BTF, "rb") as file:
                btf = file.read()
        except OSError:
            if options.btf:
                raise
            sys.stderr.write("bpfcompat check: this kernel shows no types: programs that need them will be refused (--btf)\n")
    config = kconfig.read(options.kconfig) if options.kconfig else running.config
    return btf, kconfig.Kernel(options.release or running.release, config)


def _parser() -> argparse.ArgumentParser:
    about = "Verifies each program of an object file, here and now, as the module would on the kernel with these types."
    parser = argparse.ArgumentParser(prog="bpfcompat check", description=about)
    parser.add_argument("file", metavar="FILE.o")
    parser.add_argument("--btf", metavar="FILE", help="the kernel's types (default: this kernel's; `none`: go without)")
    parser.add_argument("--kconfig", metavar="FILE", help="the kernel's configuration, for __kconfig variables")
    parser.add_argument("--release", metavar="X.Y.Z", help="the kernel's release, for LINUX_KERNEL_VERSION")
    parser.add_argument("--program", action="append", metavar="NAME", help="only this one (repeatable)")
    parser.add_argument("--type", choices=TYPES[1:], help="of programs, whatever their sections' names say", metavar="TYPE")
    parser.add_argument(
        "--log-level",
        type=int,
        choices=range(8),
        default=0,
        metavar="0-7",
        help="print the verifier's log: 1 of a rejection, 2 all, 4 the statistics",
    )
    return parser


def main(argv: List[str]) -> int:
    options = _parser().parse_args(argv)
    from bpfcompat.exec import verifier

    try:
        btf, kernel = _kernel(options)
        obj = Object(options.file)
        wanted = [f for f in obj.programs() if not options.program or f.name in options.program]
        missing = set(options.program or []) - {function.name for function in wanted}
        if missing or not wanted:
            raise ObjectError("no program named {} in it".format(", ".join(sorted(missing))) if missing else "no program in it")
        checker = Checker(verifier(), obj, btf, kernel)
        refused = 0
        with checker.package.World() as world:
            checker.open(world)
            for function in wanted:
                refused += not _report(checker, world, function, options)
    except ImportError as error:
        sys.stderr.write("bpfcompat check: {}: it needs verifier/user, cffi and a C compiler\n".format(error))
        return 2
    except (ObjectError, LinkError, blob.BtfError, OSError) as error:
        sys.stderr.write("bpfcompat check: {}: {}\n".format(options.file, error))
        return 2
    print("{} of {} programs accepted".format(len(wanted) - refused, len(wanted)))
    return 1 if refused else 0


def _report(checker: Checker, world: Any, function: Any, options: argparse.Namespace) -> bool:
    """Verifies one program, prints what came of it; was it accepted?"""
    label = "{} ({})".format(function.name, function.section)
    try:
        section = _section_of(function.section, options.type)
        verdict, seconds = checker.check(world, checker.linker.link(function), section, options.log_level)
    except LinkError as error:
        print("{}: not loadable: {}".format(label, error))
        return False
    stats = verdict.stats
    figures = "{} instructions processed, {} states at most, {} in all, {:.3f} s".format(
        stats["verified_insns"], stats["peak_states"], stats["total_states"], seconds
    )
    if verdict.ok:
        print("{}: accepted: {}".format(label, figures))
    elif not verdict.log.strip():
        print("{}: rejected ({}): programs of type {} are not offered".format(label, verdict.error, TYPES[section.type]))
    else:
        print("{}: rejected ({}): {}; {}".format(label, verdict.error, _explain(verdict.log, checker.linker.notes), figures))
    if options.log_level:
        sys.stdout.write(verdict.log)
    return bool(verdict.ok)
