# SPDX-License-Identifier: MIT
"""
What became of each mutant, kept in tests/proof/fates.json, which is committed: a run of all goes on where the last one stopped,
on whatever machine that was, and does again only what a change to the C or to the proofs concerns. `python -m proof.fates
[SECONDS [PART/PARTS]]` in tests/ works through those not known yet, and tells how things stand.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from proof import csource
from proof.judge import SEED, Judge, every, followers, obligations
from proof.mutants import Mutant, explained, mutants, text

RECORD = Path(__file__).with_name("fates.json")
# What a fate follows from, beside the C: how it is read, translated, and what is claimed of it.
RULES = (
    *(
        "cvalue.py",
        "csource.py",
        "judge.py",
        "lemmas.py",
        "mutants.py",
        "obligations.py",
        "obligations_finds.py",
        "obligations_ops.py",
    ),
    *("prove.py", "run.py", "sampler.h", "sampler.py", "spec.py", "translate.py"),
)


@dataclass(frozen=True)
class Fate:
    """
    Of a mutant: "killed" by an obligation, "same text" (once translated), "equivalent", "knows less"; by arguments of chance
    "knows less, sampled", "no difference found" and "differs"; or "not settled", with the obligation that is neither proven nor
    refuted.
    """

    name: str
    fate: str
    killer: str  # or the obligation that is left open
    basis: str  # basis_of()
    seconds: float

    @property
    def broken(self) -> str:
        return self.killer if self.fate == "killed" else ""


@functools.cache
def rules() -> str:
    folder = Path(__file__).parent
    return hashlib.blake2b(b"".join((folder / name).read_bytes() for name in RULES)).hexdigest()


@functools.cache
def followed_by(name: str) -> frozenset[str]:
    """The functions that the obligation of that name follows."""
    return frozenset(next(one for one in every() if one.name == name).build(csource.load()).machine.followed)


@functools.cache
def written(function: str) -> str:
    return text(csource.load().functions[function])


def basis_of(mutant: Mutant, killer: str) -> str:
    """
    A hash of all that the fate depends on. Of a killed one that is the mutant, and the functions that the obligation which it
    breaks follows; of another what all obligations of its function follow.
    """
    names = [killer] if killer else [one.name for one in obligations()[mutant.function]]
    functions = sorted(frozenset().union(*(followed_by(name) for name in names)) - {mutant.function})
    parts = [rules(), text(mutant.body), *names, *(written(function) for function in functions)]
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


def recorded() -> dict[str, Fate]:
    """All that were kept, of whatever C and rules."""
    rows = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return {name: Fate(name, *row) for name, row in rows.items()}


def keep(found: Iterable[Fate]) -> None:
    """Adds to the record, in place of what it said of the same mutants; what is no mutant any more goes."""
    with Path(__file__).open() as lock:  # parts of a run may be processes of their own
        fcntl.flock(lock, fcntl.LOCK_EX)
        _write(found)


def _write(found: Iterable[Fate]) -> None:
    kept, named = recorded() | {one.name: one for one in found}, {mutant.name for mutant in mutants()}
    rows = [(name, [one.fate, one.killer, one.basis, one.seconds]) for name, one in sorted(kept.items()) if name in named]
    new = RECORD.with_suffix(".new")
    new.write_text("{\n" + ",\n".join(f" {json.dumps(name)}: {json.dumps(row)}" for name, row in rows) + "\n}\n")
    new.replace(RECORD)


def known() -> dict[str, Fate]:
    """The fates kept that still hold."""
    kept = recorded()
    if not kept:
        return {}
    names = {one.name for one in every()}
    held = {}
    for mutant in mutants():
        one = kept.get(mutant.name)
        if one and (not one.broken or one.broken in names) and one.basis == basis_of(mutant, one.broken):
            held[mutant.name] = one
    return held


def find(mutant: Mutant, judge: Judge) -> Fate:
    """Tries it."""
    begin = time.process_time()
    verdict = judge.judge(mutant)
    found = Fate(mutant.name, verdict.fate, verdict.obligation, "", 0.0)
    return replace(found, basis=basis_of(mutant, found.broken), seconds=round(time.process_time() - begin, 1))


def seems_slow(mutant: Mutant, judge: Judge) -> int:
    """For an order: those first that a few arguments break, last those whose proof has some thousand claims."""
    if mutant.function == "bc_tnum_mul":
        return 3
    names = [one.name for one in followers()[mutant.function]]
    if judge.sampler.hunt(judge.places[mutant.name], names, 200, SEED):
        return 0
    return 1 if " compares as " in mutant.name else 2


def fates(chosen: Sequence[Mutant], seconds: float | None = None) -> dict[str, Fate]:
    """Of those mutants, from what is kept or found now, and kept; with @seconds only as many as can be begun in that time."""
    held, end = known(), None if seconds is None else time.monotonic() + seconds
    found = {mutant.name: held[mutant.name] for mutant in chosen if mutant.name in held}
    left = [mutant for mutant in chosen if mutant.name not in held]
    judge = Judge(left) if left and seconds != 0 else None
    for mutant in sorted(left, key=lambda mutant: seems_slow(mutant, judge)) if judge is not None else ():
        if end is not None and time.monotonic() >= end:
            break
        found[mutant.name] = find(mutant, judge)
        keep([found[mutant.name]])
    return found


def unexplained(found: dict[str, Fate]) -> list[str]:
    """Those that no proof noticed, and that neither are equivalent nor only know less; and those of which that is not settled."""
    return [name for name, one in found.items() if one.fate in ("differs", "not settled") and not explained().get(name)]


def main(arguments: list[str]) -> int:
    chosen = list(mutants())
    random.Random(9669).shuffle(chosen)
    part, parts = (int(number) for number in arguments[1].split("/")) if len(arguments) > 1 else (1, 1)
    fates(chosen[part - 1 :: parts], float(arguments[0]) if arguments else None)
    found = known()
    counts = Counter(one.fate for one in found.values())
    told = ", ".join(f"{fate} {count}" for fate, count in counts.most_common())
    print(f"{len(found)} of {len(chosen)} mutants: {told}; {sum(one.seconds for one in found.values()):.0f} s of CPU")
    for one in sorted(found.values(), key=lambda one: (one.fate, one.name)):
        if one.fate != "killed":
            print(f"{one.fate}: {one.name}")
    return bool(unexplained(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
