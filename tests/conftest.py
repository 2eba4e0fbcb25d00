# SPDX-License-Identifier: MIT
"""Loads the plugins: virtual machines for tests, and the table of the proofs."""

pytest_plugins = ["vm_plugin", "proof.report"]
