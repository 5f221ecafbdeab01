"""A conversation in a terminal: Ctrl+C stops the reply and not the app, and a lost worker costs one reply."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.models.random_gguf import ENDLESS, write_random_gguf
from tests.runtime.cli.pseudo_terminal import CTRL_C, CTRL_D, ENTER, WAIT_S, Session, terminal_session

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals")

PROMPT = "> "


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "slow.gguf"
    write_random_gguf(path, ENDLESS)
    return path


@pytest.fixture
def conversation(slow_model: Path) -> Iterator[Session]:
    with terminal_session("chat", "--model", str(slow_model), "--temperature", "0") as session:
        session.until(PROMPT)
        yield session


def begin_reply(session: Session, question: str) -> None:
    """Ask, and wait until the reply is on its way."""
    session.type(question + ENTER)
    session.until(f"{question}\n")
    session.more()


def test_ctrl_c_stops_the_reply_and_at_the_prompt_it_leaves(conversation: Session) -> None:
    for question in ("first question", "second question"):
        begin_reply(conversation, question)
        conversation.type(CTRL_C)
        assert "Stopped." in conversation.until("TTFT")
        conversation.until(PROMPT)
    workers = conversation.workers()

    assert conversation.leave_by_ctrl_c() == 0
    assert "Traceback" not in conversation.shown
    assert workers
    assert not psutil.wait_procs(workers, WAIT_S)[1]


def test_ctrl_d_leaves(conversation: Session) -> None:
    conversation.type(CTRL_D)

    assert conversation.exit_code() == 0
    assert "Traceback" not in conversation.shown


def test_a_worker_killed_in_the_middle_of_a_reply_is_one_line_and_the_next_message_works(
    conversation: Session,
) -> None:
    begin_reply(conversation, "first question")
    (worker,) = conversation.workers()
    worker.kill()
    last_words = conversation.until(PROMPT).splitlines()[-2]
    assert "The worker was killed" in last_words
    assert "send the message again" in last_words

    begin_reply(conversation, "second question")
    conversation.type(CTRL_C)
    assert "Stopped." in conversation.until("TTFT")
    conversation.until(PROMPT)
    conversation.type("/exit" + ENTER)
    assert conversation.exit_code() == 0
    assert "Traceback" not in conversation.shown


def test_ctrl_c_while_a_lost_worker_is_replaced_stops_the_message_and_not_the_app(conversation: Session) -> None:
    (worker,) = conversation.workers()
    worker.kill()
    worker.wait(WAIT_S)
    conversation.type("a question" + ENTER)
    while not [one for one in conversation.workers() if one != worker]:
        time.sleep(0.01)
    conversation.type(CTRL_C)
    conversation.until("Stopped.")
    conversation.until(PROMPT)

    begin_reply(conversation, "another question")
    conversation.type(CTRL_C)
    conversation.until("Stopped.")
    conversation.until(PROMPT)
    conversation.type(CTRL_D)
    assert conversation.exit_code() == 0


def test_what_is_no_text_is_refused_and_the_conversation_goes_on(conversation: Session) -> None:
    conversation.type_bytes(b"half a \xff word" + ENTER.encode())
    assert "not valid UTF-8" in conversation.until(PROMPT)
    begin_reply(conversation, "a question")
    conversation.type(CTRL_C)
    conversation.until("Stopped.")
