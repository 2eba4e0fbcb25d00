# SPDX-License-Identifier: MIT
"""Pytest plugin: virtual machines for tests, one boot per kernel shared by many tests, every test under the gate.

Fixtures: `kernel`; `vm` (the module is loaded, bpf(2) answers ENOSYS; once per kernel); `guest` (the same test on `vm`,
and natively too where the kernel's own bpf(2) is the reference). Options: --kernel NAME, --full. Writes
build/guest-report.json.
"""

from __future__ import annotations

import compileall
import json
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from vm.kernels import Kernel, find_kernel, list_kernels, missing_families
from vm.machine import VM, GateError, Process, Result, VMError
from vm.module import BuildError
from vm.paths import BUILD, REPO

REPORT = BUILD / "guest-report.json"
USER_SPACE = "user space"  # where the tests belong that need no machine
_GATE_KEY = "vm_gate"
_MAX_BOOTS = 6


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("vm")
    group.addoption("--kernel", action="append", default=[], help="only on this kernel (a name or a tree; repeatable)")
    group.addoption("--hours", action="store_true", help="what takes hours: every mutant of the proven C")
    group.addoption("--full", action="store_true", help="the debug kernels and the long tests as well")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "full: takes long; run only with --full (`make test-full`)")
    config.addinivalue_line("markers", "hours: takes hours; run only with --hours")
    config.addinivalue_line("markers", "no_module: the machine of this test runs without the module")
    config.addinivalue_line("markers", "only_kernels(test): on kernels of which test(kernel) holds, and not made for others")
    config.stash[_pool_key] = Pool()
    config.stash[_gate_key] = []
    config.stash[_report_key] = {}


def selected_kernels(config: pytest.Config) -> list[Kernel]:
    """The kernels that this run is for."""
    names = [name for option in config.getoption("--kernel") for name in option.split(",") if name]
    if names:
        return [find_kernel(name) for name in names]
    return [k for k in list_kernels() if k.bootable and (config.getoption("--full") or not k.is_debug)]


class Guest:
    """A machine as one side of a comparison: with `native` the kernel's own bpf(2), without it the module."""

    def __init__(self, vm: VM, native: bool) -> None:
        self.vm, self.native, self.kernel = vm, native, vm.kernel

    def run(self, args: Sequence[str] | str, **options: Any) -> Result:
        return self.vm.run(args, native=self.native, **options)

    def popen(self, args: Sequence[str] | str, **options: Any) -> Process:
        return self.vm.popen(args, native=self.native, **options)

    def script(self, name: str, *args: str, timeout: float = 400) -> Result:
        """
        Runs a script of tests/guest. What `bpfcompat run` would do, which has tests of its own, is done here: one more start of
        Python takes half a second under emulation.
        """
        env = {"PYTHONPATH": f"{REPO / 'tests/unit'}:{REPO / 'tests'}"}
        if not self.native:
            env["LD_PRELOAD"] = str(BUILD / "shim/libbpfcompat-preload.so")
        return self.run(["/usr/bin/python3", str(REPO / "tests/guest" / name), *args], env=env, timeout=timeout)

    def client(self, args: Sequence[str]) -> list[str]:
        """The command line for an unmodified client: as it is where it runs natively, else under `bpfcompat run`."""
        return [*args] if self.native else ["bpfcompat", "run", "--", *args]


def _compile_scripts() -> None:
    """What runs in machines is compiled here, as it would be there with each start: their root is read-only."""
    for folder in ("shim/bpfcompat", "tests/guest", "tests/programs", "tests/unit"):
        compileall.compile_dir(REPO / folder, quiet=2)


