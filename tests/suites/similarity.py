# SPDX-License-Identifier: MIT
"""How near our C is to the kernel's own: fingerprints of runs of tokens by winnowing (Schleimer, Wilkerson, Aiken: Winnowing,
SIGMOD 2003), as the words stand ("exact") and with every name and number made one ("shape"). Run as a script it lists the shared
runs: PYTHONPATH=. .venv/bin/python tests/suites/similarity.py"""

from __future__ import annotations

import re
import subprocess
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kernel_verifier import OUT, SOURCE

from vm.paths import REPO, locked

WANTED = ["kernel/bpf/*.[ch]", "arch/x86/net/*.c", "net/core/filter.c", "net/bpf/test_run.c", "kernel/trace/*.c",
          "include/linux/tnum.h", "include/linux/bpf*.h", "include/linux/filter.h"]  # fmt: skip
# Kernel code that has nothing to do with BPF, to tell what two bodies of kernel code share anyway.
UNRELATED = ["kernel/trace/trace_events_filter.c", "kernel/trace/trace_events_hist.c", "kernel/trace/ring_buffer.c",
             "kernel/trace/trace_probe.c", "kernel/trace/ftrace.c"]  # fmt: skip
TREE = OUT / "similarity" / "linux-source-6.1"

TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|0[xX][0-9a-fA-F]+\w*|\d[\w.]*|[A-Za-z_]\w*'
    r"|->|\+\+|--|<<=?|>>=?|[<>=!+\-*/%&|^]=|&&|\|\||\.\.\.|[^\s\w]",
    re.S,
)
# Entries of tables, `[NAME] = "text",` and `[NAME] = &thing,`: names and texts are interface.
# Any other text counts as "a string".
NAMED = re.compile(r'\[\s*\w+\s*\]\s*=\s*(?:"(?:\\.|[^"\\])*"|&\w+)\s*,?')
KEYWORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int long register return "
    "short signed sizeof static struct switch typedef union unsigned void volatile while".split()
)


@dataclass(frozen=True)
class Mode:
    """Runs of @length tokens are compared; every run of length + window - 1 is sure to be found."""

    name: str
    length: int
    window: int
    suffixes: tuple[str, ...]  # of the files: prototypes are all of one shape


EXACT = Mode("exact", 16, 8, (".c", ".h"))
SHAPE = Mode("shape", 40, 10, (".c",))


def tokens(text: str, mode: Mode) -> tuple[list[str], list[int]]:
    """The words of a text, and the line of each, without what is no code: comments, #include lines, NAMED entries."""
    words, lines, line, at = [], [], 1, 0
    text = re.sub(r"^[ \t]*#[ \t]*include[^\n]*", "", text, flags=re.M)
    text = NAMED.sub(lambda match: "\n" * match[0].count("\n"), text)
    for match in TOKEN.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        word = match[0]
        if word.startswith(("//", "/*")):
            continue
        if word[0] in "\"'":
            word = "S"
        elif mode is SHAPE and word[0].isdigit():
            word = "N"
        elif mode is SHAPE and (word[0].isalpha() or word[0] == "_") and word not in KEYWORDS:
            word = "I"
        words.append(word)
        lines.append(line)
    return words, lines


def fingerprints(words: Sequence[str], mode: Mode) -> list[tuple[int, int]]:
    """(hash, place) of the runs that winnowing selects: in each window the least, of equal ones the last."""
    hashes = [zlib.crc32(" ".join(words[at : at + mode.length]).encode()) for at in range(len(words) - mode.length + 1)]
    chosen: dict[int, int] = {}
    for start in range(max(len(hashes) - mode.window + 1, min(len(hashes), 1))):
        window = hashes[start : start + mode.window]
        least = min(window)
        place = start + max(at for at, value in enumerate(window) if value == least)
        chosen[place] = least
    return [(value, place) for place, value in sorted(chosen.items())]


@dataclass
class Shared:
    """A run of tokens that stands in both."""

    length: int
    ours: str
    theirs: str


@dataclass
class Report:
    """What a file of ours shares with the corpus."""

    name: str
    total: int = 0
    found: int = 0
    runs: list[Shared] = field(default_factory=list)

    @property
    def share(self) -> float:
        return 100 * self.found / self.total if self.total else 0.0

    @property
    def longest(self) -> int:
        return max((run.length for run in self.runs), default=0)


