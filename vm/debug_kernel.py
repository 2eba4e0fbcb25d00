# SPDX-License-Identifier: MIT
"""Builds, once, a small Linux 6.1 without bpf(2) and with the kernel's own checkers on: `python3 -m vm build-debug`."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from pathlib import Path

from vm.kernels import Kernel, find_kernel, trees_dir
from vm.paths import locked

NAME = "6.1-debug"
ARCHIVE = Path("/usr/src/linux-source-6.1.tar.xz")
# On top of `make tinyconfig`.
FRAGMENT = """
64BIT SMP NR_CPUS=8 MODULES MODULE_UNLOAD PRINTK PRINTK_TIME BUG KALLSYMS KALLSYMS_ALL EXPERT MULTIUSER SYSFS SYSCTL
PROC_FS PROC_SYSCTL TMPFS TMPFS_XATTR DEVTMPFS BLK_DEV_INITRD RD_GZIP BINFMT_ELF BINFMT_SCRIPT ELF_CORE COREDUMP
TTY SERIAL_8250 SERIAL_8250_CONSOLE UNIX98_PTYS VT=n ACPI PCI PCI_MSI X86_LOCAL_APIC X86_IO_APIC X86_TSC HPET_TIMER
PARAVIRT KVM_GUEST=n HYPERVISOR_GUEST RTC_CLASS HW_RANDOM RANDOMIZE_BASE=n RELOCATABLE X86_MCE=n MICROCODE=n
HIGH_RES_TIMERS NO_HZ_IDLE PREEMPT PREEMPT_DYNAMIC=n CGROUPS CGROUP_FREEZER CGROUP_PIDS CGROUP_SCHED FAIR_GROUP_SCHED
CGROUP_CPUACCT CPUSETS MEMCG CGROUP_PERF CGROUP_BPF=n NAMESPACES UTS_NS IPC_NS USER_NS PID_NS NET_NS SYSVIPC
POSIX_MQUEUE FUTEX EPOLL SIGNALFD TIMERFD EVENTFD AIO IO_URING SHMEM ADVISE_SYSCALLS MEMBARRIER MEMFD_CREATE FHANDLE
POSIX_TIMERS FILE_LOCKING INOTIFY_USER FANOTIFY=n DNOTIFY KCMP RSEQ SECCOMP SECCOMP_FILTER AUDIT TASKSTATS
TASK_DELAY_ACCT TASK_XACCT TASK_IO_ACCOUNTING IKCONFIG IKCONFIG_PROC NET UNIX INET IPV6 PACKET NETDEVICES NET_CORE DUMMY
TUN SECURITY SECURITY_NETWORK
VIRTIO_MENU VIRTIO VIRTIO_PCI VIRTIO_PCI_LEGACY VIRTIO_CONSOLE VIRTIO_NET VIRTIO_BLK NETWORK_FILESYSTEMS NET_9P
NET_9P_VIRTIO 9P_FS 9P_FS_POSIX_ACL BLOCK BLK_DEV BLK_DEV_LOOP BLK_DEV_RAM EXT4_FS OVERLAY_FS
PERF_EVENTS KPROBES KRETPROBES UPROBES OPTPROBES JUMP_LABEL FTRACE FUNCTION_TRACER FUNCTION_GRAPH_TRACER DYNAMIC_FTRACE
DYNAMIC_FTRACE_WITH_REGS KPROBE_EVENTS UPROBE_EVENTS FTRACE_SYSCALLS BLK_DEV_IO_TRACE TRACEPOINTS STACKTRACE
DEBUG_FS DEBUG_KERNEL MAGIC_SYSRQ DEBUG_INFO_DWARF4 DEBUG_INFO_BTF=n DEBUG_INFO_REDUCED=n FRAME_POINTER
UNWINDER_FRAME_POINTER BPF_SYSCALL=n MODULE_SIG=n RETPOLINE=n SLS=n STACK_VALIDATION=n WERROR=n
KASAN KASAN_GENERIC KASAN_INLINE KASAN_VMALLOC PROVE_LOCKING PROVE_RCU DEBUG_ATOMIC_SLEEP DEBUG_LIST DEBUG_OBJECTS
DEBUG_OBJECTS_FREE DEBUG_OBJECTS_TIMERS DEBUG_OBJECTS_WORK DEBUG_OBJECTS_RCU_HEAD DEBUG_KMEMLEAK
DEBUG_KMEMLEAK_MEM_POOL_SIZE=32000 FAULT_INJECTION FAILSLAB FAIL_PAGE_ALLOC FAULT_INJECTION_DEBUG_FS
FAULT_INJECTION_STACKTRACE_FILTER=n SLUB SLUB_DEBUG DEBUG_VM=n DETECT_HUNG_TASK SOFTLOCKUP_DETECTOR
LOCKDEP_BITS=16 LOCKDEP_CHAINS_BITS=17
"""
# Options without which the kernel would not be what it is for; a config that lost one of them is an error.
REQUIRED = (
    *("MODULES", "KALLSYMS_ALL", "KPROBES", "UPROBES", "FTRACE_SYSCALLS", "PERF_EVENTS", "SECCOMP_FILTER"),
    *("KASAN", "PROVE_LOCKING", "DEBUG_ATOMIC_SLEEP", "DEBUG_KMEMLEAK", "FAULT_INJECTION", "FAILSLAB", "NET_9P_VIRTIO"),
    *("9P_FS", "VIRTIO_PCI", "VIRTIO_CONSOLE", "SERIAL_8250_CONSOLE", "DEVTMPFS", "BLK_DEV_INITRD", "KPROBE_EVENTS"),
    "DEBUG_INFO",
)


def _set(value: str) -> tuple[str, str]:
    option, _, setting = value.partition("=")
    return option, setting or "y"


def _make(tree: Path, *args: str, log: Path) -> None:
    with log.open("a") as out:
        done = subprocess.run(["make", "-C", str(tree), *args], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
        raise RuntimeError(f"make {' '.join(args)} failed in {tree}\n{tail}")


def build_debug(jobs: int = 2) -> Kernel:
    """Unpacks Debian's source, configures it and builds it, unless that was done with this very configuration."""
    tree = trees_dir() / NAME
    stamp = tree / ".bpfcompat-debug"
    if not ARCHIVE.exists():
        raise FileNotFoundError(f"{ARCHIVE} is missing: run `tools/setup.sh debug-kernel` (package linux-source-6.1)")
    wanted = hashlib.sha256(f"{FRAGMENT.split()}{ARCHIVE.stat().st_size}".encode()).hexdigest()
    with locked("debug-kernel"):
        if stamp.exists() and stamp.read_text() == wanted:
            return find_kernel(NAME)
        begin = time.monotonic()
        tree.mkdir(parents=True, exist_ok=True)
        log = tree / "build.log"
        log.write_text("")
        if not (tree / "Makefile").exists():
            print(f"vm: unpacking {ARCHIVE} into {tree}", file=sys.stderr, flush=True)
            subprocess.run(["tar", "-xJf", ARCHIVE, "-C", tree, "--strip-components=1"], check=True)
        print("vm: configuring", file=sys.stderr, flush=True)
        _make(tree, "tinyconfig", log=log)
        with (tree / ".config").open("a") as config:
            for option, setting in map(_set, FRAGMENT.split()):
                config.write(f"# CONFIG_{option} is not set\n" if setting == "n" else f"CONFIG_{option}={setting}\n")
            config.write('CONFIG_LOCALVERSION="-debug"\n# CONFIG_CC_OPTIMIZE_FOR_SIZE is not set\n')
            config.write("CONFIG_CC_OPTIMIZE_FOR_PERFORMANCE=y\n")
        _make(tree, "olddefconfig", log=log)
        lost = [option for option in REQUIRED if f"CONFIG_{option}=y\n" not in (tree / ".config").read_text()]
        if lost:
            raise RuntimeError(f"the configuration lost {', '.join(lost)}")
        print(f"vm: building the debug kernel (some 15 minutes on 2 cores); log in {log}", file=sys.stderr, flush=True)
        _make(tree, f"-j{jobs}", "bzImage", "modules", log=log)
        stamp.write_text(wanted)
        print(f"vm: {NAME} built in {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    return find_kernel(NAME)
