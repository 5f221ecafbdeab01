"""What the transcript costs the GUI thread: streaming into a long chat, loading one, switching and resizing.

uv run python -m tests.benchmarks.transcript_streaming

Draws offscreen, into memory. CPU is that of the GUI thread (`time.thread_time`), from the first event that leads to an
update until it is painted; wall time counts where somebody waits. Lengths and shapes are interleaved within a round.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import perf_counter, thread_time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before anything imports Qt

import msgspec
from PySide6.QtCore import QEvent, QEventLoop, QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication

from desktop.chat.transcript.transcript_view import TranscriptView
from desktop.theme.colors import LIGHT
from desktop.theme.fonts import load_fonts
from desktop.theme.icons import Icons
from desktop.theme.theme import Theme, fonts_folder, icons_folder
from runtime.config.paths import assets_folder
from runtime.values.chat import MessageId
from runtime.values.generation import TextKind
from tests.benchmarks import transcript_corpus as corpus
from tests.benchmarks.interleaved import machine, paired_ratio

WIDTH_PX, HEIGHT_PX = 1000, 800
TOKENS_PER_SECOND = 200
FRAME_MS = 16
LENGTHS = (250, 2000, 8000)
REPLY = MessageId(1_000_000)
MS_PER_S = 1000
WARM_UP_CHARACTERS = 100
"""Stream before the measured ones, as text does; what comes before them is there at once."""


class Shape(msgspec.Struct, frozen=True):
    """What streams: a beginning that is there already, and the text that is measured while it comes in."""

    name: str
    before: str
    streamed: str


def shapes(window_tokens: int) -> list[Shape]:
    """Return everything that is streamed."""
    window = window_tokens * corpus.CHARACTERS_PER_TOKEN

    def ending(name: str, text: str) -> Shape:
        return Shape(name, text[:-window], text[-window:])

    lengths = [ending(f"{length:,} tokens", corpus.answer(length + window_tokens)) for length in LENGTHS]
    return [
        *lengths,
        ending("table of 200 rows", corpus.table(200)),
        ending("code block of 2,000 lines", corpus.code(2000)),
        ending("paragraph of 10,000 characters", corpus.long_line(10_000)),
        ending("word of 10,000 characters", corpus.long_word(10_000)),
        ending("code line of 10,000 characters", "```\n" + corpus.long_word(10_000)),
        ending("list nested 50 deep", corpus.nested_list(200, 50)),
    ]


class Meter(QObject):
    """The GUI thread's CPU time from one painted update to the next."""

    def __init__(self, view: TranscriptView) -> None:
        super().__init__()
        self.samples_ms: list[float] = []
        self._view = view
        self._text_shown = self._painted = False
        view.text_shown.connect(self._note_text)
        view.viewport().installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Note that the text is painted."""
        self._painted |= event.type() == QEvent.Type.Paint and self._text_shown
        return False

    def run_until(self, is_done: Callable[[], bool]) -> None:
        """Run the event loop, and take a sample for each update."""
        used = 0.0
        while not is_done():
            before = thread_time()
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
            used += thread_time() - before
            if self._painted:
                self.samples_ms.append(used * MS_PER_S)
                used, self._text_shown, self._painted = 0.0, False, False

    def _note_text(self) -> None:
        self._text_shown = True


class Source:
    """Tokens at a steady rate, handed over once a frame, as the client hands them over."""

    def __init__(self, view: TranscriptView, text: str) -> None:
        self.is_done = False
        self._view = view
        self._text = text
        self._sent = 0
        self._started = perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._send)
        self._timer.start(FRAME_MS)

    def _send(self) -> None:
        tokens = int((perf_counter() - self._started) * TOKENS_PER_SECOND)
        due = self._text[self._sent : tokens * corpus.CHARACTERS_PER_TOKEN]
        self._sent += len(due)
        if due:
            self._view.append_text(REPLY, due, TextKind.ANSWER)
        if self._sent == len(self._text):
            self._timer.stop()
            self.is_done = True


def stream(view: TranscriptView, shape: Shape, messages: int) -> list[float]:
    """Return the CPU time of each update in ms while `shape` streams into a chat of `messages` messages."""
    view.set_messages(corpus.chat(messages))
    view.add_message(corpus.streaming_message(REPLY))
    for text in (shape.before[:-WARM_UP_CHARACTERS], shape.before[-WARM_UP_CHARACTERS:]):
        view.append_text(REPLY, text, TextKind.ANSWER)
        settle()
    meter = Meter(view)
    source = Source(view, shape.streamed)
    meter.run_until(lambda: source.is_done)
    view.viewport().removeEventFilter(meter)
    settle()
    return meter.samples_ms


def settle(seconds: float = 0.15) -> None:
    """Let everything happen that is due."""
    until = perf_counter() + seconds
    while perf_counter() < until:
        QApplication.processEvents()


def wall_ms(view: TranscriptView, change: Callable[[], object]) -> float:
    """Return the time from a change until it is painted, ms."""
    begun = perf_counter()
    change()
    view.viewport().repaint()
    ended = perf_counter()
    settle(0.02)
    return (ended - begun) * MS_PER_S


def percentile(samples: Iterable[float], share: float) -> float:
    """Return the value that `share` of the samples do not exceed."""
    ordered = sorted(samples)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def row(name: str, rounds: Sequence[Sequence[float]], target: str) -> str:
    """Return a line of the table: over all samples, and between the rounds' own figures."""
    pooled = [sample for samples in rounds for sample in samples]
    own = [percentile(samples, 0.99) for samples in rounds]
    return (
        f"| {name} | {percentile(pooled, 0.5):.2f} | {percentile(pooled, 0.99):.2f} | {min(own):.2f} to {max(own):.2f} "
        f"| {len(pooled)} | {target} |"
    )


