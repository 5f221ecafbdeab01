"""Models on disk: what they are, read from their headers, and where they are. Never loads weights."""
