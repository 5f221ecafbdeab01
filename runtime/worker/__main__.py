"""Entry of the worker process: take the pipe away from native libraries, then serve."""

from __future__ import annotations

import sys

from runtime.worker.channel import MessageWriter, claim_standard_streams


def main() -> int:
    """Serve the client on the other side of stdin and stdout until it goes away; return the exit code."""
    incoming, outgoing = claim_standard_streams()
    # Only now: these imports may load native code, which prints.
    from runtime.engine.registry import create_engine  # noqa: PLC0415 - after the streams are claimed
    from runtime.values.errors import InternalError  # noqa: PLC0415 - after the streams are claimed
    from runtime.worker.host import Host, Inbox  # noqa: PLC0415 - after the streams are claimed

    inbox = Inbox(incoming)
    inbox.start()
    try:
        Host(inbox, MessageWriter(outgoing), create_engine).run()
    except InternalError:
        return 70
    return 0


if __name__ == "__main__":
    sys.exit(main())
