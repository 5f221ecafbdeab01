"""`python -m desktop`: the window, for whoever has no console script."""

from __future__ import annotations

import sys

from desktop.app import main
from runtime.config.paths import process_environment

if __name__ == "__main__":
    sys.exit(main(process_environment()))