def report_streaming(view: TranscriptView, options: argparse.Namespace) -> None:
    """Measure streaming and print its table."""
    chosen = [shape for shape in shapes(options.window) if options.only in shape.name]
    rounds: dict[str, list[list[float]]] = {shape.name: [] for shape in chosen}
    for number in range(-1, options.rounds):
        for shape in chosen if number % 2 else chosen[::-1]:
            samples = stream(view, shape, options.messages)
            if number >= 0:
                rounds[shape.name].append(samples)
    emit(f"CPU of the GUI thread per update, ms, at {TOKENS_PER_SECOND} tok/s into {options.messages} messages:\n")
    emit("| streaming | p50 | p99 | p99 of each round | updates | target |\n|---|---:|---:|---|---:|---|")
    for name, of_shape in rounds.items():
        emit(row(name, of_shape, "p99 < 8" if name[0].isdigit() else ""))
    short, long = (rounds.get(f"{length:,} tokens") for length in (LENGTHS[0], LENGTHS[-1]))
    for label, share in (("p50", 0.5), ("p99", 0.99)):
        if short and long:
            of_long, of_short = ([percentile(samples, share) for samples in side] for side in (long, short))
            emit(f"\n{label} at 8,000 tokens ÷ {label} at 250: {paired_ratio(of_long, of_short)}, target ≤ 1.3")


def report_waiting(view: TranscriptView, options: argparse.Namespace) -> None:
    """Measure loading, switching and resizing, and print their table."""
    long_chat = corpus.chat(1000)
    two = [corpus.chat(200, first_id=10_000 * number, seed=number) for number in (1, 2)]
    loads: list[float] = []
    switches: list[float] = []
    resizes: list[float] = []
    for number in range(-1, options.rounds * 4):
        view.set_messages([])
        settle(0.02)
        load = wall_ms(view, lambda: view.set_messages(long_chat))
        resized = [wall_ms(view, partial(view.resize, width, HEIGHT_PX)) for width in (760, WIDTH_PX)]
        view.set_messages(two[0])
        settle(0.02)
        switched = [wall_ms(view, partial(view.set_messages, messages)) for messages in two[::-1]]
        if number >= 0:
            loads.append(load)
            resizes += resized
            switches += switched
    emit("\nWall time until painted, ms:\n")
    emit("| what | p50 | p99 | worst | times | target |\n|---|---:|---:|---:|---:|---|")
    for name, samples, target in (
        ("load a chat of 1,000 messages", loads, "< 100"),
        ("the same as the first one in its process", first_loads(options.rounds), "< 100"),
        ("switch between chats of 200 messages", switches, "< 50"),
        ("resize a chat of 1,000 messages", resizes, "< 16"),
    ):
        p50, p99 = percentile(samples, 0.5), percentile(samples, 0.99)
        emit(f"| {name} | {p50:.1f} | {p99:.1f} | {max(samples):.1f} | {len(samples)} | {target} |")


def first_loads(times: int) -> list[float]:
    """Return how long the first load in a process takes, imports included; compiled modules are at hand."""
    command = [sys.executable, "-m", __spec__.name if __spec__ else __name__, "--first-load"]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
        found = [float(subprocess.check_output(command, text=True, env=environment)) for _ in range(times + 1)]
    return found[1:]


def emit(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=200, help="messages above the reply that streams")
    parser.add_argument("--window", type=int, default=250, help="tokens that are measured while they stream")
    parser.add_argument("--only", default="", help="measure only what has this in its name, and no loading")
    parser.add_argument("--first-load", action="store_true", help="print how long the first load takes, nothing else")
    return parser.parse_args()


def make_view() -> TranscriptView:
    """Return an empty transcript on the screen."""
    assets = assets_folder()
    view = TranscriptView(Theme(LIGHT, load_fonts(fonts_folder(assets)), Icons(icons_folder(assets))))
    view.resize(WIDTH_PX, HEIGHT_PX)
    view.show()
    settle()
    return view


def main() -> None:
    """Measure and print."""
    options = parsed()
    application = QApplication(sys.argv[:1])
    view = make_view()
    gc.collect()
    gc.freeze()  # as the app does
    if options.first_load:
        messages = corpus.chat(1000)
        emit(str(wall_ms(view, lambda: view.set_messages(messages))))
    else:
        emit(f"{machine()}\n")
        report_streaming(view, options)
        if not options.only:
            report_waiting(view, options)
    view.close()
    application.quit()


if __name__ == "__main__":
    main()
