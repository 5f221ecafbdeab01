"""Where the Hub is and who asks: its address, and the user's access token, which never shows itself by accident."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from runtime.library.defects import shown
from runtime.values.errors import InvalidRequestError, SettingsError

DEFAULT_ENDPOINT = "https://huggingface.co"
ENDPOINT_VARIABLE = "HF_ENDPOINT"
TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
TOKEN_FORM = re.compile(r"[\x21-\x7e]{8,512}")


class Token:
    """An access token. Printing it, or anything that holds it, shows that it is there and nothing more."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Take a token as it was typed, spaces around it dropped.

        Raises:
            InvalidRequestError: no token looks like that; the text does not repeat it.
        """
        self._text = text.strip()
        if not TOKEN_FORM.fullmatch(self._text):
            raise InvalidRequestError(
                "That is no access token: it has a wrong length, or characters that none has.",
                "Copy it again from the page where it was made; it begins with hf_.",
            )

    def __repr__(self) -> str:
        return "Token(…)"

    def reveal(self) -> str:
        """Return the token itself, to be sent to the Hub and nowhere else."""
        return self._text


class HubAccess(msgspec.Struct, frozen=True):
    """The Hub's address, without a slash at its end, and the token to show there (None: anonymous)."""

    endpoint: str = DEFAULT_ENDPOINT
    token: Token | None = None


def hub_access(environment: Mapping[str, str], kept: Token | None = None) -> HubAccess:
    """Return how to reach the Hub: `HF_ENDPOINT` if set, with the `kept` token, or else that of `HF_TOKEN`.

    Raises:
        SettingsError: `HF_ENDPOINT` is no web address.
        InvalidRequestError: `HF_TOKEN` is no token.
    """
    endpoint = (environment.get(ENDPOINT_VARIABLE, "").strip() or DEFAULT_ENDPOINT).rstrip("/")
    _check_address(endpoint)
    stated = next((environment[name] for name in TOKEN_VARIABLES if environment.get(name, "").strip()), None)
    return HubAccess(endpoint, kept or (Token(stated) if stated else None))


def _check_address(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address:
        raise SettingsError(
            f"{ENDPOINT_VARIABLE} is {shown(endpoint)}, which is no web address.",
            f"Set it to an address such as {DEFAULT_ENDPOINT}, or remove it.",
        )
