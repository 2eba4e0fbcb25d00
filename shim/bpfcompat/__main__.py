# SPDX-License-Identifier: MIT
"""`python3 -m bpfcompat`."""

import sys

from bpfcompat.cli import main

if __name__ == "__main__":
    sys.exit(main())
