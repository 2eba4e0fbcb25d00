# SPDX-License-Identifier: MIT
"""Benchmarks: ours against Linux's own, same program, same boot, counted in instructions. See __main__.py."""
