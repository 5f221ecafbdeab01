"""Finding the texts in our sources that people will see, and those of them that cannot be translated."""

from __future__ import annotations

import ast
from collections.abc import Iterator

EVERY = None
SHOWING: dict[str, tuple[int, ...] | None] = {
    # Qt's own: which arguments are shown (all, where none are named)
    "setText": EVERY,
    "setToolTip": EVERY,
    "setStatusTip": EVERY,
    "setWindowTitle": EVERY,
    "setPlaceholderText": EVERY,
    "setAccessibleName": EVERY,
    "setAccessibleDescription": EVERY,
    "setLabelText": EVERY,
    "setInformativeText": EVERY,
    "setSuffix": EVERY,
    "setPrefix": EVERY,
    "setSpecialValueText": EVERY,
    "setTitle": EVERY,
    "setTabText": EVERY,
    "setItemText": EVERY,
    "addAction": (0,),
    "addMenu": EVERY,
    "addTab": (1,),
    "addItem": (0,),
    "addButton": (0,),
    "QLabel": (0,),
    "QPushButton": (0,),
    "QCheckBox": (0,),
    "QRadioButton": (0,),
    "QGroupBox": (0,),
    "QAction": (0,),
    "QMenu": (0,),
    # ours
    "IconButton": (3,),
    "FigureRow": (2, 3),
    "SettingRow": (1, 2),
    "add_row": (0, 1),
    "add_group": (0,),
    "Caption": (1,),
    "show_error": EVERY,
    "show_notice": EVERY,
    "show_text": EVERY,
    "set_value": EVERY,
    "offer": (0, 1),
    "offer_lasting": (0, 1),
    "ask": (2, 3),
}
NAMES = {"First Token", "MLX", "llama.cpp", "–", "A−", "A+"}
"""The same in every language."""


def untranslated(source: str) -> list[str]:
    """Return what of `source` is shown to people without having been translated, with its line."""
    found: list[str] = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        name = _name_of(call.func)
        if name in SHOWING:
            for argument in _shown_arguments(call, SHOWING[name]):
                found += [f"line {call.lineno}: {name}({text!r})" for text in _literals(argument) if _is_language(text)]
    return found


def unextractable(source: str) -> list[str]:
    """Return the calls of `tr` whose text a tool that collects texts for translators cannot see."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [
        f"line {call.lineno}: {ast.unparse(call)}"
        for call in calls
        if _name_of(call.func) == "tr" and not (call.args and _is_literal(call.args[0]))
    ]


def _name_of(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _shown_arguments(call: ast.Call, places: tuple[int, ...] | None) -> Iterator[ast.expr]:
    for index, argument in enumerate(call.args):
        if places is EVERY or index in places:
            yield argument


def _literals(node: ast.expr) -> Iterator[str]:
    """Return the literal texts that are shown through `node`; what a function makes of its arguments is its own."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            for part in parts:
                yield from _literals(part)
        case ast.BinOp(left=left, right=right):
            yield from _literals(left)
            yield from _literals(right)
        case ast.IfExp(body=body, orelse=orelse):
            yield from _literals(body)
            yield from _literals(orelse)
        case ast.BoolOp(values=values):
            for value in values:
                yield from _literals(value)
        case ast.Call(func=ast.Attribute(value=text, attr="format" | "join")):
            yield from _literals(text)
        case _:
            return


def _is_language(text: str) -> bool:
    rest = text
    for name in NAMES:
        rest = rest.replace(name, "")
    return sum(character.isalpha() for character in rest) > 1


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
