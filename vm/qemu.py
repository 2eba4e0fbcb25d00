# SPDX-License-Identifier: MIT
"""The emulator's command line, and whether hardware virtualisation works here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from vm.kernels import Kernel
from vm.paths import BUILD, locked

QEMU = "qemu-system-x86_64"
KVM_PATIENCE = 10.0


@cache
def kvm_works(image: Path) -> bool:
    """Whether KVM really boots a kernel here: on some hosts its device opens, runs a little code, and then hangs.

    Tried once per boot of the host, with the kernel's first lines on the console as the proof.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    memo = BUILD / "vm/kvm"
    with locked("vm-kvm"):
        if memo.exists() and memo.read_text().split()[0] == boot:
            return memo.read_text().split()[1] == "yes"
        print("vm: trying whether KVM works here (once)", file=sys.stderr, flush=True)
        command = [QEMU, "-accel", "kvm", "-cpu", "host", "-m", "512", "-nodefaults", "-display", "none", "-no-reboot"]
        command += ["-serial", "stdio", "-kernel", str(image), "-append", "console=ttyS0 panic=-1"]
        try:
            done = subprocess.run(command, timeout=KVM_PATIENCE, stdin=subprocess.DEVNULL, capture_output=True)
            works = b"Linux version" in done.stdout
        except subprocess.TimeoutExpired as expired:
            works = b"Linux version" in (expired.stdout or b"")
        memo.parent.mkdir(parents=True, exist_ok=True)
        memo.write_text(f"{boot} {'yes' if works else 'no'}\n")
    return works


def command_line(
    kernel: Kernel,
    *,
    image: Path,
    initramfs: Path,
    console: Path,
    agent_fd: int,
    monitor_fd: int,
    cpus: int,
    memory: str,
    icount: bool,
    append: str,
) -> list[str]:
    """How to start the emulator for one boot."""
    if not shutil.which(QEMU):
        raise FileNotFoundError(f"{QEMU} is not installed: run `make setup`")
    if icount:
        accel = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-cpu", "max"]
    elif kvm_works(kernel.image):
        accel = ["-accel", "kvm", "-cpu", "host"]
    else:
        # One thread for all CPUs: with more, QEMU 7.2 can go on running stale code after one CPU has patched a probe's
        # breakpoint, and both CPUs hang. It is also the cheaper way where machines share the host's cores.
        threads = os.environ.get("BPFCOMPAT_TCG", "single")
        accel = ["-accel", f"tcg,thread={threads},tb-size=256", "-cpu", "max"]
    # Under emulation a checking kernel takes so long over the interrupt tables of ACPI that it gives up, after minutes.
    tables = "acpi=noirq" if kernel.is_debug else ""
    boot = f"console=ttyS0 quiet loglevel=5 panic=-1 oops=panic no_timer_check {tables} {append}".strip()
    return [
        *("setpriv", "--pdeathsig", "KILL"),  # no emulator outlives its harness
        *(QEMU, "-M", "pc,vmport=off,hpet=off", "-nodefaults", "-display", "none", "-no-reboot"),
        *accel,
        *("-smp", str(1 if icount else cpus), "-m", memory),
        *("-kernel", str(image), "-initrd", str(initramfs), "-append", boot),
        *("-chardev", f"file,id=console,path={console}", "-serial", "chardev:console"),
        *("-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,fd={agent_fd}"),
        *("-device", "virtserialport,chardev=agent,name=vm.agent"),
        *("-chardev", f"socket,id=monitor,fd={monitor_fd}", "-mon", "chardev=monitor,mode=control"),
        *("-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"),
        *("-device", "virtio-9p-pci,fsdev=root,mount_tag=root"),
        # A disk that is all zeroes and takes no time, for what traces block requests.
        *("-blockdev", "driver=null-co,node-name=disk,size=67108864,read-zeroes=on"),
        *("-device", "virtio-blk-pci,drive=disk"),
    ]
