# SPDX-License-Identifier: MIT
"""Runs one seed's programs by the interpreter and by generated code, and compares what they leave: the result, the
context and the maps. Run as a script it goes on for as many programs as it is told to."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

from engines import ENGINES
from fuzz import chains, gen
from fuzz_runner import LIMIT, features_of
from program_world import Stage
from verifier_lib import World

FLAGS = [flags for flags in ENGINES.values() if flags is not None]
RUNS = 3


@dataclass
class Tally:
    """What came of the seeds tried so far."""

    programs: int = 0
    runs: int = 0
    refused: int = 0
    problems: list[str] = field(default_factory=list)


def outcome(world: World, fd: int, array: int | None, values: bytes, **options: object) -> tuple[object, ...]:
    if array is not None:
        world.update(array, bytes(4), values)
    result = world.run(fd, max_insns=1_000_000, **options)  # type: ignore[arg-type]
    after = world.lookup(array, bytes(4), gen.VALUE_SIZE) if array is not None else b""
    return result.retval, result.ctx, after, result.ref_leaks, result.overflows


def try_verified(seed: int, tally: Tally) -> None:
    """A program as the verifier's own fuzzing makes them; those that it accepts."""
    case = gen.make(seed, features_of(seed))
    with World() as world:
        world.jit_flags(FLAGS[seed % len(FLAGS)])
        stage = Stage(world)
        verdict = stage.load(case, log_level=0, max_verified=LIMIT)
        if not verdict.ok:
            tally.refused += 1
            return
        tally.programs += 1
        array = next(fd for name, fd in stage.fds.items() if name == "array")
        for index in range(RUNS):
            values = gen.values(seed * 1000 + index)
            options = {"packet": bytes(range(64))[: (64, 14, 0)[index % 3]], "seed": seed * 77 + index}
            want = outcome(world, verdict.fd, array, values, **options)
            got = outcome(world, verdict.fd, array, values, **options, jit=True)
            tally.runs += 1
            if want != got:
                tally.problems.append(f"verified seed {seed}, run {index}: {got}, not {want}")
                return


def try_chain(seed: int, tally: Tally) -> None:
    """A program that needs no verifier, by generated code of one kind."""
    with World() as world:
        world.jit_flags(FLAGS[seed % len(FLAGS)])
        fd = world.raw(chains.make(seed), 17)
        options = {"ctx": bytes(8 * chains.RESULTS), "seed": seed}
        want = world.run(fd, max_insns=1_000_000, **options)  # type: ignore[arg-type]
        got = world.run(fd, jit=True, **options)  # type: ignore[arg-type]
        tally.programs += 1
        tally.runs += 1
        if want.mem_violations or want.timed_out:
            tally.problems.append(f"chain {seed}: {want.message or want}")
        elif (want.retval, want.ctx) != (got.retval, got.ctx):
            shown = [f"{run.retval:#x} {run.ctx.hex(' ', 8)}" for run in (got, want)]
            tally.problems.append(f"chain {seed}: {shown[0]}\nnot {shown[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=int, default=1_000_000)
    parser.add_argument("--programs", type=int, default=100_000)
    parser.add_argument("--kind", choices=("verified", "chain", "both"), default="both")
    options = parser.parse_args()
    tally, seed, begin = Tally(), options.start, time.monotonic()
    try:
        while tally.programs < options.programs and len(tally.problems) < 5:
            if options.kind != "chain":
                try_verified(seed, tally)
            if options.kind != "verified":
                try_chain(seed, tally)
            seed += 1
    except KeyboardInterrupt:
        pass
    print(f"seeds {options.start}..{seed - 1}: {tally.programs} programs compared in {tally.runs} runs, {tally.refused} refused, "
          f"{len(tally.problems)} differ; {time.monotonic() - begin:.0f} s")
    for problem in tally.problems:
        print(problem)
    sys.exit(bool(tally.problems))


if __name__ == "__main__":
    main()
