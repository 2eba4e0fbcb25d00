# SPDX-License-Identifier: MIT
"""Tries one seed's program: verifies it with and without pruning, runs what is accepted on several inputs, and notes
what must not be. Run as a script it goes on for as long as it is told to."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

from fuzz import gen
from program_world import Stage
from verifier_lib import Verdict, World

RUNS = 6
LIMIT = 20_000  # instructions to verify: some programs' callbacks are walked as long as one lets them
FATAL = ("BUG", "verifier internal error", "REG INVARIANTS")


@dataclass
class Tally:
    """What came of the seeds tried so far."""

    accepted: int = 0
    refused: int = 0
    insns_checked: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    # Accepted with pruning, refused without: a state was taken as covered by one that is narrower.
    pruned_only: list[str] = field(default_factory=list)


def run_all(world: World, stage: Stage, verdict: Verdict, seed: int, tally: Tally, kind: str) -> None:
    array = next(fd for name, fd in stage.fds.items() if name == "array")
    for index in range(RUNS):
        world.update(array, bytes(4), gen.values(seed * 1000 + index))
        packet = bytes(range(64))[: (64, 0, 1, 14, 40, 63)[index % 6]]
        result = world.run(verdict.fd, packet=packet, seed=seed * 77 + index, max_insns=200_000)
        tally.insns_checked += result.insns
        bad = result.mem_violations or result.state_violations or result.ref_leaks or result.overflows
        if bad or result.timed_out:
            tally.problems.append(f"seed {seed} ({kind}), run {index}: {result.message or result}")
            return


def features_of(seed: int) -> frozenset[str]:
    """Each seed uses a few of what programs may use."""
    names = sorted(gen.EVERYTHING)
    return frozenset(name for bit, name in enumerate(names) if seed >> bit & 1)


def try_seed(seed: int, tally: Tally) -> None:
    """Adds what became of @seed to @tally."""
    case = gen.make(seed, features_of(seed))
    with World() as world:
        stage = Stage(world)
        pruned = stage.load(case, log_level=0, max_verified=LIMIT)
        # Callbacks are walked until nothing new comes of it: without pruning that never ends.
        walked = pruned if case.func_starts else stage.load(case, record=True, no_prune=True, log_level=0,
                                                              max_verified=LIMIT)
        for verdict in (walked, pruned):
            if verdict.error in ("EFAULT", "ENOMEM"):
                tally.problems.append(f"seed {seed}: {verdict.error}\n{stage.load(case).log[-3000:]}")
        if walked.ok and not pruned.ok and walked.error != "E2BIG":
            tally.problems.append(f"seed {seed}: refused with pruning only: {stage.load(case).log[-3000:]}")
        if pruned.ok and not walked.ok and walked.error != "E2BIG":
            log = stage.load(case, no_prune=True).log
            tally.pruned_only.append(f"seed {seed}: refused without pruning only: {log[-3000:]}")
        if not pruned.ok:
            tally.refused += 1
            tally.errors[pruned.error] = tally.errors.get(pruned.error, 0) + 1
            return
        tally.accepted += 1
        if walked.ok and walked is not pruned:
            run_all(world, stage, walked, seed, tally, "every path")
        run_all(world, stage, pruned, seed, tally, "pruned")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    tally, seed, end = Tally(), options.start, time.monotonic() + options.seconds
    while time.monotonic() < end and len(tally.problems) < 5:
        try_seed(seed, tally)
        seed += 1
    print(f"seeds {options.start}..{seed - 1}: {tally.accepted} accepted, {tally.refused} refused {tally.errors}, "
          f"{tally.insns_checked} instructions checked, {len(tally.pruned_only)} by pruning only")
    for problem in [*tally.problems, *tally.pruned_only[:2]]:
        print(problem)
    sys.exit(bool(tally.problems))


if __name__ == "__main__":
    main()
