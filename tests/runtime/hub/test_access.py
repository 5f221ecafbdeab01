"""The Hub's address and the token that never shows itself."""

from __future__ import annotations

import logging

import pytest

from runtime.hub.access import DEFAULT_ENDPOINT, HubAccess, Token, hub_access
from runtime.values.errors import InvalidRequestError, SettingsError, report_of

TYPED = "hf_averysecrettoken"


def test_without_a_word_it_is_the_public_hub_anonymously() -> None:
    assert hub_access({}) == HubAccess(DEFAULT_ENDPOINT, None)


def test_another_hub_is_named_by_the_environment() -> None:
    assert hub_access({"HF_ENDPOINT": " http://mirror.local:8080/ "}).endpoint == "http://mirror.local:8080"


@pytest.mark.parametrize("address", ["mirror", "ftp://mirror", "http://", "https://mirror:99999", "http://[::1"])
def test_what_is_no_address_is_said_to_be_none(address: str) -> None:
    with pytest.raises(SettingsError) as caught:
        hub_access({"HF_ENDPOINT": address})

    assert "HF_ENDPOINT" in caught.value.what


def test_the_kept_token_comes_before_that_of_the_environment() -> None:
    stated = hub_access({"HF_TOKEN": TYPED}).token
    kept = hub_access({"HF_TOKEN": TYPED}, Token("hf_another_one")).token

    assert stated is not None
    assert stated.reveal() == TYPED
    assert kept is not None
    assert kept.reveal() == "hf_another_one"


@pytest.mark.parametrize("form", ["{}", "{!r}", "{!s}"])
def test_a_token_does_not_show_itself(form: str, caplog: pytest.LogCaptureFixture) -> None:
    access = hub_access({"HF_TOKEN": TYPED})

    logging.getLogger("test").warning("access: %s", access)

    assert TYPED not in form.format(access) + form.format(access.token) + caplog.text


@pytest.mark.parametrize(
    "text", ["", "short", f"{TYPED}\r\nX-Evil: 1", "hf_with space", "hf_ümlaut_is_none", "x" * 600]
)
def test_what_is_no_token_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        Token(text)

    report = report_of(caught.value)
    assert not text or text not in report.what + report.next_step + report.detail
