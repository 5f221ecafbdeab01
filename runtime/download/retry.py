"""When to try again, and when to give up: exponential backoff with jitter, and what the server asks for."""

from __future__ import annotations

import random

import msgspec

from runtime.values.errors import HubBusyError, HubUnreachableError, UserFacingError


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How patient to be.

    Attributes:
        first_wait_s: wait after the first failure in a row; doubled with each further one.
        longest_wait_s: longest wait of our own choosing.
        most_failures: failures in a row, without a byte in between, after which to give up.
        most_restarts: how often a file is fetched anew because its content was wrong.
        jitter: share of a wait that is left to chance, so that many downloads do not come back at once.
    """

    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    most_failures: int = 15
    most_restarts: int = 1
    jitter: float = 0.25

    def wait_s(self, failures: int, error: UserFacingError) -> float | None:
        """Return how long to wait after so many failures in a row, the last one being `error`; None: give up."""
        if not isinstance(error, HubUnreachableError | HubBusyError) or failures >= self.most_failures:
            return None
        own_s = min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(failures - 1, 30))
        own_s *= 1 - self.jitter * random.random()  # noqa: S311 - nothing depends on it being unpredictable
        asked_s = error.retry_after_s if isinstance(error, HubBusyError) else None
        return max(own_s, asked_s or 0.0)
