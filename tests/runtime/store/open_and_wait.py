"""A process that opens the database named on its command line, says so, and keeps it open until its input ends."""

from __future__ import annotations

import sys
from pathlib import Path

from runtime.store.opening import open_store

if __name__ == "__main__":
    opened = open_store(Path(sys.argv[1]))
    sys.stdout.write(f"{opened.interrupted_replies}\n")
    sys.stdout.flush()
    sys.stdin.read()
    opened.store.chats.create(title="from the other process")
    opened.store.close()
