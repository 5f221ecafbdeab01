"""KV caches on disk: what chats have been read, so that no start reads them again. Knows no engine."""
