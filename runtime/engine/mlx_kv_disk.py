"""MLX's KV caches on disk: read where that saves a prompt much, written while nothing else is to be done.

Writing begins some seconds after the last reply, in a thread of its own that only looks at memory which nobody changes,
and stops between two pieces as soon as a request comes. So no token waits for it. What was stopped is written after
the next reply, together with what came since.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from runtime.engine.mlx_cache import KvCache
from runtime.engine.mlx_conversations import Conversation, common_prefix
from runtime.engine.mlx_kv_payload import Layout, Payload, pack, read_layout, unpack
from runtime.kv_store.folder import KvEntry, KvFolder
from runtime.kv_store.model_content import model_key
from runtime.kv_store.record import KvScope
from runtime.kv_store.store import KvContent, KvStore
from runtime.values.generation import Finished, GenerationEvent
from runtime.values.model import KvStoreOptions, LoadedModel, LoadOptions

GAIN_SHARE = 4
"""A cache on disk must save more than the best one in memory: by this part of the shortest worth writing."""
COVERED_SHARE = 0.9
"""A conversation of which so much is on disk is not written again: writing wears the disk."""
LEAST_RATED_TOKENS = 16
FLUSH_S = 1.5


class _Waiting(NamedTuple):
    tokens: tuple[int, ...]
    payload: Payload
    saved_ms: float
    conversation: str


class KvDisk:
    """The store of one loaded model.

    Args:
        reader: the store, for the engine's thread.
        writer: the same store, for the thread that writes.
        new: makes an empty cache.
        options: how soon to write, and what is worth it.
    """

    def __init__(self, reader: KvStore, writer: KvStore, new: Callable[[], KvCache], options: KvStoreOptions) -> None:
        self._reader = reader
        self._writer = writer
        self._new = new
        self._options = options
        self._ms_per_token = 1.0
        self._job: _WritingJob | None = None

    def restore(self, prompt: Sequence[int], cached_tokens: int) -> Conversation | None:
        """Return the conversation on disk that saves `prompt` most; None if none saves much more than `cached_tokens`.

        It is read and checked whole.
        """
        found = [(saved, entry) for entry in self._reader.entries() if (saved := _saved(entry, prompt))]
        saved, entry = max(found, key=lambda one: one[0], default=(0, None))
        if entry is None or saved < cached_tokens + self._options.least_tokens // GAIN_SHARE:
            return None
        return self._read(entry)

    def _read(self, entry: KvEntry) -> Conversation | None:
        if not self._reader.checked(entry):
            return None
        try:
            cache = unpack(entry.payload, read_layout(entry.record.layout), self._new())
        except (OSError, RuntimeError, ValueError, KeyError, IndexError, TypeError):
            self._reader.remove(entry)
            return None
        cache.reached(len(entry.record.tokens))
        return Conversation(entry.record.tokens, cache, name=entry.record.conversation)

    def write_soon(self, conversations: Sequence[Conversation], last: Sequence[GenerationEvent]) -> None:
        """Write what is worth it of the conversations, if nothing is asked for a while after the `last` events."""
        self.pause()
        self._note_speed(last)
        with suppress(ValueError):  # A kind of cache that cannot be written stays in memory.
            self._write_soon([one for one in reversed(conversations) if self._is_worth_writing(one)])

    def _write_soon(self, conversations: Sequence[Conversation]) -> None:
        waiting = [self._waiting(one) for one in conversations]
        if waiting:
            self._job = _WritingJob(self._writer, waiting, self._options.idle_s)

    def pause(self) -> None:
        """Stop writing; does not wait."""
        if self._job is not None:
            self._job.stop()
        self._job = None

    def halt(self) -> None:
        """Stop writing, and wait until nothing more comes to the disk."""
        if self._job is not None:
            self._job.stop()
            self._job.join()
        self._job = None

    def flush(self, limit_s: float = FLUSH_S) -> None:
        """Write what is waiting now, as far as the time suffices."""
        if self._job is not None:
            self._job.hurry(limit_s)
        self.pause()

    def _note_speed(self, events: Sequence[GenerationEvent]) -> None:
        """Learn how long prompts take to read."""
        for event in events:
            if isinstance(event, Finished) and event.stats.ttft_parts is not None:
                evaluated = event.stats.prompt_tokens - event.stats.cached_tokens
                if evaluated >= LEAST_RATED_TOKENS:
                    self._ms_per_token = event.stats.ttft_parts.prefill_ms / evaluated

    def _is_worth_writing(self, conversation: Conversation) -> bool:
        tokens, cache = conversation.tokens, conversation.cache
        if conversation.is_private or len(tokens) < self._options.least_tokens or not cache.can_fork:
            return False
        covered = (common_prefix(entry.record.tokens, tokens) for entry in self._reader.entries())
        return max(covered, default=0) < COVERED_SHARE * len(tokens)

    def _waiting(self, conversation: Conversation) -> _Waiting:
        tokens, cache = conversation.tokens, conversation.cache
        return _Waiting(tokens, pack(cache.fork(len(tokens))), len(tokens) * self._ms_per_token, conversation.name)


class _WritingJob:
    """Writes conversations in a thread of its own."""

    def __init__(self, store: KvStore, waiting: list[_Waiting], idle_s: float) -> None:
        self._store = store
        self._waiting = waiting
        self._idle_s = idle_s
        self._begin = Event()
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="kv-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Have it end at the next piece."""
        self._stopped.set()
        self._begin.set()

    def join(self) -> None:
        """Wait for the end; it comes with the piece that is being written."""
        self._thread.join()

    def hurry(self, limit_s: float) -> None:
        """Begin now, and wait for the end, at most `limit_s`."""
        self._begin.set()
        self._thread.join(limit_s)

    def _run(self) -> None:
        self._begin.wait(self._idle_s)
        # Each is let go as soon as it is written: what is held here, the engine has to copy before it changes it.
        while self._waiting and not self._stopped.is_set():
            one = self._waiting.pop(0)
            content = KvContent(
                tokens=one.tokens,
                layout=one.payload.layout,
                payload_bytes=one.payload.nbytes,
                pieces=one.payload.pieces(),
                saved_ms=one.saved_ms,
                conversation=one.conversation,
            )
            self._store.write(content, self._stopped.is_set)
        self._waiting.clear()


def _saved(entry: KvEntry, prompt: Sequence[int]) -> int:
    """Return how many tokens of `prompt` the cache saves; 0 too if its layout is none."""
    shared = min(common_prefix(entry.record.tokens, tuple(prompt)), len(prompt) - 1)
    try:
        layout: Layout = read_layout(entry.record.layout)
    except ValueError:
        return 0
    return layout.usable(shared, len(entry.record.tokens))


def open_kv_disk(options: LoadOptions, path: Path, loaded: LoadedModel, new: Callable[[], KvCache]) -> KvDisk | None:
    """Return the store for a model loaded from `path`; None where none is wanted, or the model cannot be told."""
    if options.kv_store is None:
        return None
    try:
        key = model_key(path)
    except OSError:
        return None
    scope = KvScope(
        model_key=key,
        engine=loaded.engine.value,
        engine_version=loaded.engine_version,
        settings=f"kv_cache_bits={options.kv_cache_bits}, device={loaded.device}",
        model_name=loaded.name,
    )
    folder = KvFolder(Path(options.kv_store.folder))
    reader, writer = (KvStore(folder, scope, options.kv_store.budget_bytes) for _ in range(2))
    return KvDisk(reader, writer, new, options.kv_store)
