"""What the tests' Hub can be told to do wrong, each fault for a number of requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class CutAfter:
    """Close the connection after this many bytes of the body, and do something once that is done."""

    body_bytes: int
    then: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class StallAfter:
    """Send this many bytes of a file, and nothing of the API's answer, until the server is released or closed."""

    body_bytes: int


@dataclass(frozen=True)
class Throttle:
    """Send the body at this speed."""

    bytes_per_second: int


@dataclass(frozen=True)
class Status:
    """Answer with this status and nothing else."""

    code: int
    retry_after: str | None = None
    error_code: str | None = None


@dataclass(frozen=True)
class Flip:
    """Change a byte of the body, and say nothing of it."""

    offset: int


@dataclass(frozen=True)
class ClaimLength:
    """Claim a length of the whole file that is off by so much; the body is the true one."""

    off_by: int


@dataclass(frozen=True)
class IgnoreRange:
    """Answer with the whole file whatever part was asked for."""


@dataclass(frozen=True)
class WrongRange:
    """Answer with a part that begins so many bytes later than asked for."""

    off_by: int


@dataclass(frozen=True)
class Then:
    """Answer as ever, then do this: change a file, say, so that the next request meets another one."""

    action: Callable[[], None]


Fault = CutAfter | StallAfter | Throttle | Status | Flip | ClaimLength | IgnoreRange | WrongRange | Then


@dataclass
class Planned:
    """A fault, and which requests it is for.

    Attributes:
        fault: what to do wrong.
        part: which server: "hub" or "cdn"; empty for either.
        path: what the file's path, or the request's, ends with.
        times: how many requests are left.
    """

    fault: Fault
    part: str
    path: str
    times: int
