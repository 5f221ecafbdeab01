"""The shape of a chat: which message follows which, and which branch is looked at. No SQL, no text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from runtime.values.chat import MessageId

FIRST_MESSAGES = MessageId(0)  # stands for the parent of a chat's first messages; no message has this id


class TreeRow(msgspec.Struct, array_like=True, frozen=True):
    """A message and what it follows."""

    id: MessageId
    parent_id: MessageId | None


class ChoiceRow(msgspec.Struct, array_like=True, frozen=True):
    """The child last looked at below a message."""

    parent_id: MessageId
    child_id: MessageId


class ChatTree:
    """Messages that are not deleted, as a tree, and the choices that make one path of it the current one.

    Whatever the database holds, walking ends: a message is reached through its one parent or not at all.
    """

    def __init__(self, messages: Iterable[TreeRow], choices: Iterable[ChoiceRow]) -> None:
        self._parents: dict[MessageId, MessageId] = {}
        self._children: dict[MessageId, list[MessageId]] = {}
        for row in messages:
            parent = row.parent_id or FIRST_MESSAGES
            self._parents[row.id] = parent
            self._children.setdefault(parent, []).append(row.id)
        self._choices: Mapping[MessageId, MessageId] = {row.parent_id: row.child_id for row in choices}

    def siblings(self, message_id: MessageId) -> tuple[MessageId, ...]:
        """Return every version at the place of a message, oldest first, itself included."""
        return tuple(self._children[self._parents[message_id]])

    def chosen_child(self, parent_id: MessageId) -> MessageId | None:
        """Return the child last looked at, or the newest; None if there is none."""
        children = self._children.get(parent_id, ())
        choice = self._choices.get(parent_id)
        return choice if choice in children else children[-1] if children else None

    def current_path(self) -> Iterator[MessageId]:
        """Yield the current path, first message first."""
        child = self.chosen_child(FIRST_MESSAGES)
        while child is not None:
            yield child
            child = self.chosen_child(child)

    def choices_leading_to(self, message_id: MessageId) -> Iterator[ChoiceRow]:
        """Yield what has to be chosen for the current path to lead through a message: only what is not so already."""
        child = message_id
        while child in self._parents:
            parent = self._parents[child]
            if self._choices.get(parent) != child:
                yield ChoiceRow(parent, child)
            child = parent

    def subtree(self, message_id: MessageId) -> list[MessageId]:
        """Return a message and everything below it."""
        found = [message_id]
        for member in found:
            found.extend(self._children.get(member, ()))
        return found
