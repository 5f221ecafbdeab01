"""The metrics panel beside the chat: what inference costs, live."""
