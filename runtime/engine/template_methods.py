"""The methods that a chat template may call on texts and lists, and the checks of their arguments."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jinja2 import Environment
from jinja2.sandbox import SandboxedFormatter

from runtime.engine.template_filters import check_join, check_replace, line_count
from runtime.engine.template_limits import DICT_VIEWS, Meter

# fmt: off
TEXT_METHODS = frozenset((
    "capitalize", "casefold", "center", "count", "endswith", "expandtabs", "find", "format", "format_map", "index",
    "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric", "isprintable",
    "isspace", "istitle", "isupper", "join", "ljust", "lower", "lstrip", "partition", "removeprefix", "removesuffix",
    "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith",
    "strip", "swapcase", "title", "upper", "zfill",
))
# fmt: on
METHODS: Sequence[tuple[type | tuple[type, ...], frozenset[str]]] = (
    (str, TEXT_METHODS),
    (dict, frozenset(("copy", "get", "items", "keys", "values"))),
    (list, frozenset(("copy", "count", "index"))),
    (tuple, frozenset(("count", "index"))),
    (float, frozenset(("is_integer",))),
    ((int, range, *DICT_VIEWS), frozenset()),
)
"""What a template may call on the values it can have; whatever is not of these types is Jinja's own."""


def check_text_call(meter: Meter, method: str, text: str, arguments: Sequence[object]) -> None:
    """Check a call of `text`'s `method` by the length of its result and by the work it is."""
    meter.weigh(arguments)
    match method:
        case "join":
            check_join(meter, arguments[0] if arguments else (), text)
        case "replace":
            check_replace(meter, text, *arguments)
        case "center" | "ljust" | "rjust" | "zfill":
            meter.check_width(arguments[0] if arguments else 0)
        case "expandtabs":
            meter.check_width(arguments[0] if arguments else 0)
            check_replace(meter, text, "\t", " " * _width(arguments))
        case "splitlines":
            meter.check_items(line_count(text))
        case "split" | "rsplit" | "rfind" | "rindex" | "rpartition" | "strip" | "lstrip" | "rstrip":
            _check_search_call(meter, method, text, arguments[0] if arguments else None)
        case _:
            pass


def _check_search_call(meter: Meter, method: str, text: str, pattern: object) -> None:
    meter.check_search(text, pattern)
    if method in {"split", "rsplit"}:
        meter.check_items(text.count(pattern) if isinstance(pattern, str) else len(text) / 2)


def _width(arguments: Sequence[object]) -> int:
    return next((max(0, value) for value in arguments if isinstance(value, int)), 8)


class BoundedFormatter(SandboxedFormatter):
    """`str.format` with fields and a result of bounded length; it makes one text."""

    def __init__(self, environment: Environment, meter: Meter) -> None:
        super().__init__(environment)
        self._meter = meter
        self._chars = 0

    def format_field(self, value: object, format_spec: str) -> str:
        """Format one field."""
        self._meter.tick()
        for digits in re.findall(r"\d+", format_spec):
            self._meter.check_width(int(digits))
        self._meter.check_text(self._meter.weigh(value).text_chars)
        text: str = super().format_field(value, format_spec)
        self._chars += len(text)
        self._meter.check_text(self._chars)
        return text

    def convert_field(self, value: object, conversion: str | None) -> object:
        """Convert one field by `!s`, `!r` or `!a`."""
        self._meter.check_text(self._meter.weigh(value).text_chars)
        converted: object = super().convert_field(value, conversion)
        return converted
