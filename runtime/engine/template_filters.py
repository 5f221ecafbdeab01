"""The filters and tests of Jinja that a chat template may use, each with a check of its arguments before it runs.

What is not listed here does not exist: filters that wrap, mark up or pretty-print a page (`wordwrap`, `urlize`,
`xmlattr` …) have no place in a prompt. Filters that would hand out a generator hand out a list instead, so that the
size of everything a template holds can be told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from inspect import signature

from jinja2 import Environment, pass_environment
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.filters import make_attrgetter
from jinja2.tests import TESTS as JINJA_TESTS

from runtime.engine.template_limits import MAX_FIELD_WIDTH, Meter

Function = Callable[..., object]
"""A filter, a test or the check of one; Jinja calls them with whatever the template wrote."""

LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"

# A width stands right after the "%", or after the ")" of a name, with flags and digits alone between.
WIDE_FIELD = re.compile(r"[%)][#\- +.*0-9]*\d{3}")
TOO_WIDE_FIELD = re.compile(r"[%)][#\- +.*0-9]*\d{5}")
NARROW_FIELD_WIDTH = 100


class Drawn(list[object]):
    """What a lazy filter yielded. True even when empty, as the generator is that Jinja hands out."""

    def __bool__(self) -> bool:
        return True


def to_json(
    value: object,
    ensure_ascii: bool = False,  # noqa: FBT001, FBT002 (the signature templates are written for)
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,  # noqa: FBT001, FBT002
) -> str:
    """Write `value` as JSON, without the escapes for web pages; the signature is that of transformers' `tojson`."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


TO_JSON_SIGNATURE = signature(to_json)


@pass_environment
def total(
    environment: Environment, values: Iterable[object], attribute: str | None = None, start: object = 0
) -> object:
    """Add numbers up, and only numbers: Jinja's own also joins lists, in quadratic time."""
    numbers = values if attribute is None else map(make_attrgetter(environment, attribute), values)
    result = number(start)
    for value in numbers:
        result += number(value)
    return result