class Pool:
    """The machines of this process: one per kernel, booted at need, and again when one has died."""

    def __init__(self) -> None:
        self.machines: dict[tuple[str, bool], VM] = {}
        self.last_file: dict[tuple[str, bool], Path] = {}
        self.boots: dict[tuple[str, bool], int] = {}
        self.broken: dict[tuple[str, bool], str] = {}
        self.found: list[str] = []

    def get(self, kernel: Kernel, module: bool, file: Path) -> VM:
        key = (kernel.name, module)
        if key in self.broken:
            pytest.fail(self.broken[key], pytrace=False)
        vm = self.machines.get(key)
        if vm is not None and not vm.alive:
            self.machines.pop(key).kill(keep=True)
            vm = None
        if vm is None:
            # Tests come kernel by kernel. A machine that is done with would still cost a quarter of a CPU.
            self._close(lambda other: other[0] != kernel.name)
            self.boots[key] = self.boots.get(key, 0) + 1
            try:
                if self.boots[key] > _MAX_BOOTS:
                    raise VMError(f"{kernel.name} died {_MAX_BOOTS} times; not booted again")
                _compile_scripts()
                vm = VM(kernel, module=module, quiet=True)
            except (BuildError, VMError, OSError, subprocess.SubprocessError) as error:
                self.broken[key] = f"{type(error).__name__}: {error}"
                pytest.fail(self.broken[key], pytrace=False)
            self.machines[key] = vm
        elif self.last_file[key] != file and vm.module_loaded:
            # What a test file leaves behind is found out at its end, and not where it did no harm.
            before, self.last_file[key] = self.last_file[key], file
            try:
                vm.reload_module()
            except (GateError, VMError) as error:
                self.machines.pop(key).kill(keep=True)
                pytest.fail(f"after {before.relative_to(REPO)}, at unload: {error}", pytrace=False)
        self.last_file[key] = file
        return vm

    def _close(self, which: Callable[[tuple[str, bool]], bool]) -> None:
        for key in [key for key in self.machines if which(key)]:
            vm = self.machines.pop(key)
            try:
                if vm.alive:
                    vm.close()
                else:
                    vm.kill(keep=True)
            except GateError as error:
                self.found.append(f"{key[0]}: {error}")

    def rest(self) -> None:
        """Takes all machines down, as what comes now needs none; what the gate finds is kept for the end."""
        self._close(lambda _: True)

    def close(self) -> list[str]:
        """Takes all machines down through the gate; returns what it found, in those that went before too."""
        self.rest()
        return self.found


