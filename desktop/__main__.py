"""The entry of `first-token`: with arguments the command line (or a worker), without any the window.

Decided before Qt is imported: neither a worker nor a command needs it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from time import perf_counter_ns


def main() -> int:
    """Run what the arguments ask for; return the exit code."""
    if sys.argv[1:2] == ["--self-test"]:
        return int(import_module("desktop.self_test.run").main(sys.argv[2:]))
    if sys.argv[1:2] == ["--self-test-window"]:
        return _open_window_for_self_test(sys.argv[2:])
    if sys.argv[1:2] == ["--open"]:  # what the system starts for a model's file or link; for neither, nothing follows
        return open_window("".join(sys.argv[2:3]))
    if sys.argv[1:]:
        # Another role of the same executable. By name, so that no import leads from the window to an engine.
        return int(import_module("runtime.__main__").main())
    return open_window()


def open_window(wanted: str = "") -> int:
    """Open the window and in it what is wanted, a path or a link; or say in one line why that cannot be."""
    from desktop.display import check_display  # noqa: PLC0415 - a command needs none of this
    from runtime.config.paths import process_environment  # noqa: PLC0415 - likewise
    from runtime.values.errors import UserFacingError  # noqa: PLC0415 - likewise

    environment = process_environment()
    try:
        check_display(environment)
        return _run_window(environment, wanted)
    except UserFacingError as error:
        sys.stderr.write(f"first-token: {error.what} {error.next_step}\n")
        return 1
    except ImportError as error:
        sys.stderr.write(f"first-token: The window cannot open: {error}. `first-token doctor` says what is missing.\n")
        return 1


def _run_window(environment: Mapping[str, str], wanted: str) -> int:
    from desktop.asyncio_import import import_asyncio  # noqa: PLC0415 - only once a window can open
    from desktop.qt_import import import_qt  # noqa: PLC0415 - likewise
    from runtime.config.paths import app_paths  # noqa: PLC0415 - likewise
    from runtime.crash.trace_file import TraceFile  # noqa: PLC0415 - likewise

    import_qt()
    from desktop.first_paint import open_first_paint  # noqa: PLC0415 - after Qt
    from desktop.instance import Instance  # noqa: PLC0415 - likewise

    paths = app_paths(environment)
    instance = Instance(paths.data)
    if not instance.is_first and instance.hand_over(_absolute(wanted)):
        return 0
    with TraceFile(paths.logs):
        first_paint = open_first_paint(paths)
        import_asyncio()
        from desktop.after_start import after_start  # noqa: PLC0415 - everything else, while the window can be seen
        from desktop.app import run  # noqa: PLC0415 - likewise
        from desktop.opening import Openings  # noqa: PLC0415 - likewise

        return run(first_paint, paths, Openings(instance, wanted).serve, after_start)


def _absolute(wanted: str) -> str:
    """Return `wanted` as the first window understands it, whose folder is another."""
    return wanted if not wanted or "://" in wanted else os.path.abspath(wanted)  # noqa: PTH100 - keeps odd bytes


def _open_window_for_self_test(arguments: list[str]) -> int:
    """Open the window as a person's start does, in the same order, and have it checked."""
    from desktop.asyncio_import import import_asyncio  # noqa: PLC0415 - only once a window is wanted
    from desktop.qt_import import import_qt  # noqa: PLC0415 - likewise
    from runtime.config.paths import app_paths, process_environment  # noqa: PLC0415 - likewise

    folder, begun_ns = arguments
    paths = app_paths(process_environment())
    import_qt()
    from desktop.first_paint import open_first_paint  # noqa: PLC0415 - after Qt

    first_paint = open_first_paint(paths)
    painted_ns = perf_counter_ns()
    import_asyncio()
    check = import_module("desktop.self_test.window_check")
    return int(check.check_window(first_paint, paths, folder, check.Begun(int(begun_ns), painted_ns)))


if __name__ == "__main__":
    sys.exit(main())
