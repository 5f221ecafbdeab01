"""What lies at the path decides: nothing, a healthy, a damaged, a foreign, a newer database, or one in use."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import pytest

from runtime.store.opening import Store, open_store
from runtime.values.chat import MessageId, MessageState
from runtime.values.errors import StoreError
from runtime.values.generation import TextKind
from tests.runtime.store.chat_examples import add_exchange, add_long_chat, texts
from tests.runtime.store.conftest import Clock

QUESTIONS = 40


def make_database(file: Path) -> None:
    """Make a database of some hundred pages."""
    store = open_store(file, now_unix_ms=Clock()).store
    for number in range(4):
        add_long_chat(store, [f"chat {number} message {place} " + "lorem ipsum " * 40 for place in range(QUESTIONS)])
    store.close()


def cut_in_half(file: Path) -> None:
    """Keep the first half of the pages."""
    os.truncate(file, file.stat().st_size // 8192 * 4096)


def overwrite(start: float, count: int) -> Callable[[Path], None]:
    """Return what overwrites bytes from a fraction of the file on."""

    def damage(file: Path) -> None:
        content = bytearray(file.read_bytes())
        at = int(len(content) * start)
        content[at : at + count] = Random(1).randbytes(count)
        file.write_bytes(content)

    return damage


def make_foreign(file: Path) -> None:
    """Put another program's database there."""
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")


def drop_a_column(file: Path) -> None:
    """Change a table behind the version's back."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("ALTER TABLE chats DROP COLUMN draft")


def fill(content: bytes) -> Callable[[Path], None]:
    """Return what replaces a file's content."""

    def damage(file: Path) -> None:
        file.write_bytes(content)

    return damage


def spoil_the_schema(file: Path) -> None:
    """Flip a bit in the text that defines the table of chats, the first that mentions this word."""
    file.write_bytes(file.read_bytes().replace(b"title_is_automatic INTEGER", b"title_is_automatic INTE\xc7ER", 1))


