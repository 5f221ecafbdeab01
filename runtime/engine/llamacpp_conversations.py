"""The conversations on a llama-server: where a prompt goes, and what is kept, read from disk before, and forgotten.

Within a session the server goes on from whatever a slot shares with the prompt, and keeps what others displace in a
prompt cache of its own; but an edit cuts a conversation back, and what it had before is gone from memory. By then it is
on disk, as a rule, and so the way back is short as well.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

import msgspec

from runtime.engine.llamacpp_http import EventStream, ServerClient
from runtime.engine.llamacpp_slot_disk import SlotDisk
from runtime.engine.llamacpp_slots import NOTHING, HeldTokens, Slots
from runtime.engine.llamacpp_wire import COMPLETION_PATH, SLOT_PATH, EventReader, reading_body
from runtime.kv_store.folder import KvEntry
from runtime.values.errors import FirstTokenError
from runtime.values.generation import GenerateRequest, GenerationEvent
from runtime.values.kv_cache import CacheOrigin, KeptCache

SLOT_TIMEOUT_S = 60.0
RECALL_TIMEOUT_S = 10.0
FILLER_TOKEN = 0
NEGLIGIBLE_TOKENS = 32


class Place(NamedTuple):
    """Where a prompt is to run, and where from what the slot holds of it has come."""

    slot: int
    origin: CacheOrigin


class Conversations:
    """What one server keeps.

    Args:
        client: speaks to it.
        slots: the account of what it holds.
        disk: the store; None where nothing is kept on disk.
        held_bytes: what so many tokens take in memory.
    """

    def __init__(
        self, client: ServerClient, slots: Slots, disk: SlotDisk | None, held_bytes: Callable[[int], int]
    ) -> None:
        self._client = client
        self._slots = slots
        self._disk = disk
        self._held_bytes = held_bytes

    @property
    def is_held_up(self) -> bool:
        """Whether the server is saving a slot just now, so that nothing is to be asked of it."""
        return self._disk is not None and self._disk.is_saving

    @property
    def last_tokens(self) -> int:
        """How many tokens the slot holds that was used last."""
        idle = self._slots.idle
        return self._slots.slots[idle[-1]].count if idle else 0

    def wait(self, limit_s: float) -> None:
        """Wait until the server has saved what it is saving, at most `limit_s`."""
        if self._disk is not None:
            self._disk.wait(limit_s)

    def take(self, prompt: Sequence[int], request: GenerateRequest) -> Place:
        """Return where `prompt` is to run; what saves much of it is read from disk before."""
        slot, shared_tokens = self._slots.place(prompt)
        origin = CacheOrigin.MEMORY
        if self._disk is not None and request.reuse_cache:
            entry = self._disk.find(prompt, shared_tokens)
            if entry is not None:
                slot = self._slots.idle[0]
                origin = CacheOrigin.DISK if self._restore(self._disk, entry, slot) else CacheOrigin.MEMORY
        if self._slots.displaced:
            self._fill(slot)
        self._slots.start(prompt, slot)
        return Place(slot, origin)

    def tokens_on_disk(self, conversation: str) -> tuple[tuple[int, ...], ...]:
        """Return the tokens of what is on disk of `conversation`; "" is nobody's."""
        return self._disk.tokens_of(conversation) if self._disk is not None and conversation else ()

    def leave(self, slot: int, held: HeldTokens) -> None:
        """Note what a request that has ended has left in its slot."""
        self._slots.end(slot, held)

    def slot_number(self, slot: int) -> int | None:
        """Return how a request names its slot; not at all where there is only one."""
        return slot if len(self._slots.slots) > 1 else None

    def kept(self) -> tuple[KeptCache, ...]:
        """Return what is kept in memory."""
        idle = [self._slots.slots[slot] for slot in self._slots.idle]
        return tuple(self._described(held) for held in (*self._slots.displaced, *idle) if held.count)

    def forget(self, conversation: str | None) -> None:
        """Drop what is kept of `conversation`, or of all of them, and give up writing it."""
        if self._disk is not None:
            self._disk.halt()
        for slot in self._slots.idle:
            if _is_meant(self._slots.slots[slot], conversation):
                self._erase(slot)
        meant = [held for held in self._slots.displaced if _is_meant(held, conversation)]
        if meant and self._slots.idle:
            slot = self._slots.idle[0]
            if self._slots.slots[slot].count:
                self._displace(slot)
                self._erase(slot)
            for held in meant:
                self._recall(held, slot)

    def pause(self) -> None:
        """Have no slot saved for now: a request has come."""
        if self._disk is not None:
            self._disk.pause()

    def write_soon(self, last: Sequence[GenerationEvent]) -> None:
        """Have slots saved if nothing is asked for a while after the `last` events."""
        if self._disk is not None:
            self._disk.write_soon(self._slots, last)

    def close(self) -> None:
        """Save what is waiting, as far as there is time, and be done with the server."""
        if self._disk is not None:
            self._disk.flush()

    def _described(self, held: HeldTokens) -> KeptCache:
        return KeptCache(
            conversation=held.conversation,
            tokens=held.count,
            nbytes=self._held_bytes(held.count),
            is_private=held.is_private,
        )

    def _restore(self, disk: SlotDisk, entry: KvEntry, slot: int) -> bool:
        """Restore a slot, and put what it holds into the prompt cache before, if it would be lost."""
        if not disk.covers(self._slots.slots[slot]):
            self._displace(slot)
        restored = disk.restore(entry, slot)
        tokens = entry.record.tokens
        held = HeldTokens(tokens=tokens, count=len(tokens), conversation=entry.record.conversation)
        self._slots.put(slot, held if restored else NOTHING)
        return restored

    def _fill(self, slot: int) -> None:
        """Have an empty slot hold something, or, asked for by its number, it gets nothing from the prompt cache."""
        if self.slot_number(slot) is not None and not self._slots.slots[slot].count:
            with suppress(FirstTokenError):
                self._read((FILLER_TOKEN,), slot)

    def _displace(self, slot: int) -> None:
        """Have the server put what a slot holds into its prompt cache, by sending it something else."""
        with suppress(FirstTokenError):
            self._read((FILLER_TOKEN,), slot)
        self._slots.displace(slot)

    def _recall(self, held: HeldTokens, slot: int) -> None:
        """Have something come back from the server's prompt cache into an empty slot, and erase it there.

        There is no other way to have it dropped.
        """
        self._fill(slot)
        with suppress(FirstTokenError):
            self._read((*held.tokens, FILLER_TOKEN), slot)
        self._slots.drop_displaced(held)
        self._erase(slot)

    def _read(self, prompt: tuple[int, ...], slot: int) -> None:
        """Have a slot read a prompt, unless it turns out to hold so little of it that this would take long.

        Raises:
            FirstTokenError: the server is gone, or refuses.
        """
        body = msgspec.json.encode(reading_body(prompt, self.slot_number(slot)))
        stream = self._client.open_stream(COMPLETION_PATH, body)
        reader = EventReader()
        try:
            for payload in _payloads(stream, RECALL_TIMEOUT_S):
                progress = reader.event(payload).prompt_progress
                if progress is not None and progress.total - progress.cache > NEGLIGIBLE_TOKENS:
                    return
        finally:
            stream.close()

    def _erase(self, slot: int) -> None:
        """Have the server drop what a slot holds; it waits for what it is at."""
        with suppress(FirstTokenError):
            self._client.call(SLOT_PATH.format(slot=slot, action="erase"), b"{}", timeout_s=SLOT_TIMEOUT_S)
        self._slots.put(slot, NOTHING)


def _is_meant(held: HeldTokens, conversation: str | None) -> bool:
    return conversation is None or (held.count > 0 and held.conversation == conversation)


def _payloads(stream: EventStream, limit_s: float) -> Iterator[bytes]:
    """Yield what a stream says until it ends, waiting at most `limit_s` for all of it.

    Raises:
        FirstTokenError: the server is gone, or refuses.
    """
    deadline_s = monotonic() + limit_s
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not stream.done and (left_s := deadline_s - monotonic()) > 0:
            if selector.select(left_s):
                yield from stream.read()
