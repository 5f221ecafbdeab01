"""Small painted parts that know nothing of models or chats. They get a `Theme` and plain values."""