DAMAGE: dict[str, tuple[Callable[[Path], None], int]] = {
    "zero bytes": (fill(b""), 0),
    "garbage": (fill(Random(0).randbytes(100_000)), 0),
    "text": (fill(b"my chats\n"), 0),
    "zeros": (fill(bytes(65536)), 0),
    "foreign database": (make_foreign, 0),
    "header overwritten": (overwrite(0.0, 60), 0),
    "cut in half": (cut_in_half, 1),
    "hole in the middle": (overwrite(0.5, 20_000), 100),
    "definition of a table unreadable": (spoil_the_schema, 160),
    "column missing": (drop_a_column, 0),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_kept_named_salvaged_and_replaced(file: Path, name: str) -> None:
    damage, least_salvaged = DAMAGE[name]
    make_database(file)
    damage(file)
    content = file.read_bytes()

    opened = open_store(file)
    try:
        assert opened.damage is not None
        kept = Path(opened.damage.kept_aside)
        assert kept.parent == file.parent
        assert kept.name.startswith("chats.corrupt-")
        assert kept.read_bytes() == content
        assert opened.damage.reason
        assert opened.damage.salvaged_messages >= least_salvaged
        found = [m for chat in opened.store.chats.summaries() for m in opened.store.messages.current_path(chat.id)]
        assert len(found) <= opened.damage.salvaged_messages
        assert not least_salvaged or found
        chat = opened.store.chats.create().id
        add_exchange(opened.store, chat, "works again", "yes")
        assert opened.store.search.find("works again").messages
    finally:
        opened.store.close()
    check_reopens(file)


def check_reopens(file: Path) -> None:
    """The file that replaced a damaged one is healthy."""
    again = open_store(file)
    again.store.close()
    assert again.damage is None


def test_salvage_keeps_what_a_hole_leaves(file: Path) -> None:
    make_database(file)
    overwrite(0.6, 4096)(file)
    opened = open_store(file)
    assert opened.damage is not None
    assert opened.damage.salvaged_messages > 4 * QUESTIONS * 0.8
    for hit in opened.store.search.find("message lorem", limit=1000).messages:
        whole = opened.store.messages.get(hit.message_id).text
        assert whole.endswith("lorem ipsum " * 40)
    opened.store.close()


def test_a_value_of_the_wrong_type_costs_that_value_and_not_the_message(file: Path) -> None:
    make_database(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        (strict,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'messages'").fetchone()
        change = "UPDATE sqlite_master SET sql = ? WHERE name = 'messages'"
        connection.execute(change, (strict.replace("STRICT", ""),))
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.executescript("PRAGMA ignore_check_constraints = ON; PRAGMA writable_schema = ON;")
        connection.execute(
            "UPDATE messages SET created_unix_ms = 'soon', state = 'cmmplete', stats = x'00' WHERE id = 7"
        )
        connection.execute(change, (strict,))

    opened = open_store(file)
    message = opened.store.messages.get(MessageId(7))
    opened.store.close()
    assert opened.damage is not None
    assert opened.damage.salvaged_messages == 4 * QUESTIONS
    assert message.text.startswith("chat 0 message 6")
    assert (message.created_unix_ms, message.state, message.stats) == (0, MessageState.INTERRUPTED, None)


def test_damage_that_only_shows_in_use_is_dealt_with_at_the_next_start(file: Path) -> None:
    make_database(file)
    opened = open_store(file)
    with pytest.raises(StoreError, match="damaged"):
        opened.store.database.rows(tuple[str], "SELECT id FROM messages")
    opened.store.close()

    again = open_store(file)
    again.store.close()
    assert again.damage is not None
    assert again.damage.salvaged_messages == 4 * QUESTIONS
    check_reopens(file)


@pytest.mark.parametrize("seed", range(25))
def test_flipped_bits_never_prevent_opening_or_reading(file: Path, seed: int) -> None:
    make_database(file)
    random = Random(seed)
    content = bytearray(file.read_bytes())
    for _ in range(random.choice([1, 3, 30])):
        content[random.randrange(100, len(content))] ^= 1 << random.randrange(8)
    file.write_bytes(content)

    opened = open_store(file)
    try:
        for chat in opened.store.chats.summaries():
            opened.store.messages.current_path(chat.id)
        add_exchange(opened.store, opened.store.chats.create().id, "lorem", "ipsum")
        opened.store.search.find("lorem ipsum")
    except StoreError:
        pass  # damage that only shows in use is said plainly, and mended at the next start
    finally:
        opened.store.close()
    check_opens(file)


def check_opens(file: Path) -> None:
    """Whatever the last session met, the next one has a store to work with."""
    opened = open_store(file)
    add_exchange(opened.store, opened.store.chats.create().id, "question", "answer")
    opened.store.close()


def test_files_kept_aside_do_not_replace_each_other(file: Path) -> None:
    for content in (b"first", b"second", b"third"):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        open_store(file, now_unix_ms=lambda: 1_700_000_000_000).store.close()
    kept = sorted(path.name for path in file.parent.glob("*corrupt*"))
    assert kept == [
        "chats.corrupt-20231114-221320-2.sqlite3",
        "chats.corrupt-20231114-221320-3.sqlite3",
        "chats.corrupt-20231114-221320.sqlite3",
    ]
    assert {path.read_bytes() for path in file.parent.glob("*corrupt*")} == {b"first", b"second", b"third"}


def test_what_a_killed_salvage_left_is_cleared_away(file: Path) -> None:
    make_database(file)
    overwrite(0.5, 20_000)(file)
    file.with_name(file.name + ".new").write_bytes(b"half a database")
    file.with_name(file.name + ".new-journal").write_bytes(b"half a journal")
    workshop = file.with_name(file.name + ".salvage")
    workshop.mkdir()
    (workshop / "copy.sqlite3").write_bytes(b"half a copy")

    opened = open_store(file)
    opened.store.close()
    assert opened.damage is not None
    assert opened.damage.salvaged_messages > 0
    kept = Path(opened.damage.kept_aside).name
    left = {path.name for path in file.parent.iterdir() if not path.name.startswith(kept)}
    assert left == {file.name, f"{file.name}.lock"}


def test_a_log_without_its_file_is_kept_aside(file: Path) -> None:
    file.parent.mkdir()
    log = file.with_name(file.name + "-wal")
    log.write_bytes(b"the log of a file that is gone")
    opened = open_store(file)
    opened.store.close()
    assert opened.damage is not None
    assert Path(opened.damage.kept_aside + "-wal").read_bytes() == b"the log of a file that is gone"


def test_a_newer_database_is_refused_and_not_touched(file: Path) -> None:
    make_database(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 9999")
    content, modified = file.read_bytes(), file.stat().st_mtime_ns
    with pytest.raises(StoreError, match="newer version") as refusal:
        open_store(file)
    assert str(file) in refusal.value.what
    assert (file.read_bytes(), file.stat().st_mtime_ns) == (content, modified)
    assert not list(file.parent.glob("*corrupt*"))


def test_what_stood_in_the_log_alone_is_read_after_a_crash(file: Path, tmp_path: Path) -> None:
    make_database(file)
    store = open_store(file).store
    chat = store.chats.create().id
    add_exchange(store, chat, "only in the log", "yes")
    copy = tmp_path / "copy"
    shutil.copytree(file.parent, copy)
    store.close()

    opened = open_store(copy / file.name)
    path = opened.store.messages.current_path(chat)
    opened.store.close()
    assert opened.damage is None
    assert texts(path) == ["only in the log", "yes"]


def test_a_folder_that_cannot_be_made_or_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(tmp_path / "a file" / "chats.sqlite3")
    (tmp_path / "chats.sqlite3").mkdir()
    with pytest.raises(StoreError):
        open_store(tmp_path / "chats.sqlite3")
    assert (tmp_path / "chats.sqlite3").is_dir()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs permissions that bind")
def test_a_read_only_folder_says_so(file: Path) -> None:
    make_database(file)
    file.parent.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="permissions"):
            open_store(file)
    finally:
        file.parent.chmod(0o700)
    check_reopens(file)


def test_a_database_that_became_read_only_says_so(store: Store) -> None:
    chat = store.chats.create().id
    store.database.rows(tuple[int], "PRAGMA query_only = 1")
    with pytest.raises(StoreError, match="opened for writing"):
        store.chats.save_draft(chat, "typed")
    store.database.rows(tuple[int], "PRAGMA query_only = 0")
    store.chats.save_draft(chat, "typed")
    assert store.chats.get(chat).draft == "typed"


@contextmanager
def another_process(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that has the database open."""
    command = [sys.executable, "-m", "tests.runtime.store.open_and_wait", str(file)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdigit()
        yield process
        process.communicate(timeout=30)


def test_two_processes_share_a_database(file: Path) -> None:
    with another_process(file):
        opened = open_store(file)
        chat = opened.store.chats.create(title="from this process").id
        writer = opened.store.replies.begin(chat, None, model=None, quantization=None)
        writer.append("still being written", TextKind.ANSWER)
        writer.flush()
        with another_process(file) as third:
            assert third.poll() is None
        assert opened.store.messages.get(writer.message_id).state is MessageState.STREAMING
    titles = {summary.title for summary in opened.store.chats.summaries()}
    assert titles == {"from this process", "from the other process"}
    assert len(opened.store.chats.summaries()) == 3
    opened.store.close()


def test_a_damaged_file_in_use_is_not_taken_away(file: Path) -> None:
    make_database(file)
    with another_process(file):
        good = file.read_bytes()
        overwrite(0.5, 20_000)(file)
        content = file.read_bytes()
        with pytest.raises(StoreError, match="damaged"):
            open_store(file)
        assert file.read_bytes() == content
        file.write_bytes(good)


def test_a_lock_that_is_held_too_long_says_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(file).store.close()
    monkeypatch.setattr("runtime.store.database.BUSY_TIMEOUT_S", 0.1)
    lock = file.with_name(file.name + ".lock")
    with closing(sqlite3.connect(lock, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked"):
            open_store(file)