class Corpus:
    """The texts that ours are compared with."""

    def __init__(self, files: Iterable[Path], mode: Mode) -> None:
        self.mode = mode
        self.texts: dict[str, tuple[list[str], list[int]]] = {}
        self.index: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for path in files:
            if path.suffix not in mode.suffixes:
                continue
            self.texts[path.name] = tokens(path.read_text(errors="replace"), mode)
            for value, place in fingerprints(self.texts[path.name][0], mode):
                self.index[value].append((path.name, place))

    def compare(self, name: str, text: str) -> Report:
        words, lines = tokens(text, self.mode)
        report = Report(name)
        until: dict[tuple[str, int], int] = {}  # file and distance of a run already told -> its end in ours
        for value, place in fingerprints(words, self.mode):
            report.total += 1
            report.found += value in self.index
            for file, there in self.index.get(value, ())[:20]:
                if until.get((file, there - place), -1) >= place:
                    continue
                begin, end = self.extend(words, place, file, there)
                until[file, there - place] = end
                shift, their_lines = there - place, self.texts[file][1]
                place_there = f"{file}:{their_lines[begin + shift]}-{their_lines[end - 1 + shift]}"
                report.runs.append(Shared(end - begin, f"{name}:{lines[begin]}-{lines[end - 1]}", place_there))
        report.runs.sort(key=lambda run: -run.length)
        return report

    def extend(self, words: list[str], place: int, file: str, there: int) -> tuple[int, int]:
        """The whole run about a fingerprint: its begin and end in ours."""
        theirs, begin, end = self.texts[file][0], place, place
        while begin and begin + there - place and words[begin - 1] == theirs[begin - 1 + there - place]:
            begin -= 1
        while end < len(words) and end + there - place < len(theirs) and words[end] == theirs[end + there - place]:
            end += 1
        return begin, end


def unpack() -> Path:
    """The kernel's sources that ours are compared with, out of Debian's package."""
    with locked("similarity"):
        stamp = TREE.parent / "source.stamp"
        wanted = f"{SOURCE.stat().st_size} {SOURCE.stat().st_mtime_ns} {WANTED}"
        if not stamp.exists() or stamp.read_text() != wanted:
            TREE.parent.mkdir(parents=True, exist_ok=True)
            names = [f"linux-source-6.1/{name}" for name in WANTED]
            subprocess.run(["tar", "-xJf", SOURCE, "-C", TREE.parent, "--wildcards", *names], check=True)
            stamp.write_text(wanted)
    return TREE


def theirs() -> list[Path]:
    tree = unpack()
    traces = [tree / "kernel/trace/bpf_trace.c"]
    return sorted(path for name in WANTED if "trace" not in name for path in tree.glob(name)) + traces


def ours() -> list[Path]:
    """verifier/ (without what is user space's), the engines, maps and helpers."""
    folders = ("verifier", "kmod/exec", "kmod/maps", "kmod/helpers", "kmod/bpf", "kmod/attach")
    return sorted(path for folder in folders for path in (REPO / folder).glob("*.[ch]") if not path.name.endswith(".mod.c"))


@dataclass
class Finding:
    """Of all files, by one mode."""

    mode: Mode
    corpus: Corpus
    reports: list[Report]
    background: list[Report]  # of unrelated kernel code

    def share(self, reports: list[Report]) -> float:
        return 100 * sum(report.found for report in reports) / sum(report.total for report in reports)

    @property
    def runs(self) -> list[Shared]:
        return sorted((run for report in self.reports for run in report.runs), key=lambda run: -run.length)

    def __str__(self) -> str:
        worst = max(self.reports, key=lambda report: report.share if report.total >= 50 else 0)
        return (
            f"{self.mode.name}: {self.share(self.reports):.2f}% of {sum(report.total for report in self.reports)} fingerprints "
            f"(unrelated kernel code {self.share(self.background):.2f}%), most in {worst.name} {worst.share:.1f}%, "
            f"longest run {self.runs[0].length if self.runs else 0} tokens"
        )


def measure(mode: Mode) -> Finding:
    corpus = Corpus(theirs(), mode)
    files = [path for path in ours() if path.suffix in mode.suffixes]
    reports = [corpus.compare(str(path.relative_to(REPO)), path.read_text()) for path in files]
    return Finding(mode, corpus, reports, [corpus.compare(name, (TREE / name).read_text()) for name in UNRELATED])


def main() -> None:
    for mode in (EXACT, SHAPE):
        finding = measure(mode)
        print(finding)
        for report in sorted(finding.reports, key=lambda report: -report.share)[:12]:
            print(f"  {report.share:5.1f}% of {report.total:4d}, longest {report.longest:3d}  {report.name}")
        for run in finding.runs[:20]:
            print(f"  {run.length} tokens: {run.ours} ~ {run.theirs}")


if __name__ == "__main__":
    main()
