"""A question and the empty reply to it, stored together: with one commit, asking waits for the disk only once."""

from __future__ import annotations

import msgspec

from runtime.store.chats import Chats
from runtime.store.database import Database
from runtime.store.messages import Messages
from runtime.store.replies import Replies, ReplyWriter
from runtime.values.chat import Chat, ChatId, ChatMessage, MessageId
from runtime.values.model import Quantization


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What has been stored.

    Attributes:
        chat: where it is.
        path: the messages of the chat, the question and its reply last.
        writer: writes the reply.
    """

    chat: Chat
    path: tuple[ChatMessage, ...]
    writer: ReplyWriter


class Exchanges:
    """Begins exchanges."""

    def __init__(self, database: Database, chats: Chats, messages: Messages, replies: Replies) -> None:
        self._database = database
        self._chats = chats
        self._messages = messages
        self._replies = replies

    def begin(
        self,
        chat_id: ChatId | None,
        parent_id: MessageId | None,
        text: str,
        *,
        model: str | None,
        quantization: Quantization | None,
        uid: str = "",
    ) -> Exchange:
        """Add what the user wrote after `parent_id`, and an empty reply; in a new chat where `chat_id` is None.

        `uid` is the key of that new chat.

        Raises:
            StoreError: nothing was added, neither a chat nor a message.
        """
        with self._database.transaction():
            into = self._chats.insert(uid=uid) if chat_id is None else chat_id
            question = self._messages.insert_user(into, parent_id, text)
            writer = self._replies.insert(into, question, model=model, quantization=quantization)
        return Exchange(chat=self._chats.get(into), path=self._messages.current_path(into), writer=writer)
