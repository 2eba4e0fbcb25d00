# SPDX-License-Identifier: MIT
"""Kernels and virtual machines: finds kernels, boots them over the host's root, runs commands and tests inside."""

from vm.kernels import Kernel, find_kernel, list_kernels
from vm.machine import VM, GateError, Result, VMError

__all__ = ["VM", "GateError", "Kernel", "Result", "VMError", "find_kernel", "list_kernels"]
