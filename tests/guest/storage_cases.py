# SPDX-License-Identifier: MIT
"""Storage of cgroups, run inside a machine: prints one JSON object (casework.py)."""

import struct

import bpfsys as b
from asm import R0, R1, R2, R3, add_imm, asm, call, exit_, jmp_imm, ld_map, ldx, mov_imm, stx
from casework import E2BIG, EBUSY, EINVAL, ENOENT, Cases, Map, Prog, possible_cpus, same

case = Cases()
SHARED, PERCPU, CGROUP_SKB, LOCAL_STORAGE = 19, 21, 8, 81
KEY = struct.pack("<QII", 1, 0, 0)


@case
def what_can_be_made():
    for kind, most in ((SHARED, 65000), (PERCPU, 32768)):
        for key in (8, 16):
            for value in (1, 8, most):
                with Map(kind, key, value, 0):
                    pass
        same([b.map_create(kind, key, 8, 0) for key in (0, 4, 12, 20)], [EINVAL] * 4)
        same(b.map_create(kind, 16, 0, 0), EINVAL)
        same(b.map_create(kind, 16, 8, 1), EINVAL, "entries")
        same(b.map_create(kind, 16, 65536, 0), E2BIG)
        same(b.map_create(kind, 16, 8, 0, 1), EINVAL, "flags")


@case
def nothing_is_attached():
    for kind, size in ((SHARED, 8), (PERCPU, 8 * possible_cpus())):
        with Map(kind, 16, 8, 0) as m:
            same(b.lookup(m.fd, KEY, size), ENOENT)
            same(b.update(m.fd, KEY, bytes(size)), ENOENT)
            same(b.update(m.fd, KEY, bytes(size), 2), ENOENT)
            same(b.update(m.fd, KEY, bytes(size), 1), EINVAL)
            same(b.delete(m.fd, KEY), EINVAL)
            same(b.next_key(m.fd, None, 16), ENOENT)
            same(b.next_key(m.fd, KEY, 16), ENOENT)


def count_in(m):
    """R3: how often this was come by."""
    return [ld_map(R1, m.fd), mov_imm(R2, 0), call(LOCAL_STORAGE), ldx(8, R3, R0, 0), add_imm(R3, 1), stx(8, R0, 0, R3)]


@case
def test_run_has_its_own():
    for kind in (SHARED, PERCPU):
        with Map(kind, 16, 8, 0) as m:
            code = [*count_in(m), mov_imm(R0, 0), jmp_imm("lt", R3, 5, 1), mov_imm(R0, 1), exit_()]
            with Prog(*code, kind=CGROUP_SKB) as prog:
                same([prog.run(repeat) for repeat in (1, 4, 5, 100, 4, 1)], [0, 0, 1, 1, 0, 0])


@case
def one_of_each_kind():
    with Map(SHARED, 16, 8, 0) as m, Map(PERCPU, 16, 8, 0) as other, Map(SHARED, 8, 8, 0) as second:
        with Prog(*count_in(m), *count_in(other), *count_in(m), mov_imm(R0, 1), exit_(), kind=CGROUP_SKB) as prog:
            same(prog.run(), 1)
        load = b.Prog(asm(*count_in(m), *count_in(second), mov_imm(R0, 1), exit_()), CGROUP_SKB, log_level=1, log_size=65536)
        same(load.load(), EBUSY)
        assert "only one cgroup storage of each type is allowed" in load.log_text()


if __name__ == "__main__":
    case.main()
