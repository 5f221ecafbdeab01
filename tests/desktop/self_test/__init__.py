"""The self-test: what it finds, what it says, and what it keeps to itself."""
