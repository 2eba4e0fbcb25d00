# SPDX-License-Identifier: MIT
"""One virtual machine: boot it once, run many commands in it, take it down through the gate."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from vm import gate, qemu
from vm.btf import SHIM, build_btf
from vm.btf import command as btf_command
from vm.initramfs import boot_image, build_initramfs
from vm.kernels import Kernel, find_kernel
from vm.module import build_module, stripped
from vm.paths import BUILD, REPO

BOOT_TIMEOUT = 180.0
_HEADER = struct.Struct("<III")
_DENY_BPF = 1
_TTY = 2
_CHUNK = 32768


class VMError(Exception):
    """The machine itself failed: it did not boot, died, or no longer answers."""


class GateError(VMError):
    """The kernel complained, or the module left something behind. Its lines are in `found`."""

    def __init__(self, found: list[str]) -> None:
        super().__init__("the kernel log has complaints:\n" + "\n".join(f"  {line}" for line in found))
        self.found = found


@dataclass
class Result:
    """How a command in the guest ended; the status is negative for a signal, as in subprocess."""

    args: Sequence[str]
    returncode: int
    stdout: str
    stderr: str

    def check(self) -> Result:
        if self.returncode:
            raise subprocess.CalledProcessError(self.returncode, list(self.args), self.stdout, self.stderr)
        return self


class Process:
    """A command that runs in the guest."""

    def __init__(self, vm: VM, ident: int, args: Sequence[str], sink: Callable[[str, bytes], None] | None) -> None:
        self.vm, self.ident, self.args = vm, ident, args
        self.out, self.err = bytearray(), bytearray()
        self.returncode: int | None = None
        self._sink = sink

    @property
    def stdout(self) -> str:
        return self.out.decode(errors="replace")

    @property
    def stderr(self) -> str:
        return self.err.decode(errors="replace")

    def _feed(self, kind: str, data: bytes) -> None:
        if self._sink:
            self._sink(kind, data)
        else:
            (self.out if kind == "o" else self.err).extend(data)

    def send(self, data: bytes, eof: bool = False) -> None:
        """Writes to the command's standard input."""
        for at in range(0, len(data), _CHUNK):
            self.vm._send(self.ident, "I", data[at : at + _CHUNK])
        if eof:
            self.vm._send(self.ident, "I", b"")

    def kill(self, sig: int = signal.SIGKILL) -> None:
        """Sends a signal to the command's process group."""
        self.vm._send(self.ident, "K", struct.pack("<i", sig))

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> Result:
        """Waits for the end; on timeout kills the command and raises TimeoutError."""
        if not self.vm._wait(lambda: self.returncode is not None, timeout):
            self.kill()
            if not self.vm._wait(lambda: self.returncode is not None, 20):
                raise VMError(f"the guest no longer answers, after a timeout of {self.args}\n{self.vm.console_tail()}")
            raise TimeoutError(f"{self.args} took over {timeout} s\nstdout: {self.stdout}\nstderr: {self.stderr}")
        assert self.returncode is not None
        return Result(self.args, self.returncode, self.stdout, self.stderr)

    def wait_for(self, pattern: str, timeout: float = 60, stream: str = "any") -> re.Match[str]:
        """Waits until the pattern shows in what the command printed ("stdout", "stderr" or "any")."""
        texts = {
            "stdout": lambda: self.stdout,
            "stderr": lambda: self.stderr,
            "any": lambda: self.stdout + self.stderr,
        }
        found: list[re.Match[str]] = []

        def seen() -> bool:
            match = re.search(pattern, texts[stream](), re.M)
            if match:
                found.append(match)
            return bool(match) or self.returncode is not None

        if not self.vm._wait(seen, timeout) or not found:
            state = "ended" if self.returncode is not None else "still running"
            raise TimeoutError(
                f"{self.args}: {pattern!r} not seen ({state})\nstdout: {self.stdout}\nstderr: {self.stderr}"
            )
        return found[0]


