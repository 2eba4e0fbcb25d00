# SPDX-License-Identifier: MIT
"""Proofs of the verifier's abstract domain from its C source: see docs/proof.md. `python -m proof` in tests/ runs them."""
