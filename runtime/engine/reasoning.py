"""Split a stream of text into reasoning and answer at the tags models use for it."""