class VM:
    """A booted machine. With module=True the module (and its BTF) is built, loaded, and unloaded at close."""

    def __init__(
        self,
        kernel: Kernel | str | None = None,
        *,
        module: bool = True,
        cpus: int = 2,
        memory: str = "1536M",
        icount: bool = False,
        params: Sequence[str] = (),
        append: str = "",
        quiet: bool = False,
    ) -> None:
        self.kernel = kernel if isinstance(kernel, Kernel) else find_kernel(kernel)
        if not self.kernel.bootable:
            raise VMError(f"{self.kernel.name} cannot be booted here: it lacks {', '.join(self.kernel.lacks)}")
        self.quiet = quiet
        self.module_loaded = False
        self.boot_seconds = 0.0
        self._lock = threading.Condition()
        self._send_lock = threading.Lock()
        self._processes: dict[int, Process] = {}
        self._last_id = 0
        self._ready = False
        self._gone = False
        self._checked = 0
        self._closed = False
        self._module_texts: list[range] = []
        self._params = tuple(params)
        self._ko = build_module(self.kernel, quiet=quiet) if module else None
        self._boot(cpus, memory, icount, append)
        try:
            if self._ko:
                self.put("/run/vm/bpfcompat.ko", stripped(self._ko).read_bytes())
                self.load_module(*params)
        except BaseException:
            self.kill()
            raise

    # -- the machine ---------------------------------------------------------------------------------------------

    def _boot(self, cpus: int, memory: str, icount: bool, append: str) -> None:
        begin = time.monotonic()
        top = BUILD / "vm/run"
        top.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.kernel.name}-", dir=top))
        self.console = self.folder / "console.log"
        self.console.touch()
        build_initramfs(self.kernel, self.folder / "initramfs")
        self._port, agent = socket.socketpair()
        self._monitor, monitor = socket.socketpair()
        command = qemu.command_line(
            self.kernel,
            image=boot_image(self.kernel),
            initramfs=self.folder / "initramfs",
            console=self.console,
            agent_fd=agent.fileno(),
            monitor_fd=monitor.fileno(),
            cpus=cpus,
            memory=memory,
            icount=icount,
            append=append,
        )
        with (self.folder / "qemu.log").open("w") as log:
            self._qemu = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(agent.fileno(), monitor.fileno()),
                start_new_session=True,
            )
        agent.close()
        monitor.close()
        threading.Thread(target=self._read_port, daemon=True).start()
        try:
            booted = self._wait(lambda: self._ready, BOOT_TIMEOUT)
        except VMError:
            booted = False
        if not booted:
            self.kill(keep=True)
            words = (self.folder / "qemu.log").read_text() + self.console_tail(40)
            raise VMError(f"{self.kernel.name} did not boot; its console ({self.console}):\n{words}")
        self.boot_seconds = time.monotonic() - begin
        if self.kernel.has("DEBUG_KMEMLEAK"):
            # Its own rounds come at any time, and do not say whose the memory was; close() has a look. Old kernels take a
            # minute to stop them, as long as the first round waits.
            self.run("(echo scan=off > /sys/kernel/debug/kmemleak) >/dev/null 2>&1 </dev/null &")
        # What a kernel complains of on its own way up (CentOS 7.9's: an emulated APIC) is no doing of the run. It is
        # said, and does not fail what comes after.
        for line in self.new_complaints():
            if "WARNING:" in line:
                print(f"vm: {self.kernel.name} complained while it booted: {line}", file=sys.stderr)

    def _read_port(self) -> None:
        buffer = bytearray()
        while True:
            try:
                data = self._port.recv(1 << 18)
            except OSError:
                data = b""
            with self._lock:
                if not data:
                    self._gone = True
                buffer.extend(data)
                while len(buffer) >= _HEADER.size:
                    length, ident, kind = _HEADER.unpack_from(buffer)
                    if len(buffer) < _HEADER.size + length:
                        break
                    payload = bytes(buffer[_HEADER.size : _HEADER.size + length])
                    del buffer[: _HEADER.size + length]
                    self._on_frame(ident, chr(kind), payload)
                self._lock.notify_all()
            if not data:
                return

    def _on_frame(self, ident: int, kind: str, payload: bytes) -> None:
        if kind == "r":
            self._ready = True
        process = self._processes.get(ident)
        if process is None:
            return
        if kind in "oe":
            process._feed(kind, payload)
        elif kind == "x":
            process.returncode = os.waitstatus_to_exitcode(struct.unpack("<i", payload)[0])
            del self._processes[ident]

    def _wait(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        end = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            while not condition():
                if self._gone:
                    raise VMError(f"{self.kernel.name}: the machine went down\n{self.console_tail()}")
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._lock.wait(1.0 if left is None else min(left, 1.0))
            return True

    def _send(self, ident: int, kind: str, payload: bytes) -> None:
        try:
            with self._send_lock:
                self._port.sendall(_HEADER.pack(len(payload), ident, ord(kind)) + payload)
        except OSError as error:
            raise VMError(f"{self.kernel.name}: the machine went down\n{self.console_tail()}") from error

    def console_text(self) -> str:
        """Everything that the kernel has printed on its console so far."""
        return self.console.read_text(errors="replace")

    def console_tail(self, lines: int = 25) -> str:
        return "\n".join(self.console_text().splitlines()[-lines:])

    def monitor(self, command: str, **arguments: object) -> object:
        """Runs a command of the emulator's monitor (QMP)."""
        stream = self._monitor.makefile("rw")
        requests: list[dict[str, object]] = [{"execute": command, "arguments": arguments}]
        if not getattr(self, "_greeted", False):
            stream.readline()
            requests.insert(0, {"execute": "qmp_capabilities"})
            self._greeted = True
        for request in requests:
            stream.write(json.dumps(request) + "\n")
            stream.flush()
            answer = json.loads(stream.readline())
            while "event" in answer:
                answer = json.loads(stream.readline())
        if "error" in answer:
            raise VMError(f"{command}: {answer['error']}")
        return answer["return"]

    def inject_nmi(self) -> None:
        """Raises a non-maskable interrupt, which never happens by itself under emulation."""
        self.monitor("human-monitor-command", **{"command-line": "nmi"})

    @property
    def alive(self) -> bool:
        """Whether the machine still runs."""
        return not self._gone and not self._closed and self._qemu.poll() is None

    # -- commands ------------------------------------------------------------------------------------------------

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a command in the guest gets: the caller's PATH with the project's commands first, and little else."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if key in ("HOME", "TERM", "LANG", "TZ", "USER", "LOGNAME", "SHELL", "COLUMNS", "LINES")
            or key.startswith(("LC_", "BPFCOMPAT_"))
        }
        path = os.environ.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").split(":")
        path = [str(REPO / ".venv/bin"), *path, "/usr/local/sbin", "/usr/sbin", "/sbin"]
        kept["PATH"] = ":".join(dict.fromkeys(path))
        kept["BPFCOMPAT_VM"] = self.kernel.name
        kept["PYTHONDONTWRITEBYTECODE"] = "1"
        kept.update(extra or {})
        return kept

    def popen(
        self,
        args: Sequence[str] | str,
        *,
        native: bool = False,
        tty: bool = False,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        sink: Callable[[str, bytes], None] | None = None,
    ) -> Process:
        """Starts a command; a string goes to the shell. Unless `native`, bpf(2) answers ENOSYS in it."""
        argv = ["/bin/sh", "-c", args] if isinstance(args, str) else [str(arg) for arg in args]
        environment = [f"{key}={value}" for key, value in self.environment(env).items()]
        flags = (0 if native else _DENY_BPF) | (_TTY if tty else 0)
        strings = [str(cwd or os.getcwd()), *argv, *environment]
        payload = struct.pack("<III", flags, len(argv), len(environment))
        payload += b"".join(os.fsencode(text) + b"\0" for text in strings)
        with self._lock:
            self._last_id += 1
            process = Process(self, self._last_id, argv, sink)
            self._processes[process.ident] = process
        self._send(process.ident, "X", payload)
        return process

    def run(
        self,
        args: Sequence[str] | str,
        *,
        native: bool = False,
        timeout: float | None = 120,
        input: bytes | str = b"",
        check: bool = False,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        """Runs a command to its end; raises TimeoutError after killing one that takes too long."""
        process = self.popen(args, native=native, cwd=cwd, env=env)
        process.send(input.encode() if isinstance(input, str) else input, eof=True)
        result = process.wait(timeout)
        return result.check() if check else result

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Writes a file in the guest (in one of its tmpfs: /run, /tmp, /dev/shm)."""
        self.run(["@put", path, f"{mode:o}"], input=data).check()

    def dmesg(self) -> str:
        """The kernel's log as the guest's log buffer has it now."""
        return self.run(["@dmesg"]).check().stdout

    # -- the module and the gate -----------------------------------------------------------------------------------

    def load_module(self, *params: str) -> None:
        """Loads the module, and its BTF where the kernel has none of its own."""
        before = len(self.console_text())
        result = self.run(["@insmod", "/run/vm/bpfcompat.ko", *params], timeout=60)
        if result.returncode:
            said = self.console_text()[before:].strip()
            raise VMError(f"the module does not load on {self.kernel.name}: {result.stderr}{said}")
        self.module_loaded = True
        self._note_module_text()
        blob = build_btf(self.kernel, self.quiet)
        if blob:
            done = self.run(btf_command("btf", "load", str(blob)), env={"PYTHONPATH": str(SHIM)}, timeout=60)
            if done.returncode:
                raise VMError(f"bpfcompat btf load: status {done.returncode}\n{done.stdout}{done.stderr}")

    def _note_module_text(self) -> None:
        """Where the module lies: when leaks are looked for it is gone, and its symbols with it."""
        for line in self.run(["cat", "/proc/modules"]).stdout.splitlines():
            fields = line.split()
            if fields[0] == "bpfcompat":
                start = int(fields[5], 16)
                self._module_texts.append(range(start, start + int(fields[1])))

    def unload_module(self, patience: float = 5) -> list[str]:
        """Unloads the module; returns what was wrong with that."""
        before = len(self.console_text())
        deadline = time.monotonic() + patience
        while True:
            # What a client that just died held is let go of by the kernel a little later.
            result = self.run(["@rmmod", "bpfcompat"], timeout=60)
            if not result.returncode or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        if result.returncode:
            return [f"the module refuses to unload: {result.stderr.strip()}"]
        self.module_loaded = False
        self.run(["@dmesg"])
        return gate.unload_complaints(self.console_text()[before:])

    def reload_module(self, *params: str) -> None:
        """Unloads the module, through the gate, and loads it again with other parameters."""
        found = self.unload_module() if self.module_loaded else []
        if found:
            raise GateError(found)
        self.load_module(*params)

    def new_complaints(self) -> list[str]:
        """What the kernel has complained of since the last call."""
        text = self.console_text()
        cut = text.rfind("\n") + 1
        fresh, self._checked = text[self._checked : cut], max(cut, self._checked)
        return gate.complaints(fresh)

    def find_leaks(self) -> list[str]:
        """What kmemleak has found that the module had allocated, since the last look."""
        scan = "test -e kmemleak || exit 0; sleep 6; echo scan > kmemleak; sleep 1; echo scan > kmemleak; cat kmemleak"
        reports = self.run(f"{scan}; echo clear > kmemleak", timeout=180, cwd="/sys/kernel/debug").stdout
        return gate.leaks(reports, self._module_texts)

    def close(self) -> None:
        """Unloads the module and ends the machine; raises GateError for whatever the gate has found."""
        if self._closed:
            return
        found: list[str] = []
        try:
            if not self._gone:
                if self.module_loaded:
                    found += self.unload_module()
                if self.kernel.has("DEBUG_KMEMLEAK"):
                    found += self.find_leaks()
                self.run(["@dmesg"])  # the console has everything that was printed before this
            else:
                found.append(f"the machine went down by itself:\n{self.console_tail()}")
        except (VMError, TimeoutError) as error:
            found.append(str(error))
        text = self.console_text()
        found = gate.complaints(text[self._checked :]) + found
        self.kill(keep=bool(found))
        if found:
            raise GateError([*found, f"whole log: {self.console}"])

    def kill(self, keep: bool = False) -> None:
        """Ends the machine at once, without the gate."""
        self._closed = True
        if self._qemu.poll() is None:
            self._qemu.kill()
        self._qemu.wait()
        self._port.close()
        self._monitor.close()
        (self.folder / "initramfs").unlink(missing_ok=True)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> VM:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is None:
            self.close()
            return
        try:
            self.close()
        except GateError as also:
            print(f"vm: {also}", file=sys.stderr)
