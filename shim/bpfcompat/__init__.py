# SPDX-License-Identifier: MIT
"""bpfcompat's user-space side: runs unmodified programs over the module, and looks after the module's needs."""

__version__ = "0.1.0"
