# SPDX-License-Identifier: MIT
"""
What became of each mutant, kept in tests/proof/fates.json, which is committed: a run of all goes on where the last one stopped,
on whatever machine that was, and does again only what a change to the C or to the proofs concerns. `python -m proof.fates
[SECONDS]` in tests/ works through those not known yet, in an order of chance, and tells how things stand.
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
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from proof import csource
from proof.mutants import Mutant, compare, explained, killed_by, mutants, obligations, says_the_same, text
from proof.prove import Obligation

RECORD = Path(__file__).with_name("fates.json")
# What a fate follows from, beside the C: how it is read, translated, and what is claimed of it.
RULES = ("cvalue", "csource", "lemmas", "mutants", "obligations", "obligations_ops", "prove", "run", "spec", "translate")


@dataclass(frozen=True)
class Fate:
    """Of a mutant: "killed" by an obligation, "same text" (once translated), "equivalent", "knows less" or "differs"."""

    name: str
    fate: str
    killer: str
    basis: str  # basis_of()
    seconds: float


@functools.cache
def rules() -> str:
    folder = Path(__file__).parent
    return hashlib.blake2b(b"".join((folder / f"{name}.py").read_bytes() for name in RULES)).hexdigest()


@functools.cache
def followed_by(name: str) -> frozenset[str]:
    """The functions that the obligation of that name follows."""
    every: dict[str, Obligation] = {one.name: one for found in obligations().values() for one in found}
    return frozenset(every[name].build(csource.load()).machine.followed)


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
    every = {one.name for found in obligations().values() for one in found}
    held = {}
    for mutant in mutants():
        one = kept.get(mutant.name)
        if one and (not one.killer or one.killer in every) and one.basis == basis_of(mutant, one.killer):
            held[mutant.name] = one
    return held


def find(mutant: Mutant) -> Fate:
    """Tries it."""
    begin = time.process_time()
    same = says_the_same(mutant)
    reason = None if same else killed_by(mutant)
    killer = next((one.name for one in obligations()[mutant.function] if reason and reason.startswith(f"{one.name}: ")), "")
    fate = "same text" if same else "killed" if reason else compare(mutant)
    return Fate(mutant.name, fate, killer, basis_of(mutant, killer), round(time.process_time() - begin, 1))


def fates(chosen: Iterable[Mutant], seconds: float | None = None) -> dict[str, Fate]:
    """Of those mutants, from what is kept or found now, and kept; with @seconds only as many as can be begun in that time."""
    held, end = known(), None if seconds is None else time.monotonic() + seconds
    found = {}
    for mutant in chosen:
        if mutant.name in held:
            found[mutant.name] = held[mutant.name]
        elif end is None or time.monotonic() < end:
            found[mutant.name] = find(mutant)
            keep([found[mutant.name]])
    return found


def unexplained(found: dict[str, Fate]) -> list[str]:
    """Those that no proof noticed, and that neither are equivalent nor only know less."""
    return [name for name, one in found.items() if one.fate == "differs" and not explained().get(name)]


def main(arguments: list[str]) -> int:
    every = mutants()
    random.Random(9669).shuffle(every)
    found = fates(every, float(arguments[0]) if arguments else None)
    counts = Counter(one.fate for one in found.values())
    told = ", ".join(f"{fate} {count}" for fate, count in counts.most_common())
    print(f"{len(found)} of {len(every)} mutants: {told}; {sum(one.seconds for one in found.values()):.0f} s of CPU")
    for one in sorted(found.values(), key=lambda one: (one.fate, one.name)):
        if one.fate != "killed":
            print(f"{one.fate}: {one.name}")
    return bool(unexplained(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
