"""Schema 1: chats, their messages as a tree, replies being written, presets, window state, and the search index."""

from __future__ import annotations

# Messages: small columns first, so that reading them does not touch the pages a long text takes.
# Choices: which child was last looked at below a message (0: among a chat's first messages). Kept apart from messages
#   because changing a row writes all of it, and a message may be megabytes.
# Reply chunks: text of a reply being written, appended as it comes, folded into the message when the reply ends.
# The index: trigrams find any substring of three characters or more in any script; `detail=none` halves its size, and
#   the search verifies hits against the text anyway. Only finished messages are in it, kept so by triggers.
SQL = """
CREATE TABLE chats (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    title_is_automatic INTEGER NOT NULL CHECK (title_is_automatic IN (0, 1)),
    is_pinned INTEGER NOT NULL CHECK (is_pinned IN (0, 1)),
    created_unix_ms INTEGER NOT NULL,
    updated_unix_ms INTEGER NOT NULL,
    deleted_unix_ms INTEGER,
    model TEXT,
    sampling TEXT NOT NULL,
    system_prompt TEXT NOT NULL,
    draft TEXT NOT NULL
) STRICT;

CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chat_id INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    parent_id INTEGER REFERENCES messages (id),
    role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    state TEXT NOT NULL CHECK (state IN ('streaming', 'complete', 'stopped', 'interrupted', 'failed')),
    stop_reason TEXT,
    created_unix_ms INTEGER NOT NULL,
    deleted_unix_ms INTEGER,
    reasoning_ms REAL,
    model TEXT,
    quantization TEXT,
    error TEXT,
    stats TEXT,
    reasoning TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;

CREATE INDEX messages_by_chat ON messages (chat_id, parent_id, id, deleted_unix_ms);
CREATE INDEX messages_by_parent ON messages (parent_id);
CREATE INDEX messages_streaming ON messages (id) WHERE state = 'streaming';
CREATE INDEX messages_deleted ON messages (deleted_unix_ms) WHERE deleted_unix_ms IS NOT NULL;

CREATE TABLE choices (
    chat_id INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    parent_id INTEGER NOT NULL,
    child_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    PRIMARY KEY (chat_id, parent_id)
) STRICT;

CREATE INDEX choices_by_child ON choices (child_id);

CREATE TABLE reply_chunks (
    id INTEGER PRIMARY KEY,
    message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('answer', 'reasoning')),
    text TEXT NOT NULL
) STRICT;

CREATE INDEX reply_chunks_by_message ON reply_chunks (message_id, id);

CREATE TABLE token_times (
    message_id INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    times_ms BLOB NOT NULL
) STRICT;

CREATE TABLE presets (
    name TEXT PRIMARY KEY,
    system_prompt TEXT NOT NULL,
    sampling TEXT NOT NULL
) STRICT;

CREATE TABLE ui_state (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE VIEW finished_messages AS SELECT id, text FROM messages WHERE state <> 'streaming';

CREATE VIRTUAL TABLE message_index USING fts5 (
    text, content = 'finished_messages', content_rowid = 'id', tokenize = 'trigram', detail = 'none'
);

CREATE TRIGGER message_added AFTER INSERT ON messages WHEN new.state <> 'streaming' BEGIN
    INSERT INTO message_index (rowid, text) VALUES (new.id, new.text);
END;

CREATE TRIGGER message_changes BEFORE UPDATE OF text, state ON messages WHEN old.state <> 'streaming' BEGIN
    INSERT INTO message_index (message_index, rowid, text) VALUES ('delete', old.id, old.text);
END;

CREATE TRIGGER message_changed AFTER UPDATE OF text, state ON messages WHEN new.state <> 'streaming' BEGIN
    INSERT INTO message_index (rowid, text) VALUES (new.id, new.text);
END;

CREATE TRIGGER message_removed BEFORE DELETE ON messages WHEN old.state <> 'streaming' BEGIN
    INSERT INTO message_index (message_index, rowid, text) VALUES ('delete', old.id, old.text);
END;
"""
