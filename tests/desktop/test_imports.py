"""What is put off at the start is not imported, and is there as soon as it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HEAVY = (
    "numpy",
    "ssl",
    "_hashlib",
    "statistics",
    "pygments",
    "markdown_it",
    "http.client",
    "huggingface_hub",
    "importlib.metadata",
)
MODULES = "sorted(name for name in sys.modules if name in HEAVY)"


def run(script: str, home: Path) -> str:
    """Return what a script prints that runs in a Python of its own."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "FIRST_TOKEN_HOME": str(home)}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


OPENED = f"""
import sys
HEAVY = {HEAVY!r}
from desktop.qt_import import import_qt
import_qt()
from desktop.asyncio_import import import_asyncio
from desktop.first_paint import open_first_paint
from runtime.config.paths import app_paths, process_environment
paths = app_paths(process_environment())
first_paint = open_first_paint(paths)
"""


def test_the_window_is_on_the_screen_before_what_serves_it_is_imported(app_home: Path) -> None:
    served_by = "('asyncio', 'qasync', 'desktop.app', 'runtime.client.launch', 'psutil')"
    script = f"{OPENED}\nassert first_paint.window.isVisible()\nprint([n for n in {served_by} if n in sys.modules])"
    assert run(script, app_home) == "[]"


FILLED = f"""{OPENED}
import_asyncio()
import asyncio, qasync
from desktop.app import Desktop
loop = qasync.QEventLoop(first_paint.looks.application)
asyncio.set_event_loop(loop)
desktop = Desktop(first_paint, loop, paths)
"""


def test_nothing_heavy_is_imported_to_fill_the_window(app_home: Path) -> None:
    assert run(f"{FILLED}\nprint({MODULES})", app_home) == "[]"


def test_the_picker_is_imported_when_it_is_wanted_and_nothing_heavy_with_it(app_home: Path) -> None:
    prepared = f"""{FILLED}
PICKER = "desktop.library.model_picker"
assert PICKER not in sys.modules
with loop:
    __import__(PICKER)
print({MODULES})
"""
    assert run(prepared, app_home) == "[]"


def test_tls_is_there_for_whoever_asks_for_it(app_home: Path) -> None:
    asked = "import asyncio, ssl, httpx2\nprint(ssl.create_default_context().verify_mode.name)"
    assert run(f"{OPENED}\nimport_asyncio()\nimport desktop.app\n{asked}", app_home) == "CERT_REQUIRED"


def test_sources_of_modules_are_not_kept(app_home: Path) -> None:
    kept = "sum('desktop' in name for name in linecache.cache)"
    assert run(f"{OPENED}\nimport linecache\nimport desktop.app\nprint({kept})", app_home) == "0"


def test_a_start_that_needs_no_welcome_and_no_update_imports_none(app_home: Path) -> None:
    unneeded = (
        "('importlib.metadata', 'desktop.chat.greeting', 'desktop.state.machine_outlook', 'desktop.updates', 'ssl')"
    )
    script = f"""{OPENED}
import_asyncio()
import asyncio, qasync
from desktop.after_start import offer_crash_report, look_for_updates
from desktop.app import Desktop
loop = qasync.QEventLoop(first_paint.looks.application)
asyncio.set_event_loop(loop)
desktop = Desktop(first_paint, loop, paths)
with loop:
    loop.run_until_complete(offer_crash_report(desktop))
    loop.run_until_complete(look_for_updates(desktop))
print([name for name in {unneeded} if name in sys.modules])
"""
    assert run(script, app_home) == "[]"
