"""What can be wrong with a model's files, worded the same way wherever it is found.

Names and texts out of a model file are hostile: `shown` makes them safe to print.
"""

from __future__ import annotations

from pathlib import Path

from runtime.values.errors import ModelBrokenError, ModelUnsupportedError

MAX_SHOWN_CHARACTERS = 80


def shown(text: object) -> str:
    """Return `text` short and printable: no control characters, no terminal sequences, at most 80 characters."""
    clean = "".join(
        character if character.isprintable() else "?" for character in str(text)[: MAX_SHOWN_CHARACTERS + 1]
    )
    return clean if len(clean) <= MAX_SHOWN_CHARACTERS else clean[: MAX_SHOWN_CHARACTERS - 1] + "…"


def broken(path: Path, reason: str, detail: str = "") -> ModelBrokenError:
    """Return the error for damaged files; `reason` completes "… is damaged: "."""
    return ModelBrokenError(
        f"{shown(path.name)} is damaged: {reason}.",
        "Download it again, or choose another model.",
        detail=detail,
    )


def unsupported(
    path: Path, reason: str, next_step: str = "Choose another version of the model."
) -> ModelUnsupportedError:
    """Return the error for well-formed files that no engine here runs; `reason` completes "… cannot be run: "."""
    return ModelUnsupportedError(f"{shown(path.name)} cannot be run: {reason}.", next_step)
