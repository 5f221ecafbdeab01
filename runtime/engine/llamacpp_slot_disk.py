"""llama.cpp's KV caches on disk: slot files that the server writes and reads itself, checked before it sees them.

The server saves a slot between two tokens and does nothing else meanwhile, for a second a gigabyte or two, and nothing
can stop it. So it is asked to only while nothing runs, after the longer a pause the longer that will take, and not at
all for what takes too long; and while it does, requests wait here, where they can still be cancelled. A file that is
cut short would end the server's process: none is restored whose size and checksum are not right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock
from time import perf_counter

import msgspec

from runtime.engine.common_prefix import common_prefix
from runtime.engine.kv_worth import PrefillSpeed, is_covered, most_saving
from runtime.engine.kv_writer import FLUSH_S, KvWriter
from runtime.engine.llamacpp_http import ServerClient
from runtime.engine.llamacpp_slot_file import read_slot_tokens
from runtime.engine.llamacpp_slots import HeldTokens, Slots
from runtime.engine.llamacpp_wire import SLOT_PATH, SlotFile, SlotSaved
from runtime.kv_store.checksum import file_checksum
from runtime.kv_store.folder import KvEntry
from runtime.kv_store.payload import Interrupted, Written, new_private_file
from runtime.kv_store.store import KvContent, KvStore
from runtime.values.errors import FirstTokenError
from runtime.values.generation import GenerationEvent
from runtime.values.model import KvStoreOptions

LAYOUT = "slot file"
SLOT_TIMEOUT_S = 120.0
MOST_SAVE_S = 4.0
FIRST_BYTES_PER_SECOND = 5e8
LEAST_RATED_BYTES = 10_000_000
SPARE_BYTES = 1_000_000
"""Of a slot file: its head, the tokens, and where the cells are."""


class ServerTurn:
    """Whose turn it is: that of requests, or that of a save, which nothing can stop."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_free = Event()
        self._is_free.set()

    @property
    def is_saving(self) -> bool:
        """Whether a save is under way."""
        return not self._is_free.is_set()

    def begin_save(self, should_stop: Callable[[], bool]) -> None:
        """Take the turn for a save.

        Raises:
            Interrupted: `should_stop` said so.
        """
        with self._lock:
            if should_stop():
                raise Interrupted
            self._is_free.clear()

    def end_save(self) -> None:
        """Give the turn back."""
        self._is_free.set()

    def stop_saves(self, stop: Callable[[], None]) -> None:
        """Have no further save begin: `stop` makes `should_stop` say so."""
        with self._lock:
            stop()

    def wait(self, limit_s: float) -> None:
        """Wait until the turn is free, at most `limit_s`."""
        self._is_free.wait(limit_s)


class SaveSpeed:
    """How fast the server saves, learned from what it has saved.

    Attributes:
        bytes_per_second: of the last file that was large enough to tell.
    """

    def __init__(self) -> None:
        self.bytes_per_second = FIRST_BYTES_PER_SECOND

    def note(self, nbytes: int, seconds: float) -> None:
        """Learn from a save."""
        if nbytes >= LEAST_RATED_BYTES and seconds > 0:
            self.bytes_per_second = nbytes / seconds


class SlotSave:
    """A slot on its way to the disk; see `PayloadSource`.

    Args:
        client: speaks to the server.
        slot: which one.
        tokens: the first of the tokens that must be in it.
        nbytes: what it will take.
        turn: to be had for as long as the server is at it.
        speed: how long that will be.
    """

    def __init__(
        self, client: ServerClient, slot: int, tokens: tuple[int, ...], nbytes: int, turn: ServerTurn, speed: SaveSpeed
    ) -> None:
        self.nbytes = nbytes
        self._client = client
        self._slot = slot
        self._tokens = tokens
        self._turn = turn
        self._speed = speed

    @property
    def blocking_s(self) -> float:
        """See `PayloadSource.blocking_s`."""
        return self.nbytes / self._speed.bytes_per_second

    def write(self, path: Path, should_stop: Callable[[], bool]) -> Written:
        """See `PayloadSource.write`; it stops only before the server begins."""
        new_private_file(path).close()
        self._turn.begin_save(should_stop)
        try:
            saved = self._save(path)
        finally:
            self._turn.end_save()
        nbytes = path.stat().st_size
        if nbytes != saved.n_written:
            raise OSError(f"{nbytes} of {saved.n_written} bytes were written")
        return Written(nbytes, file_checksum(path), self._further_tokens(path))

    def _save(self, path: Path) -> SlotSaved:
        began_s = perf_counter()
        try:
            reply = _slot_action(self._client, self._slot, "save", path.name)
            saved = msgspec.json.decode(reply, type=SlotSaved)
        except (FirstTokenError, msgspec.DecodeError) as error:
            raise OSError(f"the server does not save slot {self._slot}: {error}") from error
        self._speed.note(saved.n_written, perf_counter() - began_s)
        return saved

    def _further_tokens(self, path: Path) -> tuple[int, ...]:
        try:
            tokens = read_slot_tokens(path)
        except ValueError as error:
            raise OSError(f"a file of another form: {error}") from error
        if common_prefix(tokens, self._tokens) < len(self._tokens):
            raise OSError("the slot holds something else")
        return tokens[len(self._tokens) :]


