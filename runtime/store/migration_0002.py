"""Schema 2: a key for every chat, by which KV caches are known to be its own."""

from __future__ import annotations

# Chats of schema 1 have none: theirs is made of what never changes of them, see `chats.uid_of`.
SQL = """
ALTER TABLE chats ADD COLUMN uid TEXT NOT NULL DEFAULT '';
"""
