# SPDX-License-Identifier: MIT
"""Program cases (tests/programs) in the user-space verifier's world."""

from __future__ import annotations

from programs.case import BY_NAME, Case, MapSpec
from verifier_lib import Verdict, World


class Stage:
    """A world in which a case's maps are made as it asks for them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.fds: dict[str, int] = {}

    def fd_of(self, spec: MapSpec) -> int:
        if spec.name not in self.fds:
            btf_fd, value = -1, 0
            types = spec.value_btf()
            if types:
                blob, _, value = types
                btf_fd, log = self.world.btf(blob)
                assert btf_fd >= 0, log
            fd = self.world.map(spec.type, spec.key, spec.value, spec.entries, spec.flags, btf_fd, value)
            if spec.inner:
                self.world.set_inner(fd, self.fd_of(BY_NAME[spec.inner]))
            if spec.content:
                assert self.world.update(fd, bytes(4), spec.content) == 0
            if spec.freeze:
                self.world.freeze(fd)
            self.fds[spec.name] = fd
        return self.fds[spec.name]

    def load(self, case: Case, **options: object) -> Verdict:
        blob, records = case.func_info()
        btf_fd = -1
        if blob:
            btf_fd, log = self.world.btf(blob)
            assert btf_fd >= 0, log
        return self.world.load(
            case.code(self.fd_of), case.prog_type, attach_type=case.attach_type, flags=case.flags, gpl=case.gpl,
            btf_fd=btf_fd, func_info=records, **options,  # type: ignore[arg-type]
        )
