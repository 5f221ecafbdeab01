"""MLX's KV caches on disk: read where that saves a prompt much, written while nothing else is to be done.

The thread that writes only looks at memory which nobody changes, and stops between two pieces as soon as a request
comes. So no token waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from runtime.engine.common_prefix import common_prefix
from runtime.engine.kv_worth import PrefillSpeed, is_covered, most_saving
from runtime.engine.kv_writer import FLUSH_S, KvWriter
from runtime.engine.mlx_cache import KvCache
from runtime.engine.mlx_conversations import Conversation
from runtime.engine.mlx_kv_payload import Layout, pack, read_layout, unpack
from runtime.kv_store.folder import KvEntry, KvFolder
from runtime.kv_store.model_content import model_key
from runtime.kv_store.payload import Pieces
from runtime.kv_store.record import KvScope
from runtime.kv_store.store import KvContent, KvStore
from runtime.values.generation import GenerationEvent
from runtime.values.model import KvStoreOptions, LoadedModel, LoadOptions


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
        self._writer = KvWriter(writer, options.idle_s)
        self._new = new
        self._least_tokens = options.least_tokens
        self._speed = PrefillSpeed()

    def restore(self, prompt: Sequence[int], cached_tokens: int) -> Conversation | None:
        """Return the conversation on disk that saves `prompt` most; None if none saves much more than `cached_tokens`.

        It is read and checked whole.
        """
        entries = self._reader.entries()
        entry = most_saving(entries, lambda entry: _saved(entry, prompt), cached_tokens, self._least_tokens)
        return None if entry is None else self._read(entry)

    def tokens_of(self, name: str) -> tuple[tuple[int, ...], ...]:
        """Return the tokens of what is on disk of the chat with the key `name`."""
        return tuple(entry.record.tokens for entry in self._reader.entries() if entry.record.conversation == name)

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
        self._speed.note(last)
        self._writer.pause()
        with suppress(ValueError):  # A kind of cache that cannot be written stays in memory.
            worth = [one for one in reversed(conversations) if self._is_worth_writing(one)]
            self._writer.write_soon([self._content(one) for one in worth])

    def pause(self) -> None:
        """Stop writing; does not wait."""
        self._writer.pause()

    def halt(self) -> None:
        """Stop writing, and wait until nothing more comes to the disk."""
        self._writer.halt()

    def flush(self, limit_s: float = FLUSH_S) -> None:
        """Write what is waiting now, as far as the time suffices."""
        self._writer.flush(limit_s)

    def _is_worth_writing(self, conversation: Conversation) -> bool:
        tokens, cache = conversation.tokens, conversation.cache
        if conversation.is_private or len(tokens) < self._least_tokens or not cache.can_fork:
            return False
        return not is_covered(self._reader.entries(), tokens, len(tokens))

    def _content(self, conversation: Conversation) -> KvContent:
        tokens, cache = conversation.tokens, conversation.cache
        payload = pack(cache.fork(len(tokens)))
        return KvContent(
            tokens=tokens,
            layout=payload.layout,
            payload=Pieces(payload.nbytes, payload.pieces()),
            saved_ms=len(tokens) * self._speed.ms_per_token,
            conversation=conversation.name,
        )


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
