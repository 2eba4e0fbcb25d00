# SPDX-License-Identifier: MIT
"""The ways to run a program in user space: the interpreter, and generated code with each of the generator's options."""

from __future__ import annotations

from verifier_lib import Run, World, lib

ENGINES = {
    "interp": None,
    "jit": 0,
    "jit-old": lib.BCU_JIT_NO_BMI2,
    "jit-blind": lib.BCU_JIT_BLIND,
    "jit-blind-old": lib.BCU_JIT_BLIND | lib.BCU_JIT_NO_BMI2,
    "jit-far": lib.BCU_JIT_FAR,
    "jit-thunks": lib.BCU_JIT_THUNKS | lib.BCU_JIT_LANDING_PADS,
}


class EngineWorld(World):
    """A world whose programs run by one engine."""

    engine = "interp"

    def __init__(self, engine: str | None = None) -> None:
        super().__init__()
        self.flags = ENGINES[engine or self.engine]
        if self.flags is not None:
            self.jit_flags(self.flags)

    def run(self, prog_fd: int, **options: object) -> Run:  # type: ignore[override]
        return super().run(prog_fd, jit=self.flags is not None, **options)  # type: ignore[arg-type]
