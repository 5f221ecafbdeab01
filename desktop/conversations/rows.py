"""What the list shows, row by row: headings by date, chats, and hits of a search. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta

import msgspec

from runtime.values.chat import ChatId, ChatSummary, MessageId, SearchResults, Snippet

MS_PER_S = 1000
WEEK_DAYS = 7
MONTH_DAYS = 30


class HeadingRow(msgspec.Struct, frozen=True):
    """A group's name."""

    text: str


class ChatRow(msgspec.Struct, frozen=True):
    """A chat."""

    chat_id: ChatId
    title: str
    is_pinned: bool


class HitRow(msgspec.Struct, frozen=True):
    """A hit: in a title (no message), or in a message."""

    chat_id: ChatId
    message_id: MessageId | None
    title: str
    snippet: Snippet


Row = HeadingRow | ChatRow | HitRow
Translate = Callable[[str], str]


def chat_rows(chats: Iterable[ChatSummary], today: date, tr: Translate) -> list[Row]:
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
            rows += [ChatRow(chat.id, chat.title or tr("New chat"), chat.is_pinned) for chat in members]
    return rows


def hit_rows(results: SearchResults, tr: Translate) -> list[Row]:
    """Return what a search found: titles first, then messages."""
    titles = [HitRow(hit.chat.id, None, hit.chat.title, hit.title) for hit in results.titles]
    messages = [HitRow(hit.chat.id, hit.message_id, hit.chat.title, hit.snippet) for hit in results.messages]
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
