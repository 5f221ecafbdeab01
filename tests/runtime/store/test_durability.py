"""The app is killed at any moment: the database stays intact, and nothing that was committed is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from runtime.store.damage import damage_of
from runtime.store.opening import open_store
from runtime.values.chat import MessageState
from tests.runtime.store.write_until_killed import READY, question, text_of

ROOT = Path(__file__).parents[3]
Committed = dict[int, int]  # message id → characters known to be durable


def kill_after_a_while(file: Path, random: Random) -> Committed:
    """Let a process write into the database, kill it at a random moment, and return what it said was committed."""
    command = [sys.executable, "-m", "tests.runtime.store.write_until_killed", str(file), str(random.randrange(10**6))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        seen: list[str] = []
        if random.random() < 0.15:  # while it starts and opens the database
            time.sleep(random.uniform(0.05, 0.5))
        else:
            assert process.stdout.readline().strip() == READY
            seen = [process.stdout.readline() for _ in range(random.randrange(12))]
            time.sleep(random.uniform(0.0, 0.01))
        process.kill()
        lines = [line.split() for line in (*seen, *process.stdout) if line.endswith("\n")]
    committed: Committed = {}
    for message_id, characters in (line for line in lines if line != [READY]):
        committed[int(message_id)] = int(characters)
    return committed


def check(file: Path, committed: Committed) -> None:
    """Everything that was committed is there, and no reply is left half open."""
    assert damage_of(file) is None
    opened = open_store(file)
    try:
        assert opened.damage is None
        rows = opened.store.database.rows(tuple[int, str, str, str], "SELECT id, role, state, text FROM messages")
        texts = {message_id: text for message_id, _, _, text in rows}
        assert {m: n for m, n in committed.items() if len(texts.get(m, "")) < n} == {}
        for message_id, role, state, text in rows:
            expected = question(message_id) if role == "user" else text_of(message_id, len(text))
            assert text == expected
            assert state in {MessageState.COMPLETE.value, MessageState.INTERRUPTED.value}
        assert opened.store.database.rows(tuple[int], "SELECT count(*) FROM reply_chunks") == [(0,)]
        last = max((m for m, n in committed.items() if n >= 8), default=None)
        assert last is None or opened.store.search.find(texts[last][:8]).messages
    finally:
        opened.store.close()


def survive(file: Path, kills: int, seed: int) -> Committed:
    """Kill as often as asked; look after about every other kill, so that the next process has to clean up itself."""
    random = Random(seed)
    committed: Committed = {}
    for _ in range(kills):
        committed.update(kill_after_a_while(file, random))
        if random.random() < 0.5:
            check(file, committed)
    check(file, committed)
    return committed


def test_nothing_committed_is_lost_by_a_kill(file: Path) -> None:
    assert len(survive(file, kills=20, seed=1)) > 20
    assert 3 <= count_interrupted(file) <= 20


def count_interrupted(file: Path) -> int:
    """Return how many replies were cut off in the middle."""
    opened = open_store(file)
    sql = "SELECT count(*) FROM messages WHERE state = 'interrupted' AND text <> ''"
    ((count,),) = opened.store.database.rows(tuple[int], sql)
    opened.store.close()
    return count


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_committed_is_lost_by_hundreds_of_kills(file: Path) -> None:
    assert len(survive(file, kills=250, seed=2)) > 250
