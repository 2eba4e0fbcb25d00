# SPDX-License-Identifier: MIT
"""The BPF programs of the kernel's selftests as judges of our verifier: what Linux 6.1 loads is loaded, and with hardly more
instructions processed. progs_native.json is what Linux 6.1 made of them, progs_differences.json lists what comes out
otherwise here, and why; kernel_progs.py, run as a script, writes both."""

from __future__ import annotations

import json
import sys
from typing import Any

import kernel_progs as progs
import kernel_verifier as suite
import pytest

LISTED = json.loads(progs.LIST.read_text())
needs_source = pytest.mark.skipif(not suite.SOURCE.exists(), reason=suite.SOURCE_MISSING)
# Accepted by the verifier on Linux 6.1 too: what is refused there comes before it or after.
LOOSER = {
    "test_mmap:test_mmap": "a map that is mapped must have whole pages there",
    "test_prog_array_init:entry": "the other programs of the object, which it calls, are not loaded",
}


def hold(loads: dict[str, progs.Load], where: str, record: Any) -> None:
    """The differences are those listed; nothing is accepted that Linux 6.1's verifier rejects."""
    found = progs.differences(loads, LISTED["reasons"])
    record("figures", progs.figures(found))
    looser = {name for names in found.get("looser", {}).values() for name in names}
    assert looser <= LOOSER.keys(), f"accepted, and rejected by Linux 6.1: {sorted(looser - LOOSER.keys())}"
    assert found == LISTED.get(where, {}), f"not as listed for {where}; found:\n{json.dumps(found, indent=1)}"


@pytest.mark.full
@pytest.mark.timeout(1800)
@needs_source
def test_user_space(record_property: Any) -> None:
    hold(progs.read(progs.run_offline(progs.compile_all())), "user space", record_property)


@pytest.mark.full
@pytest.mark.timeout(1800)
@needs_source
def test_our_linker_does_as_libbpf(record_property: Any) -> None:
    """`bpfcompat check` against libbpf, which loads into the same verifier: the same verdicts, after as many instructions."""
    sys.path.insert(0, str(progs.REPO / "verifier/user"))
    import bpfcompat_verifier
    from bpfcompat.check import Checker, _section_of, kconfig
    from bpfcompat.check.link import LinkError
    from bpfcompat.check.object import Object, ObjectError

    objects = progs.compile_all()
    theirs = progs.read(progs.run_offline(objects))
    btf, kernel, compared, other = suite.debian_btf().read_bytes(), kconfig.running(), 0, []
    for path in objects:
        name = path.name.removesuffix(".bpf.o")
        loads = {key.split(":")[1]: load for key, load in theirs.items() if key.startswith(f"{name}:")}
        if not any(load.error >= 0 and load.type in progs.TYPES for load in loads.values()):
            continue
        with bpfcompat_verifier.World() as world:
            try:
                obj = Object(str(path))
                checker = Checker(bpfcompat_verifier, obj, btf, kernel)
                checker.open(world)
            except (LinkError, ObjectError) as error:
                other.append(f"{name}: {error}")
                continue
            for function in obj.programs():
                load = loads.get(function.name)
                # libbpf could not make a map: its size is the test's to set, or it is pinned
                if load is None or load.error < 0 or "wasn't created" in load.why:
                    continue
                verdict, _ = checker.check(world, checker.linker.link(function), _section_of(function.section, None), 0)
                compared += 1
                insns = verdict.stats["verified_insns"]
                if verdict.ok != (not load.error) or (verdict.ok and insns != load.insns):
                    other.append(f"{name}:{function.name}: {verdict.error or insns}, by libbpf {load}")
    record_property("figures", f"{compared} programs compared, {len(other)} differ")
    known = {"bpf_syscall_macro", "test_attach_probe", "test_probe_user"}  # libbpf asks the running kernel there
    assert compared > 600
    assert not [line for line in other if line.split(":")[0] not in known], "\n".join(other)


@pytest.mark.hours
@pytest.mark.only_kernels(lambda kernel: not kernel.is_debug)
@pytest.mark.timeout(2 * progs.LIMIT)
@needs_source
def test_in_machine(guest: Any, record_property: Any) -> None:
    """Natively: as progs_native.json has it. Through the module: but for what is listed. Under emulation on
    busy cores one kernel takes more than eight minutes, and there are several: that is why it is for --hours."""
    if not guest.native and guest.kernel.name not in LISTED:
        pytest.skip("what comes out otherwise on this kernel is not recorded yet (`kernel_progs.py list KERNEL`)")
    text = progs.in_machine(guest.vm, guest.native, progs.compile_all())
    if not guest.native:
        hold(progs.read(text), guest.kernel.name, record_property)
        return
    found = {name: (load.type, load.error, load.insns) for name, load in progs.read(text).items() if name in progs.native()}
    assert found == progs.native()
