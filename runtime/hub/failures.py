"""What the Hub's refusals mean, in the user's words: statuses and error codes to errors with a next step.

The codes are those of the header `X-Error-Code`; https://huggingface.co/docs/huggingface_hub/package_reference/utilities
lists what they stand for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from runtime.library.defects import shown
from runtime.values.errors import (
    HubAccessError,
    HubBusyError,
    HubMissingError,
    HubUnreachableError,
    UserFacingError,
)

MOST_RETRY_AFTER_S = 3600.0
BUSY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 509, 520, 521, 522, 523, 524, 529})
WRONG_TOKEN = "Invalid credentials in Authorization header"  # noqa: S105 - the Hub's wording


class Refusal(msgspec.Struct, frozen=True):
    """An answer that is no success.

    Attributes:
        status: the HTTP status.
        headers: the answer's headers, names in lower case.
        endpoint: the Hub's address.
        subject: the model that was asked for; empty where the request was about none.
        has_token: whether a token was sent along.
    """

    status: int
    headers: Mapping[str, str]
    endpoint: str
    subject: str
    has_token: bool


def refusal_error(refusal: Refusal) -> UserFacingError:
    """Return the error that a refusal is to the user."""
    code = refusal.headers.get("x-error-code", "")
    message = refusal.headers.get("x-error-message", "")
    if refusal.status in BUSY_STATUSES:
        return _busy(refusal)
    if code == "GatedRepo":
        return _gated(refusal)
    if message == WRONG_TOKEN:
        return _wrong_token(refusal)
    if code in {"EntryNotFound", "RevisionNotFound"} and refusal.subject:
        return HubMissingError(
            f"{shown(refusal.subject)} no longer has this version or file.",
            "Look the model up again; it may have been changed or renamed.",
            detail=message,
        )
    if code == "RepoNotFound" or refusal.status in {401, 404, 410}:
        return _missing(refusal)
    what = f"access to {shown(refusal.subject)}" if refusal.subject else "the request"
    return HubAccessError(
        f"The Hub refuses {what} (HTTP {refusal.status}).", "Choose another model, or try again later.", detail=message
    )


def unreachable(endpoint: str, error: BaseException) -> HubUnreachableError:
    """Return the error for a network that does not get through."""
    return HubUnreachableError(
        f"{shown(endpoint)} cannot be reached.",
        "Check the internet connection. Installed models work without one.",
        detail=repr(error),
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the wait that the header `Retry-After` asks for (seconds or a date), at most an hour; None without."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isdecimal():
        return min(float(text[:9]), MOST_RETRY_AFTER_S)
    try:
        wait_s = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(0.0, wait_s), MOST_RETRY_AFTER_S)


def _busy(refusal: Refusal) -> HubBusyError:
    too_many = refusal.status == 429
    return HubBusyError(
        "The Hub has had too many requests from here."
        if too_many
        else f"The Hub is in trouble (HTTP {refusal.status}).",
        "Wait a little, then try again." + ("" if refusal.has_token else " With an access token it allows more."),
        retry_after_s=retry_after_s(refusal.headers),
    )


def _gated(refusal: Refusal) -> HubAccessError:
    page = f"{refusal.endpoint}/{refusal.subject}"
    if refusal.has_token:
        return HubAccessError(
            f"Your account has no access to {shown(refusal.subject)} yet.",
            f"Open {page} in a browser, accept the terms, and try again once access is granted.",
        )
    return HubAccessError(
        f"{shown(refusal.subject)} is given only to people who accept its publisher's terms.",
        f"Open {page} in a browser and accept them, make an access token at {refusal.endpoint}/settings/tokens,"
        " and enter it in the model picker, or set HF_TOKEN to it.",
    )


def _wrong_token(refusal: Refusal) -> HubAccessError:
    return HubAccessError(
        "The Hub does not accept the access token.",
        f"Make a new one at {refusal.endpoint}/settings/tokens and enter it in the model picker, or forget it there.",
    )


def _missing(refusal: Refusal) -> HubMissingError:
    if not refusal.subject:
        return HubMissingError(
            f"{shown(refusal.endpoint)} does not answer as the Hub does.", "Check the address in HF_ENDPOINT."
        )
    return HubMissingError(
        f"The Hub has no model called {shown(refusal.subject)}, or it is private.",
        "Check the name." if refusal.has_token else "Check the name; a private model needs an access token.",
    )
