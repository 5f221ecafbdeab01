"""Newer versions: what the release feed says, and what is new in them."""
