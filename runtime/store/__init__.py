"""Chats on disk: one SQLite database, and the files chats are exported to. Blocking; knows nothing of Qt or of engines.

`opening.open_store` gives a `Store`; its parts (`chats`, `messages`, `replies`, `search`, `presets`, `ui_state`) hold
all the SQL there is. May import `runtime.values` and the layers below.
"""