def number(value: object) -> int | float:
    """Return `value` if it is a number.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, (int, float)):
        raise TypeError(f"a number is needed, not {type(value).__name__}")
    return value


def _free(_meter: Meter, *_args: object, **_named: object) -> None:
    """Takes constant time."""


def _by_member(meter: Meter, _values: object, *args: object, **named: object) -> None:
    """Deals with one member at a time, by means that are checked; only what it is told to do is weighed."""
    _weighed(meter, *args, **named)


def _weighed(meter: Meter, *args: object, **named: object) -> None:
    for value in (*args, *named.values()):
        meter.weigh(value)


def _written(meter: Meter, *args: object, **named: object) -> None:
    for value in (*args, *named.values()):
        meter.check_text(meter.weigh(value).text_chars)


def _numeric(_meter: Meter, *args: object) -> None:
    for value in args:
        number(value)


def _round(meter: Meter, value: object, precision: object = 0, *args: object, **named: object) -> None:
    _numeric(meter, value, precision)
    _weighed(meter, *args, **named)
    meter.check_number(abs(number(precision)))


def _batch(meter: Meter, _values: object, linecount: object, *_args: object, **_named: object) -> None:
    meter.check_items(number(linecount))


def _slice(meter: Meter, _values: object, slices: object, *_args: object, **_named: object) -> None:
    meter.check_items(number(slices))


def _in_pieces(meter: Meter, value: object) -> None:
    _written(meter, value)
    if isinstance(value, str):
        meter.check_items(len(value))


def _center(meter: Meter, value: object, width: object = 80) -> None:
    _written(meter, value)
    meter.check_width(width)


def _indent(meter: Meter, value: object, width: object = 4, *_args: object, **_named: object) -> None:
    meter.check_width(width)
    indent_chars = len(width) if isinstance(width, str) else max(0, number(width))
    meter.check_text(meter.weigh(value).text_chars + line_count(value) * indent_chars)


def line_count(value: object) -> int:
    """Return how many lines `str.splitlines` makes of `value`, or more."""
    return 1 + sum(value.count(character) for character in LINE_BREAKS) if isinstance(value, str) else 1


def _trim(meter: Meter, value: object, chars: object = None) -> None:
    _written(meter, value, chars)
    meter.check_search(value, chars)


def check_replace(meter: Meter, text: object, old: object, new: object, count: object = None) -> None:
    """Check a replacement by the length of its result."""
    _written(meter, text, old, new)
    found = str(text).count(str(old))
    if isinstance(count, int) and count >= 0:
        found = min(found, count)
    meter.check_text(len(str(text)) + found * len(str(new)))


def check_join(meter: Meter, values: object, d: object = "", attribute: object = None) -> None:
    """Check the joining of `values` by `d` (Jinja's name for it) by the length of its result."""
    weight = meter.weigh([values, attribute])
    members = len(values) if isinstance(values, str) else weight.items
    meter.check_text(weight.text_chars + members * meter.weigh(d).text_chars)


def check_percent(meter: Meter, text: str, values: object) -> None:
    """Check printf-style formatting: the width of its fields, and the length of its result."""
    if TOO_WIDE_FIELD.search(text):
        meter.check_width(10 * MAX_FIELD_WIDTH)
    if "*" in text:
        for value in values if isinstance(values, tuple) else (values,):
            meter.check_width(value)
    padding = MAX_FIELD_WIDTH if WIDE_FIELD.search(text) or "*" in text else NARROW_FIELD_WIDTH
    meter.check_text(len(text) + text.count("%") * (padding + meter.weigh(values).text_chars))


def _format(meter: Meter, text: object, *args: object, **named: object) -> None:
    _written(meter, text)
    check_percent(meter, str(text), named or args)


def _to_json(meter: Meter, *args: object, **named: object) -> None:
    arguments = TO_JSON_SIGNATURE.bind(*args, **named).arguments
    indent = arguments.get("indent") or 0
    meter.check_width(indent)
    weight = meter.weigh(arguments["value"])
    step = len(indent) if isinstance(indent, str) else max(0, number(indent))
    around = meter.weigh(arguments.get("separators")).text_chars + weight.depth * step
    meter.check_text(weight.text_chars + weight.items * around)


FILTER_CHECKS: Mapping[str, Function] = {
    **dict.fromkeys(("count", "d", "default", "first", "items", "last", "length", "reverse"), _free),
    **dict.fromkeys(("attr", "map", "reject", "rejectattr", "select", "selectattr", "sum"), _by_member),
    **dict.fromkeys(
        ("abs", "dictsort", "float", "groupby", "int", "max", "min", "sort", "truncate", "unique"), _weighed
    ),
    **dict.fromkeys(("capitalize", "e", "escape", "lower", "safe", "string", "upper"), _written),
    "batch": _batch,
    "center": _center,
    "format": _format,
    "indent": _indent,
    "join": check_join,
    "list": _in_pieces,
    "replace": check_replace,
    "round": _round,
    "slice": _slice,
    "title": _in_pieces,
    "tojson": _to_json,
    "trim": _trim,
}
FILTERS: Mapping[str, object] = {**JINJA_FILTERS, "tojson": to_json, "sum": total}

TEST_CHECKS: Mapping[str, Function] = {
    **dict.fromkeys(("boolean", "callable", "defined", "escaped", "false", "float", "integer", "iterable"), _free),
    **dict.fromkeys(("mapping", "none", "number", "sameas", "sequence", "string", "true", "undefined"), _free),
    **dict.fromkeys(("!=", "<", "<=", "==", ">", ">=", "eq", "equalto", "ge", "greaterthan", "gt"), _weighed),
    **dict.fromkeys(("filter", "in", "le", "lessthan", "lt", "ne", "test"), _weighed),
    **dict.fromkeys(("lower", "upper"), _written),
    **dict.fromkeys(("divisibleby", "even", "odd"), _numeric),
}


def bounded_filters(meter: Meter) -> dict[str, Function]:
    """Return the filters by name, each held to the limits of `meter`."""
    return {name: _bounded(FILTERS[name], check, meter) for name, check in FILTER_CHECKS.items()}


def bounded_tests(meter: Meter) -> dict[str, Function]:
    """Return the tests by name, each held to the limits of `meter`."""
    return {name: _bounded(JINJA_TESTS[name], check, meter) for name, check in TEST_CHECKS.items()}


def _bounded(function: object, check: Function, meter: Meter) -> Function:
    if not callable(function):
        raise TypeError(f"{function!r} cannot be called")
    # Jinja hands its context or environment to functions that ask for it, as the first argument.
    skipped = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def bounded(*args: object, **kwargs: object) -> object:
        meter.tick()
        check(meter, *args[skipped:], **kwargs)
        result = function(*args, **kwargs)
        if isinstance(result, Iterator):
            result = Drawn(result)
        meter.made(result)
        return result

    return bounded
