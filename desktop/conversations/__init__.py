"""The list of chats on the left: grouped by date, searchable."""
