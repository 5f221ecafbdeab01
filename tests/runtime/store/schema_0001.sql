-- A database as version 1 of the schema left it, killed while a reply was being written. Never edit this file.
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
PRAGMA application_id = 1179930443;
PRAGMA user_version = 1;

INSERT INTO chats VALUES (1, 'What is TTFT?', 1, 0, 1700000002000, 1700000010000, NULL, 'Qwen3-0.6B', '{"temperature":0.2,"top_p":1.0,"top_k":0,"min_p":0.0,"repetition_penalty":1.0,"presence_penalty":0.0,"frequency_penalty":0.0,"penalty_window_tokens":64,"seed":7}', 'Be brief.', '');
INSERT INTO chats VALUES (2, 'Deleted', 0, 0, 1700000011000, 1700000014000, 1700000015000, NULL, '{"temperature":0.7,"top_p":1.0,"top_k":0,"min_p":0.0,"repetition_penalty":1.0,"presence_penalty":0.0,"frequency_penalty":0.0,"penalty_window_tokens":64,"seed":null}', '', '');
INSERT INTO chats VALUES (3, 'Pinned', 0, 1, 1700000016000, 1700000018000, NULL, NULL, '{"temperature":0.7,"top_p":1.0,"top_k":0,"min_p":0.0,"repetition_penalty":1.0,"presence_penalty":0.0,"frequency_penalty":0.0,"penalty_window_tokens":64,"seed":null}', '', 'half a sent');
INSERT INTO messages VALUES (1, 1, NULL, 'user', 'complete', NULL, 1700000003000, NULL, NULL, NULL, NULL, NULL, NULL, '', 'What is TTFT?');
INSERT INTO messages VALUES (2, 1, 1, 'assistant', 'complete', 'end', 1700000004000, NULL, 12.5, 'Qwen3-0.6B', '{"name":"INT4","bits_per_weight":4.5}', NULL, '{"engine":"mlx","model":"Qwen3-0.6B","quantization":{"name":"INT4","bits_per_weight":4.5},"prompt_tokens":120,"cached_tokens":100,"generated_tokens":3,"reasoning_tokens":1,"ttft_ms":41.25,"ttft_parts":{"queue_ms":1.0,"load_ms":0.0,"tokenize_ms":2.5,"cache_restore_ms":0.25,"prefill_ms":36.5,"first_decode_ms":1.0},"prefill_tokens_per_second":547.9,"decode_tokens_per_second":80.0,"token_times_ms":[],"memory":{"weights_bytes":400000000,"kv_cache_bytes":14000000,"compute_buffer_bytes":null,"worker_resident_bytes":620000000,"peak_bytes":640000000},"context_used_tokens":123,"context_limit_tokens":4096}', 'Let me think. ', 'Time to first token.');
INSERT INTO messages VALUES (3, 1, 1, 'assistant', 'complete', 'end', 1700000006000, NULL, 12.5, 'Qwen3-0.6B', '{"name":"INT4","bits_per_weight":4.5}', NULL, '{"engine":"mlx","model":"Qwen3-0.6B","quantization":{"name":"INT4","bits_per_weight":4.5},"prompt_tokens":120,"cached_tokens":100,"generated_tokens":3,"reasoning_tokens":1,"ttft_ms":41.25,"ttft_parts":{"queue_ms":1.0,"load_ms":0.0,"tokenize_ms":2.5,"cache_restore_ms":0.25,"prefill_ms":36.5,"first_decode_ms":1.0},"prefill_tokens_per_second":547.9,"decode_tokens_per_second":80.0,"token_times_ms":[],"memory":{"weights_bytes":400000000,"kv_cache_bytes":14000000,"compute_buffer_bytes":null,"worker_resident_bytes":620000000,"peak_bytes":640000000},"context_used_tokens":123,"context_limit_tokens":4096}', 'Let me think. ', '另一个答案');
INSERT INTO messages VALUES (4, 1, 2, 'user', 'complete', NULL, 1700000008000, NULL, NULL, NULL, NULL, NULL, NULL, '', 'And it''s "decode"?');
INSERT INTO messages VALUES (5, 1, 4, 'assistant', 'complete', 'end', 1700000009000, NULL, 12.5, 'Qwen3-0.6B', '{"name":"INT4","bits_per_weight":4.5}', NULL, '{"engine":"mlx","model":"Qwen3-0.6B","quantization":{"name":"INT4","bits_per_weight":4.5},"prompt_tokens":120,"cached_tokens":100,"generated_tokens":3,"reasoning_tokens":1,"ttft_ms":41.25,"ttft_parts":{"queue_ms":1.0,"load_ms":0.0,"tokenize_ms":2.5,"cache_restore_ms":0.25,"prefill_ms":36.5,"first_decode_ms":1.0},"prefill_tokens_per_second":547.9,"decode_tokens_per_second":80.0,"token_times_ms":[],"memory":{"weights_bytes":400000000,"kv_cache_bytes":14000000,"compute_buffer_bytes":null,"worker_resident_bytes":620000000,"peak_bytes":640000000},"context_used_tokens":123,"context_limit_tokens":4096}', 'Let me think. ', 'One token
after another.');
INSERT INTO messages VALUES (6, 2, NULL, 'user', 'complete', NULL, 1700000012000, NULL, NULL, NULL, NULL, NULL, NULL, '', 'gone?');
INSERT INTO messages VALUES (7, 2, 6, 'assistant', 'complete', 'end', 1700000013000, NULL, 12.5, 'Qwen3-0.6B', '{"name":"INT4","bits_per_weight":4.5}', NULL, '{"engine":"mlx","model":"Qwen3-0.6B","quantization":{"name":"INT4","bits_per_weight":4.5},"prompt_tokens":120,"cached_tokens":100,"generated_tokens":3,"reasoning_tokens":1,"ttft_ms":41.25,"ttft_parts":{"queue_ms":1.0,"load_ms":0.0,"tokenize_ms":2.5,"cache_restore_ms":0.25,"prefill_ms":36.5,"first_decode_ms":1.0},"prefill_tokens_per_second":547.9,"decode_tokens_per_second":80.0,"token_times_ms":[],"memory":{"weights_bytes":400000000,"kv_cache_bytes":14000000,"compute_buffer_bytes":null,"worker_resident_bytes":620000000,"peak_bytes":640000000},"context_used_tokens":123,"context_limit_tokens":4096}', 'Let me think. ', 'yes');
INSERT INTO messages VALUES (8, 3, NULL, 'assistant', 'streaming', NULL, 1700000017000, NULL, NULL, 'demo', '{"name":"INT4","bits_per_weight":4.5}', NULL, NULL, '', '');
INSERT INTO messages VALUES (9, 3, NULL, 'user', 'complete', NULL, 1700000018000, 1700000019000, NULL, NULL, NULL, NULL, NULL, '', 'removed message');
INSERT INTO choices VALUES (1, 0, 1);
INSERT INTO choices VALUES (1, 1, 2);
INSERT INTO choices VALUES (1, 2, 4);
INSERT INTO choices VALUES (1, 4, 5);
INSERT INTO choices VALUES (2, 0, 6);
INSERT INTO choices VALUES (2, 6, 7);
INSERT INTO choices VALUES (3, 0, 9);
INSERT INTO reply_chunks VALUES (1, 8, 'answer', 'Cut off in the mid');
INSERT INTO token_times VALUES (2, X'0000000000A044400000000000E04A400000000000905040');
INSERT INTO token_times VALUES (3, X'0000000000A044400000000000E04A400000000000905040');
INSERT INTO token_times VALUES (5, X'0000000000A044400000000000E04A400000000000905040');
INSERT INTO token_times VALUES (7, X'0000000000A044400000000000E04A400000000000905040');
INSERT INTO presets VALUES ('Precise', 'Answer exactly.', '{"temperature":0.0,"top_p":1.0,"top_k":0,"min_p":0.0,"repetition_penalty":1.0,"presence_penalty":0.0,"frequency_penalty":0.0,"penalty_window_tokens":64,"seed":null}');
INSERT INTO ui_state VALUES ('window/geometry', X'0001FF');
