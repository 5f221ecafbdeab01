"""Errors keep their class, their code and their words across the pipe."""

from __future__ import annotations

import pytest

from runtime.values.errors import InternalError, UserFacingError, error_from, report_of


@pytest.mark.parametrize("kind", UserFacingError.__subclasses__())
def test_an_error_comes_out_as_it_went_in(kind: type[UserFacingError]) -> None:
    error = error_from(report_of(kind("It broke.", "Mend it.", detail="line 1")))

    assert type(error) is kind
    assert (error.what, error.next_step, error.detail) == ("It broke.", "Mend it.", "line 1")


def test_codes_are_distinct_and_a_bug_stays_a_bug() -> None:
    codes = [kind.code for kind in UserFacingError.__subclasses__()]
    error = error_from(report_of(InternalError("Oops", detail="trace")))

    assert len(set(codes)) == len(codes)
    assert isinstance(error, InternalError)
    assert error.detail == "trace"
