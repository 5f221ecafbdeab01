"""What an error looks like: one line with the next step for people, one JSON object for machines."""

from __future__ import annotations

import logging

import msgspec

from runtime.cli.terminal import without_controls
from runtime.values.errors import FirstTokenError, InternalError, UserFacingError, report_of

log = logging.getLogger("first-token")


def log_failure(error: FirstTokenError) -> None:
    """Keep what happened, with its detail, in the log."""
    report = report_of(error)
    log.error("%s: %s\n%s", report.code, error, report.detail)


def failure_text(error: FirstTokenError) -> str:
    """Return one line: what happened, and what to do about it."""
    match error:
        case UserFacingError(what=what, next_step=next_step):
            text = f"{what} {next_step}"
        case InternalError(what=what):
            text = f"{what} This is a bug of First Token; its log has the detail."
        case _:
            text = str(error)
    return " ".join(without_controls(text).split())


def failure_json(error: FirstTokenError) -> str:
    """Return `{"error": {"code", "what", "next_step"}}`."""
    report = report_of(error)
    public = {"code": report.code, "what": _valid(report.what), "next_step": _valid(report.next_step)}
    return msgspec.json.encode({"error": public}).decode()


def _valid(text: str) -> str:
    """Return `text` with what is no character replaced: it may quote arguments, which can hold any bytes."""
    return text.encode("utf-8", "replace").decode()
