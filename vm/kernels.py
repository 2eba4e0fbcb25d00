# SPDX-License-Identifier: MIT
"""Finds the kernels that can be booted here, and says what each of them lacks for the tests."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

# What a kernel needs, by the name used in the report: the options of which at least one must be set.
NEEDED: dict[str, tuple[str, ...]] = {
    "MODULES": ("MODULES",),
    "MODULE_UNLOAD": ("MODULE_UNLOAD",),
    "KALLSYMS_ALL": ("KALLSYMS_ALL",),
    "KPROBES": ("KPROBES",),
    "UPROBES": ("UPROBES", "UPROBE_EVENT", "UPROBE_EVENTS"),
    "FTRACE_SYSCALLS": ("FTRACE_SYSCALLS",),
    "PERF_EVENTS": ("PERF_EVENTS",),
    "SECCOMP_FILTER": ("SECCOMP_FILTER",),
    "DEBUG_INFO": ("DEBUG_INFO",),
    "BLK_DEV_INITRD": ("BLK_DEV_INITRD",),
    "TMPFS": ("TMPFS",),
    "DEVTMPFS": ("DEVTMPFS",),
    "DEBUG_FS": ("DEBUG_FS",),
    "SERIAL_8250_CONSOLE": ("SERIAL_8250_CONSOLE",),
}
# Needed to reach the host's root; a distribution's kernel may have them as modules, a tree must have them built in.
DRIVERS = {
    "VIRTIO_PCI": "virtio_pci",
    "VIRTIO_CONSOLE": "virtio_console",
    "NET_9P_VIRTIO": "9pnet_virtio",
    "9P_FS": "9p",
}

FAMILIES = {
    "vanilla 3.10": re.compile(r"^3\.10\.\d+$"),
    "CentOS 7 (3.10.0-*)": re.compile(r"^3\.10\.0-\d+"),
}


def trees_dir() -> Path:
    """Where built kernel trees are looked for."""
    return Path(os.environ.get("BPFCOMPAT_KERNELS") or Path.home() / ".cache/bpfcompat/kernels")


@dataclass(frozen=True)
class Kernel:
    """A kernel that can be booted: a distribution's package, or a built tree."""

    name: str
    release: str
    image: Path
    config_path: Path
    build: Path
    modules: Path | None = field(default=None)  # a distribution's /lib/modules/RELEASE; None for a tree

    @cached_property
    def config(self) -> dict[str, str]:
        pairs = re.findall(r"^CONFIG_(\w+)=(.*)$", self.config_path.read_text(), re.M)
        return dict(pairs)

    def has(self, option: str) -> bool:
        """Whether the option is set, built in or as a module."""
        return self.config.get(option) in ("y", "m")

    @property
    def has_bpf(self) -> bool:
        return self.has("BPF_SYSCALL")

    @property
    def is_debug(self) -> bool:
        """Built to find faults, and slow for it."""
        return any(self.has(option) for option in ("PROVE_LOCKING", "KASAN", "DEBUG_KMEMLEAK"))

    @property
    def is_reference(self) -> bool:
        """Whether its own bpf(2) is a complete one, to compare with: the vendors' early, partial ones have no BTF."""
        return self.has_bpf and self.has("DEBUG_INFO_BTF")

    @property
    def lacks(self) -> list[str]:
        """The needed options that this kernel was built without."""
        missing = [name for name, any_of in NEEDED.items() if not any(self.has(option) for option in any_of)]
        for option in DRIVERS:
            value = self.config.get(option)
            if value is None or (value == "m" and self.modules is None):
                missing.append(option if value is None else f"{option} (built in)")
        return missing

    @property
    def bootable(self) -> bool:
        """Whether it can reach the host's root and start a command."""
        fatal = {*DRIVERS, "BLK_DEV_INITRD", "DEVTMPFS", "TMPFS", "SERIAL_8250_CONSOLE"}
        return not any(option.split()[0] in fatal for option in self.lacks)

    @property
    def can_build(self) -> bool:
        return (self.build / "Makefile").exists()

    @cached_property
    def vmlinux(self) -> Path | None:
        """The image with debug information, where there is one."""
        for path in (self.build / "vmlinux", Path(f"/usr/lib/debug/boot/vmlinux-{self.release}")):
            if path.exists():
                return path
        return None

    def boot_modules(self) -> list[Path]:
        """Module files to load before the root is reached, dependencies first."""
        if self.modules is None:
            return []
        deps = {}
        for line in (self.modules / "modules.dep").read_text().splitlines():
            path, _, rest = line.partition(":")
            deps[path] = rest.split()
        by_name = {re.sub(r"\.ko.*$", "", Path(path).name).replace("-", "_"): path for path in deps}
        order: list[str] = []

        def visit(path: str) -> None:
            for dep in reversed(deps[path]):
                visit(dep)
            if path not in order:
                order.append(path)

        for option, module in DRIVERS.items():
            if self.config.get(option) == "m" and module in by_name:
                visit(by_name[module])
        return [self.modules / path for path in order]


