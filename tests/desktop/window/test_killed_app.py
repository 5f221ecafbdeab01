"""The whole app killed while it writes a reply: the next start shows the chat, and the reply as interrupted."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
from contextlib import closing

import psutil
import pytest

from runtime.values.chat import MessageState
from tests.desktop.window.opened_window import SLOW, Home, until
from tests.desktop.window.window_process import KEPT, STREAMING, start

KILLS = 5


class App:
    """The app as a process of its own, which does one thing and goes on."""

    def __init__(self, home: Home, *arguments: str) -> None:
        self._process = start(home, *arguments)

    def wait_until_it_says(self, word: str) -> None:
        """Wait until that is done."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == word

    def kill(self) -> None:
        """End it as the system does, and wait until its worker has ended itself."""
        workers = psutil.Process(self._process.pid).children(recursive=True)
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        _gone, alive = psutil.wait_procs(workers, timeout=20)
        assert alive == []


def characters_on_disk(home: Home) -> int:
    """Return how much text of replies is in the database, which another process is writing."""
    with closing(sqlite3.connect(f"file:{home.database}?mode=ro", uri=True)) as connection:
        (characters,) = connection.execute("SELECT coalesce(sum(length(text)), 0) FROM reply_chunks").fetchone()
    return int(characters)


async def test_a_killed_app_shows_the_chat_again_and_the_reply_as_interrupted(home: Home) -> None:
    await kill_and_open_again(home, least_on_disk=1)


async def test_what_was_written_in_a_new_chat_outlives_a_kill(home: Home) -> None:
    home.use_script(SLOW)
    app = App(home, "draft", "half a thought")
    app.wait_until_it_says(KEPT)
    app.kill()
    async with home.open() as window:
        assert window.composer.toPlainText() == "half a thought"


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_no_kill_at_any_moment_loses_the_chat(home: Home) -> None:
    moments = random.Random(5)
    for _ in range(KILLS):
        await kill_and_open_again(home, after_s=moments.uniform(0, 2.5))


async def kill_and_open_again(home: Home, *, after_s: float = 0.0, least_on_disk: int = 0) -> None:
    """Let the app write for a while, kill it, and look at what the next start shows."""
    home.use_script(SLOW)
    app = App(home, "stream", "Count for me")
    app.wait_until_it_says(STREAMING)
    await asyncio.sleep(after_s)
    while (on_disk := characters_on_disk(home)) < least_on_disk:  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.05)
    app.kill()
    async with home.open() as window:
        await until(lambda: window.path, "the chat of before")
        question, reply = window.path[-2:]
        assert question.text == "Count for me"
        assert reply.state is MessageState.INTERRUPTED
        assert len(reply.text) >= on_disk
        words = reply.text.split()
        assert words[:-1] == [f"word{number}" for number in range(len(words[:-1]))]
        assert "Interrupted" in window.message_view(-1).notice
        window.click("newChatButton")
        await window.idle()