_pool_key = pytest.StashKey[Pool]()
_gate_key = pytest.StashKey[list[str]]()
_report_key = pytest.StashKey[dict[str, dict[str, Any]]]()
_vm_key = pytest.StashKey[VM]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = metafunc.fixturenames
    if "_guest_side" not in names and "kernel" not in names:
        return
    params = []
    wanted = [mark.args[0] for mark in metafunc.definition.iter_markers("only_kernels")]
    for kernel in selected_kernels(metafunc.config):
        if not all(test(kernel) for test in wanted):
            continue
        group = pytest.mark.xdist_group(kernel.name)
        if "_guest_side" not in names:
            params.append(pytest.param(kernel, id=kernel.name, marks=group))
            continue
        params.append(pytest.param((kernel, False), id=kernel.name, marks=group))
        if kernel.is_reference:
            params.append(pytest.param((kernel, True), id=f"{kernel.name}-native", marks=group))
    metafunc.parametrize("_guest_side" if "_guest_side" in names else "kernel", params, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for option in ("full", "hours"):
        if not config.getoption(f"--{option}"):
            dropped = [item for item in items if item.get_closest_marker(option)]
            if dropped:
                config.hook.pytest_deselected(items=dropped)
                items[:] = [item for item in items if not item.get_closest_marker(option)]

    def group(item: pytest.Item) -> str:
        mark = item.get_closest_marker("xdist_group")
        return mark.args[0] if mark else ""

    # Machines first, one kernel after the other: they take longest, and only one need run at a time.
    items.sort(key=lambda item: (not group(item), group(item)))


def _machine(request: pytest.FixtureRequest, kernel: Kernel) -> VM:
    module = request.node.get_closest_marker("no_module") is None
    vm = request.config.stash[_pool_key].get(kernel, module, request.node.path)
    request.node.stash[_vm_key] = vm
    request.node.user_properties.append(("boot_seconds", round(vm.boot_seconds, 1)))
    return vm


@pytest.fixture
def kernel(request: pytest.FixtureRequest) -> Kernel:
    """A kernel at hand, for a test that boots machines of its own."""
    return request.param


@pytest.fixture
def _guest_side(request: pytest.FixtureRequest) -> tuple[Kernel, bool]:
    return request.param


@pytest.fixture
def vm(request: pytest.FixtureRequest, kernel: Kernel) -> VM:
    """The machine of a kernel, with the module loaded; commands find bpf(2) denied."""
    return _machine(request, kernel)


@pytest.fixture
def guest(request: pytest.FixtureRequest, _guest_side: tuple[Kernel, bool]) -> Guest:
    """The machine of a kernel, once through the module and once natively where that is the reference."""
    kernel, native = _guest_side
    return Guest(_machine(request, kernel), native)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Every test in a machine fails by what the kernel complained of during it."""
    failure: BaseException | None = None
    try:
        yield
    except BaseException as error:
        failure = error
    vm = item.stash.get(_vm_key, None)
    if vm is not None:
        found = vm.new_complaints()
        if not vm.alive:
            item.add_report_section("call", "console", vm.console_tail(60))
            found.append("the machine went down")
        if found and failure is None:
            failure = GateError(found)
        elif found:
            item.add_report_section("call", "kernel log", "\n".join(found))
    if failure is not None:
        raise failure


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    mark = item.get_closest_marker("xdist_group")
    if mark:
        item.user_properties.append(("kernel", mark.args[0]))
    else:
        item.config.stash[_pool_key].rest()


# -- the report, written by the process that the user started ---------------------------------------------------------


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if _config is None:
        return
    properties: Mapping[str, Any] = dict(report.user_properties)
    name = properties.get("kernel", USER_SPACE)
    kernels = _config.stash[_report_key]
    entry = kernels.setdefault(name, {"passed": 0, "failed": 0, "skipped": {}, "seconds": 0.0})
    entry["seconds"] = round(entry["seconds"] + report.duration, 2)
    if "boot_seconds" in properties:
        entry["boot_seconds"] = properties["boot_seconds"]
    test = report.nodeid.split("@")[0]
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        entry["skipped"][test] = getattr(report, "wasxfail", reason).removeprefix("Skipped: ")
    elif report.failed:
        entry["failed"] += 1
        entry.setdefault("failures", []).append(test)
    elif report.when == "call":
        entry["passed"] += 1


_config: pytest.Config | None = None


def pytest_sessionstart(session: pytest.Session) -> None:
    global _config
    if not hasattr(session.config, "workerinput"):
        _config = session.config
        session.config.stash[_started_key] = time.monotonic()


_started_key = pytest.StashKey[float]()


def _commit() -> str:
    def git(*args: str) -> str:
        return subprocess.run(["git", *args], cwd=REPO, text=True, capture_output=True).stdout.strip()

    return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "--untracked-files=no") else "")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    found = config.stash[_pool_key].close()
    if hasattr(config, "workerinput"):
        config.workeroutput[_GATE_KEY] = found
        return
    config.stash[_gate_key] += found


class _Nodes:
    """Takes the gate's findings over from the workers of pytest-xdist."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        del error
        if _config is not None:
            _config.stash[_gate_key] += getattr(node, "workeroutput", {}).get(_GATE_KEY, [])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        config = session.config
        if hasattr(config, "workerinput"):
            return
        if config.stash[_gate_key] and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        kernels = config.stash[_report_key]
        if not kernels.keys() - {USER_SPACE}:
            return
        for finding in config.stash[_gate_key]:
            entry = kernels.get(finding.split(":")[0])
            if entry is not None:
                entry["failed"] += 1
                entry.setdefault("failures", []).append(finding)
        REPORT.parent.mkdir(exist_ok=True)
        whole = {"commit": _commit(), "seconds": round(time.monotonic() - config.stash[_started_key], 1)}
        user_space = {USER_SPACE: kernels[USER_SPACE]} if USER_SPACE in kernels else {}
        guests = {name: entry for name, entry in kernels.items() if name != USER_SPACE}
        REPORT.write_text(json.dumps({**whole, **user_space, "kernels": guests}, indent=1) + "\n")


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    if not manager.hasplugin("vm-nodes") and not isinstance(plugin, _Nodes):
        manager.register(_Nodes(), "vm-nodes")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    found = config.stash[_gate_key]
    if found:
        terminalreporter.section("the gate at unload", red=True, bold=True)
        for line in found:
            terminalreporter.line(line)
    kernels = config.stash[_report_key]
    if not kernels:
        return
    terminalreporter.section("kernels")
    for name, entry in sorted(kernels.items()):
        counts = f"{entry['passed']} passed, {entry['failed']} failed, {len(entry['skipped'])} skipped"
        boot = f"; boot {entry['boot_seconds']} s" if "boot_seconds" in entry else ""
        terminalreporter.line(f"{name}: {counts}{boot}")
        reasons: dict[str, int] = {}
        for reason in entry["skipped"].values():
            reasons[reason] = reasons.get(reason, 0) + 1
        for reason, count in sorted(reasons.items()):
            terminalreporter.line(f"    skipped {count}: {reason}")
    for family in missing_families(list_kernels()):
        terminalreporter.line(f"*** no kernel of the family {family} at hand: NOT TESTED there ***", red=True)