def _tree(path: Path, name: str | None = None) -> Kernel | None:
    image = path / "arch/x86/boot/bzImage"
    release = path / "include/config/kernel.release"
    if not (image.exists() and release.exists() and (path / ".config").exists()):
        return None
    return Kernel(
        name=name or path.name,
        release=release.read_text().strip(),
        image=image,
        config_path=path / ".config",
        build=path,
    )


def _packaged(root: Path = Path("/")) -> list[Kernel]:
    """Kernels of the distribution's packages, the newest of each x.y named debian-x.y."""
    found = []
    for image in (root / "boot").glob("vmlinuz-*"):
        release = image.name.removeprefix("vmlinuz-")
        modules = root / "lib/modules" / release
        config = root / "boot" / f"config-{release}"
        if (modules / "modules.dep").exists() and config.exists():
            found.append((release, image, config, modules))

    def key(entry: tuple[str, Path, Path, Path]) -> list[int]:
        return [int(n) for n in re.findall(r"\d+", entry[0])]

    kernels: dict[str, Kernel] = {}
    for release, image, config, modules in sorted(found, key=key, reverse=True):
        short = "debian-" + ".".join(release.split(".")[:2])
        flavour = "-cloud" if "cloud" in release else ""
        name = short + flavour
        if name in kernels:
            name = f"debian-{release}"
        kernels[name] = Kernel(
            name=name, release=release, image=image, config_path=config, build=modules / "build", modules=modules
        )
    return list(kernels.values())


def _age(kernel: Kernel) -> tuple[list[int], str]:
    return [int(n) for n in re.findall(r"\d+", kernel.release)], kernel.name


def list_kernels() -> list[Kernel]:
    """Every kernel at hand, the oldest first."""
    trees = []
    if trees_dir().is_dir():
        trees = [k for k in (_tree(path) for path in sorted(trees_dir().iterdir())) if k]
    return sorted(trees + _packaged(), key=_age)


def list_extra() -> list[Kernel]:
    """Kernels unpacked by `python3 -m vm fetch`: to compare with, and used where a test asks for them by name alone."""
    return [kernel for root in sorted((trees_dir() / "packages").glob("*")) for kernel in _packaged(root)]


def missing_families(kernels: list[Kernel]) -> list[str]:
    """Families of old kernels that the project is for and that no kernel at hand belongs to."""
    return [name for name, pattern in FAMILIES.items() if not any(pattern.match(k.release) for k in kernels)]


def find_kernel(name: str | None = None) -> Kernel:
    """The kernel of that name or of that tree; without a name, Debian's, else the newest."""
    if name and "/" in name:
        kernel = _tree(Path(name).resolve())
        if kernel is None:
            raise LookupError(f"{name}: not a built kernel tree (no arch/x86/boot/bzImage, .config or kernel.release)")
        return kernel
    kernels = list_kernels()
    if name:
        for kernel in [*kernels, *list_extra()]:
            if name in (kernel.name, kernel.release):
                return kernel
        names = ", ".join(k.name for k in kernels) or "none"
        raise LookupError(f"no kernel named {name}; at hand: {names} (trees are looked for in {trees_dir()})")
    ready = [k for k in kernels if k.bootable]
    packaged = [k for k in ready if k.modules is not None]
    if not ready:
        raise LookupError("no bootable kernel at hand: run `make setup`")
    return (packaged or ready)[-1]
