"""Messages as they are read, streamed and copied. May import `desktop.chat.markdown`, widgets and theme."""
