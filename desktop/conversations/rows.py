"""What the list shows, row by row: headings by date, chats, and hits of a search. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import assert_never

import msgspec

from desktop.conversations.plain_snippet import without_marks
from desktop.state.warmth import ChatWarmth, Warmth, about
from runtime.values.chat import ChatId, ChatSummary, MessageId, SearchResults, Snippet

MS_PER_S = 1000
WEEK_DAYS = 7
MONTH_DAYS = 30
NEGLIGIBLE_TOKENS = 8
"""The last token of a prompt is evaluated anyway, and a reply's end is written down in a few."""


class HeadingRow(msgspec.Struct, frozen=True):
    """A group's name."""

    text: str


class ChatRow(msgspec.Struct, frozen=True):
    """A chat, where what was read of it is kept, and what that means, in words."""

    chat_id: ChatId
    title: str
    is_pinned: bool
    warmth: Warmth = Warmth.UNKNOWN
    warmth_text: str = ""


class HitRow(msgspec.Struct, frozen=True):
    """A hit: in a title (no message), or in a message."""

    chat_id: ChatId
    message_id: MessageId | None
    title: str
    snippet: Snippet


Row = HeadingRow | ChatRow | HitRow
Translate = Callable[[str], str]


def chat_rows(
    chats: Iterable[ChatSummary],
    today: date,
    tr: Translate,
    warmth_of: Callable[[ChatSummary], ChatWarmth] = lambda _: ChatWarmth(),
) -> list[Row]:
    """Return `chats` (last updated first) under headings: pinned ones, then by the day of the last update."""
    rows: list[Row] = []
    listed = list(chats)
    groups = [(tr("Pinned"), [chat for chat in listed if chat.is_pinned])]
    for chat in (chat for chat in listed if not chat.is_pinned):
        heading = _date_heading(_day(chat.updated_unix_ms), today, tr)
        if groups[-1][0] != heading:
            groups.append((heading, []))
        groups[-1][1].append(chat)
    for heading, members in groups:
        if members:
            rows.append(HeadingRow(heading))
            rows += [_chat_row(chat, warmth_of(chat), tr) for chat in members]
    return rows


def warmth_text(chat: ChatWarmth, tr: Translate) -> str:
    """Return where what was read of a chat is kept, and what its next reply has to wait for, as far as that is known.

    The new message itself comes on top: nobody knows how long it will be.
    """
    match chat.warmth:
        case Warmth.UNKNOWN:
            return ""
        case Warmth.MEMORY:
            where = tr("Warm in memory")
        case Warmth.DISK:
            where = tr("On disk")
        case Warmth.COLD:
            where = tr("Cold")
        case _:
            assert_never(chat.warmth)
    return f"{where}: {_wait_text(chat, tr)}" if chat.tokens_to_read is not None else where


def _wait_text(chat: ChatWarmth, tr: Translate) -> str:
    tokens = chat.tokens_to_read or 0
    if tokens <= NEGLIGIBLE_TOKENS:
        return tr("the next reply begins at once")
    if chat.predicted_ms is None:
        return tr("{count} tokens to read before the next reply").format(count=f"{tokens:,}")
    return tr("the next reply begins after about {time}, for {count} tokens to read").format(
        time=about(chat.predicted_ms), count=f"{tokens:,}"
    )


def _chat_row(chat: ChatSummary, warmth: ChatWarmth, tr: Translate) -> ChatRow:
    title = chat.title or tr("New chat")
    return ChatRow(chat.id, title, chat.is_pinned, warmth.warmth, warmth_text(warmth, tr))


def hit_rows(results: SearchResults, tr: Translate) -> list[Row]:
    """Return what a search found: titles first, then messages."""
    titles = [HitRow(hit.chat.id, None, hit.chat.title, hit.title) for hit in results.titles]
    messages = [
        HitRow(hit.chat.id, hit.message_id, hit.chat.title, without_marks(hit.snippet)) for hit in results.messages
    ]
    if not titles and not messages:
        return [HeadingRow(tr("Nothing found"))]
    return [*_group(tr("Chats"), titles), *_group(tr("Messages"), messages)]


def text_to_mark(query: str, snippet: Snippet) -> str:
    """Return what to look for in the message of a hit: the query, or its first word there if they stand apart."""
    if query.strip().casefold() in snippet.text.casefold() or not snippet.highlights:
        return query.strip()
    first = snippet.highlights[0]
    return snippet.text[first.start : first.end]


def _group(heading: str, hits: Sequence[HitRow]) -> list[Row]:
    return [HeadingRow(heading), *hits] if hits else []


def _day(unix_ms: int) -> date:
    return datetime.fromtimestamp(unix_ms / MS_PER_S).astimezone().date()


def _date_heading(day: date, today: date, tr: Translate) -> str:
    if day >= today:
        return tr("Today")
    if day == today - timedelta(days=1):
        return tr("Yesterday")
    if day > today - timedelta(days=WEEK_DAYS):
        return tr("Previous 7 days")
    if day > today - timedelta(days=MONTH_DAYS):
        return tr("Previous 30 days")
    return day.strftime("%B %Y")
