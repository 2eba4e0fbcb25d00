# SPDX-License-Identifier: MIT
"""
What became of each mutant, kept in build/proof-mutants.jsonl, so that a run of all goes on where it stopped and does again only
what a change to the C or to the proofs concerns. `python -m proof.fates [SECONDS]` in tests/ works through those not known yet,
in an order of chance, and tells how things stand.
"""

from __future__ import annotations

import functools
import hashlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from proof import csource
from proof.mutants import Mutant, compare, explained, killed_by, mutants, obligations, says_the_same, text
from proof.prove import Obligation
from proof.report import BUILD

CACHE = BUILD / "proof-mutants.jsonl"
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
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def known() -> dict[str, Fate]:
    """The fates kept that still hold."""
    if not CACHE.exists():
        return {}
    kept = {}
    for line in CACHE.read_text().splitlines():
        one = Fate(**json.loads(line))
        kept[one.name] = one
    every = {one.name for found in obligations().values() for one in found}
    held = {}
    for mutant in mutants():
        one = kept.get(mutant.name)
        if one and (not one.killer or one.killer in every) and one.basis == basis_of(mutant, one.killer):
            held[mutant.name] = one
    return held


def find(mutant: Mutant) -> Fate:
    """Tries it, and keeps what came of it."""
    begin = time.process_time()
    same = says_the_same(mutant)
    reason = None if same else killed_by(mutant)
    killer = next((one.name for one in obligations()[mutant.function] if reason and reason.startswith(f"{one.name}: ")), "")
    fate = "same text" if same else "killed" if reason else compare(mutant)
    found = Fate(mutant.name, fate, killer, basis_of(mutant, killer), round(time.process_time() - begin, 1))
    CACHE.parent.mkdir(exist_ok=True)
    with CACHE.open("a") as file:
        file.write(json.dumps(asdict(found)) + "\n")
    return found


def fates(chosen: Iterable[Mutant], seconds: float | None = None) -> dict[str, Fate]:
    """Of those mutants, from what is kept or found now; with @seconds only as many as can be begun in that time."""
    held, end = known(), None if seconds is None else time.monotonic() + seconds
    found = {}
    for mutant in chosen:
        if mutant.name in held:
            found[mutant.name] = held[mutant.name]
        elif end is None or time.monotonic() < end:
            found[mutant.name] = find(mutant)
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
