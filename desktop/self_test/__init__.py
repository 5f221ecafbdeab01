"""`first-token --self-test`: does this installation work? Proved by using it, and reported without private data."""