class SlotDisk:
    """The store of one loaded model.

    Args:
        client: speaks to the server, which reads and writes in the store's folder.
        reader: the store, for the engine's thread.
        writer: the same store, for the thread that writes.
        context_tokens: what a slot holds at most.
        file_bytes: what the file of a slot with so many tokens takes.
        options: how soon to write, and what is worth it.
    """

    def __init__(
        self,
        client: ServerClient,
        reader: KvStore,
        writer: KvStore,
        context_tokens: int,
        file_bytes: Callable[[int], int],
        options: KvStoreOptions,
    ) -> None:
        self._client = client
        self._reader = reader
        self._writer = KvWriter(writer, options.idle_s)
        self._context_tokens = context_tokens
        self._file_bytes = file_bytes
        self._least_tokens = options.least_tokens
        self._turn = ServerTurn()
        self._save_speed = SaveSpeed()
        self._prefill_speed = PrefillSpeed()

    @property
    def is_saving(self) -> bool:
        """Whether the server is saving a slot just now, and would not hear of anything else."""
        return self._turn.is_saving

    def wait(self, limit_s: float) -> None:
        """Wait until it is no longer saving, at most `limit_s`."""
        self._turn.wait(limit_s)

    def tokens_of(self, conversation: str) -> tuple[tuple[int, ...], ...]:
        """Return the tokens of what is on disk of `conversation`."""
        return tuple(
            entry.record.tokens for entry in self._reader.entries() if entry.record.conversation == conversation
        )

    def find(self, prompt: Sequence[int], cached_tokens: int) -> KvEntry | None:
        """Return the cache that saves `prompt` most; None if none saves much more than the server's memory does.

        It is as it was written.
        """
        wanted = tuple(prompt)
        fitting = [entry for entry in self._reader.entries() if len(entry.record.tokens) < self._context_tokens]

        def saved_by(entry: KvEntry) -> int:
            return min(common_prefix(entry.record.tokens, wanted), len(wanted) - 1)

        entry = most_saving(fitting, saved_by, cached_tokens, self._least_tokens)
        return entry if entry is not None and self._reader.checked(entry) else None

    def restore(self, entry: KvEntry, slot: int) -> bool:
        """Have the idle `slot` restored from what `find` returned; if that fails, it is empty and the file gone."""
        try:
            _slot_action(self._client, slot, "restore", entry.payload.name)
        except FirstTokenError:
            self._reader.remove(entry)
            return False
        return True

    def covers(self, held: HeldTokens) -> bool:
        """Return whether what a slot holds is on disk, or is nothing to put there."""
        return not self._is_worth_writing(held)

    def write_soon(self, slots: Slots, last: Sequence[GenerationEvent]) -> None:
        """Write what is worth it of the idle slots, if nothing is asked for a while after the `last` events."""
        self._prefill_speed.note(last)
        contents = [self._content(slot, slots.slots[slot]) for slot in reversed(slots.idle)]
        worth = [one for one in contents if one is not None and one.payload.blocking_s <= MOST_SAVE_S]
        self._turn.stop_saves(lambda: self._writer.write_soon(worth))

    def pause(self) -> None:
        """Have no further save begin."""
        self._turn.stop_saves(self._writer.pause)

    def halt(self) -> None:
        """Stop writing, and wait until nothing more comes to the disk."""
        self.pause()
        self._writer.halt()

    def flush(self, limit_s: float = FLUSH_S) -> None:
        """Write what is waiting now, as far as the time suffices, and be done with the server."""
        self._writer.flush(limit_s)
        self.halt()

    def _is_worth_writing(self, held: HeldTokens) -> bool:
        if held.is_private or held.count < self._least_tokens:
            return False
        return not is_covered(self._reader.entries(), held.tokens, held.count)

    def _content(self, slot: int, held: HeldTokens) -> KvContent | None:
        if not self._is_worth_writing(held):
            return None
        nbytes = self._file_bytes(held.count) + SPARE_BYTES
        return KvContent(
            tokens=held.tokens,
            layout=LAYOUT,
            payload=SlotSave(self._client, slot, held.tokens, nbytes, self._turn, self._save_speed),
            saved_ms=held.count * self._prefill_speed.ms_per_token,
            conversation=held.conversation,
        )


def _slot_action(client: ServerClient, slot: int, action: str, name: str) -> bytes:
    path = SLOT_PATH.format(slot=slot, action=action)
    return client.call(path, msgspec.json.encode(SlotFile(name)), timeout_s=SLOT_TIMEOUT_S)
