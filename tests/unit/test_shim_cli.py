# SPDX-License-Identifier: MIT
"""The command line without a module: exit statuses, the one line on stderr, and numbers that must be the header's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bpfcompat import device, doctor, run

REPO = Path(__file__).resolve().parents[2]
absent = pytest.mark.skipif(os.path.exists(device.PATH), reason="the module is loaded on this machine")


@pytest.fixture(scope="session")
def preload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("preload")
    subprocess.run(["make", "-s", "-C", REPO / "shim/preload", f"OUT={out}"], check=True)
    return out / run.LIBRARY


def cli(*args: str, preload: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PYTHONPATH": str(REPO / "shim")} | env
    if preload:
        environ["BPFCOMPAT_PRELOAD"] = str(preload)
    command = [sys.executable, "-m", "bpfcompat", *args]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)


def test_numbers_are_the_headers(tmp_path: Path) -> None:
    source = tmp_path / "numbers.c"
    names = ("IOC_VERSION", "IOC_SET_BPF", "IOC_BTF_LOAD", "IOC_STATS", "ABI", "MAGIC", "OWN_MAGIC")
    prints = "".join(f'printf("{name} %lu\\n", (unsigned long)BPFCOMPAT_{name});' for name in names)
    source.write_text(
        f'#include <stdio.h>\n#include "{REPO}/kmod/uapi/bpfcompat.h"\n'
        f'int main(void) {{ {prints} printf("PATH %s\\n", BPFCOMPAT_DEVICE); return 0; }}\n'
    )
    subprocess.run(["gcc", "-o", tmp_path / "numbers", source], check=True)
    out = subprocess.run([tmp_path / "numbers"], check=True, capture_output=True, text=True).stdout
    header = dict(line.split() for line in out.splitlines())
    assert header.pop("PATH") == device.PATH
    assert {name: int(value) for name, value in header.items()} == {name: getattr(device, name) for name in names}


@absent
def test_run_is_transparent(preload: Path) -> None:
    """Arguments, output and status are the command's; stderr has one line more."""
    done = cli("run", "--", "sh", "-c", 'printf "%s|" "$@"; exit 7', "x", "a b", "--", "", preload=preload)
    assert (done.returncode, done.stdout) == (7, "a b|--||")
    assert done.stderr.count("\n") == 1
    assert "ENOSYS" in done.stderr


def test_run_keeps_other_preloads(preload: Path, tmp_path: Path) -> None:
    done = cli("run", "sh", "-c", "echo $LD_PRELOAD", preload=preload, LD_PRELOAD=f"/nonexistent.so {preload}")
    assert done.stdout.strip() == f"{preload}:/nonexistent.so"


def test_run_failures(preload: Path, tmp_path: Path) -> None:
    assert cli("run", preload=preload).returncode == 2
    missing = cli("run", "no-such-command-here", preload=preload)
    assert (missing.returncode, "not found" in missing.stderr) == (127, True)
    plain = tmp_path / "plain"
    plain.write_text("text")
    assert cli("run", str(plain), preload=preload).returncode == 126


def test_static_program_is_told(preload: Path, tmp_path: Path) -> None:
    source = tmp_path / "static.c"
    source.write_text("int main(void) { return 5; }")
    subprocess.run(["gcc", "-static", "-o", tmp_path / "static", source], check=True)
    done = cli("run", str(tmp_path / "static"), preload=preload)
    assert done.returncode == 5
    assert "statically linked" in done.stderr
    assert not run.is_static(sys.executable)
    assert not run.is_static(str(source))


@absent
def test_doctor_says_what_to_do(preload: Path) -> None:
    done = cli("doctor", "--json", preload=preload)
    found = json.loads(done.stdout)
    assert done.returncode == found["exit"]
    assert done.returncode in (doctor.NO_MODULE, doctor.IMPOSSIBLE), "3 where the kernel could carry it, 6 where not"
    checks = {check["name"]: check for check in found["checks"]}
    assert checks["module"]["state"] == "missing"
    assert "insmod" in checks["module"]["todo"]
    assert checks["preload library"]["state"] == "ok"
    assert found["kernel"]["release"] == os.uname().release
    text = cli("doctor", preload=preload)
    assert text.returncode == done.returncode
    assert "insmod" in text.stdout


@absent
def test_without_module() -> None:
    status = cli("status")
    assert (status.returncode, "not loaded" in status.stderr) == (1, True)


def test_usage() -> None:
    assert cli().returncode == 2
    assert cli("nonsense").returncode == 2
    assert cli("--help").returncode == 0
    assert cli("btf").returncode == 2
    assert cli("doctor", "--help").returncode == 0
    assert cli("btf", "show", "/nonexistent").returncode == 1


def test_device_that_is_none(tmp_path: Path) -> None:
    plain = tmp_path / "file"
    plain.touch()
    for path, state in ((plain, "failed"), (Path("/dev/null"), "failed"), (tmp_path / "no", "absent")):
        with pytest.raises(device.DeviceError) as caught:
            device.Device(str(path))
        assert caught.value.state == state


ADD = "79 10 08 00 00 00 00 00 0f 20 00 00 00 00 00 00 95 00 00 00 00 00 00 00"  # r0 = *(u64 *)(r1 + 8) + r2


def execute(program: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "bpfcompat", "exec", *args], env=os.environ | {"PYTHONPATH": str(REPO / "shim")},
                          input=program, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("engine", ["interp", "jit"])
@pytest.mark.parametrize("more", [(), ("--no-verify",)])
def test_exec(engine: str, more: tuple[str, ...]) -> None:
    done = execute(ADD, "--engine", engine, "--memory", "00" * 8 + "efbeadde 00000000 11", *more)
    assert (done.returncode, done.stdout) == (0, f"{0xDEADBEEF + 17:x}\n"), done.stderr


def test_exec_on_a_packet() -> None:
    load = "bf 16 00 00 00 00 00 00 28 00 00 00 01 00 00 00 95 00 00 00 00 00 00 00"  # r6 = r1; r0 = 2 bytes at 1
    assert execute(load, "--type", "socket_filter", "--memory", "01020304").stdout == "203\n"


def test_exec_refuses() -> None:
    bad = "bf 20 00 00 00 00 00 00 79 00 00 00 00 00 00 00 95 00 00 00 00 00 00 00"  # r0 = *r2
    refused = execute(bad)
    assert refused.returncode == 1
    assert "R0 invalid mem access 'scalar'" in refused.stderr
    assert "EACCES" in refused.stderr
    assert execute("zz").returncode == 2
    assert execute("b700").returncode == 2


@pytest.mark.parametrize("engine", ["interp", "jit"])
@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        ("ff00000000000000 9500000000000000", "an instruction or a helper that is none"),
        ("850000000f270000 9500000000000000", "an instruction or a helper that is none"),
        ("0500100000000000 9500000000000000", "instruction 0: a jump to 17, which is none"),
        ("05000100 00000000 1800000001000000 0000000000000000 9500000000000000", "instruction 0: a jump to 2, which is none"),
        ("b700000000000000", "the last instruction is neither an exit nor a jump"),
    ],
)
def test_exec_of_what_is_no_program(engine: str, program: str, complaint: str) -> None:
    """A message and a status, not a crash or an answer, though nothing verifies it."""
    done = execute(program, "--engine", engine, "--no-verify")
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
