"""One entry for every process of the product: a worker, or the command line.

The worker is dispatched before anything else is imported, so that nothing prints into its pipe or loads a library that
it does not need.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run what the arguments ask for; return the exit code."""
    if sys.argv[1:2] == ["--worker"]:
        from runtime.worker.__main__ import main as worker_main  # noqa: PLC0415 - only the worker needs it

        return worker_main()
    from runtime.cli.app import main as cli_main  # noqa: PLC0415 - a worker must not import it

    return cli_main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
