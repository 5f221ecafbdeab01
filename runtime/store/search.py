"""Full-text search over messages and titles.

Terms of three characters or more go through a trigram index (FTS5), which finds substrings in every script, Chinese
and Japanese included; shorter ones are looked for in the texts themselves, newest first. Either way each candidate is
checked against its text, which also gives the ranges to highlight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from runtime.store import failures
from runtime.store.chats import SUMMARY_COLUMNS, SummaryRow
from runtime.store.database import Database
from runtime.store.search_terms import (
    INDEXED_CHARACTERS,
    index_expression,
    like_patterns,
    ranges_of,
    snippet,
    terms_of,
)
from runtime.values.chat import ChatId, MessageHit, MessageId, SearchResults, TitleHit
from runtime.values.errors import StoreError
from runtime.values.prompt import Role

DEFAULT_LIMIT = 100


class _HitRow(msgspec.Struct, array_like=True, frozen=True):
    chat_id: ChatId
    title: str
    is_pinned: int
    chat_created_unix_ms: int
    chat_updated_unix_ms: int
    uid: str
    message_id: MessageId
    role: str
    created_unix_ms: int
    text: str

    def chat(self) -> SummaryRow:
        return SummaryRow(
            *(self.chat_id, self.title, self.is_pinned),
            *(self.chat_created_unix_ms, self.chat_updated_unix_ms, self.uid),
        )


class Search:
    """Finds messages and chats of a database. Every call may raise `StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, query: str, *, limit: int = DEFAULT_LIMIT) -> SearchResults:
        """Return what holds every term of `query`: at most `limit` titles and `limit` messages.

        Messages of every branch are found, deleted ones are not. A query without terms finds nothing.
        """
        terms = terms_of(query)
        if not terms:
            return SearchResults(titles=(), messages=(), is_truncated=False)
        try:
            return self._find(terms, limit)
        except StoreError as error:
            if not failures.is_index_damage(error):
                raise
            self._database.rebuild_search_index()
            return self._find(terms, limit)

    def _find(self, terms: Sequence[str], limit: int) -> SearchResults:
        titles = list(islice(self._titles(terms), limit + 1))
        messages = list(islice(self._messages(terms), limit + 1))
        return SearchResults(
            titles=tuple(titles[:limit]),
            messages=tuple(messages[:limit]),
            is_truncated=len(titles) > limit or len(messages) > limit,
        )

    def _titles(self, terms: Sequence[str]) -> Iterator[TitleHit]:
        rows = self._database.each_row(
            SummaryRow,
            f"SELECT {SUMMARY_COLUMNS} FROM chats WHERE deleted_unix_ms IS NULL"  # noqa: S608 - columns are constant
            " ORDER BY updated_unix_ms DESC, id DESC",
        )
        for row in rows:
            ranges = ranges_of(row.title, terms)
            if ranges:
                yield TitleHit(chat=row.summary(), title=snippet(row.title, ranges))

    def _messages(self, terms: Sequence[str]) -> Iterator[MessageHit]:
        sql, parameters = _candidates(terms)
        for row in self._database.each_row(_HitRow, sql, parameters):
            ranges = ranges_of(row.text, terms)
            if ranges:
                yield MessageHit(
                    chat=row.chat().summary(),
                    message_id=row.message_id,
                    role=Role.USER if row.role == Role.USER.value else Role.ASSISTANT,
                    created_unix_ms=row.created_unix_ms,
                    snippet=snippet(row.text, ranges),
                )


def _candidates(terms: Sequence[str]) -> tuple[str, list[str]]:
    """Return the query for messages that may hold the terms, newest first, and its parameters."""
    indexed = [term for term in terms if len(term) >= INDEXED_CHARACTERS]
    conditions = ["messages.deleted_unix_ms IS NULL", "chats.deleted_unix_ms IS NULL", "messages.state <> 'streaming'"]
    parameters: list[str] = []
    if indexed:
        source = "message_index CROSS JOIN messages ON messages.id = message_index.rowid"
        order = "message_index.rowid"
        conditions.append("message_index MATCH ?")
        parameters.append(index_expression(indexed))
    else:
        source = "messages"
        order = "messages.id"
    for term in terms:
        if len(term) < INDEXED_CHARACTERS:
            patterns = like_patterns(term)
            conditions.append("(" + " OR ".join(["messages.text LIKE ? ESCAPE '\\'"] * len(patterns)) + ")")
            parameters.extend(patterns)
    sql = (
        f"SELECT {SUMMARY_COLUMNS}, messages.id, messages.role, messages.created_unix_ms, messages.text"  # noqa: S608
        f" FROM {source} CROSS JOIN chats ON chats.id = messages.chat_id"  # every part is constant
        f" WHERE {' AND '.join(conditions)} ORDER BY {order} DESC"
    )
    return sql, parameters
