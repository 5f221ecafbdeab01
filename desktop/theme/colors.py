"""The colours of the window, a value for each appearance. Contrast of text is at least 4.5 : 1 (WCAG AA)."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Appearance(StrEnum):
    """What the user may choose; SYSTEM follows the desktop."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"
    HIGH_CONTRAST = "high-contrast"


class Colors(msgspec.Struct, frozen=True, kw_only=True):
    """Colours as "#rrggbb", named by role.

    Attributes:
        dark: whether light text stands on a dark ground.
        window: ground of toolbar and panels.
        sidebar: ground of the list of chats.
        page: ground of the transcript.
        card: ground of cards, fields and menus.
        bubble: ground of the user's messages.
        code: ground of code blocks.
        border: lines between and around things.
        text: what is read.
        muted: labels and captions.
        faint: hints, disabled text.
        accent: the one colour that draws the eye: the send button, links, plots, focus.
        on_accent: text and icons on the accent.
        hover: ground of a control under the pointer.
        selected: ground of the chosen row.
        marked: ground of a search hit.
        good: a verdict that all is well.
        warning: a verdict to heed.
        bad: errors.
    """

    dark: bool
    window: str
    sidebar: str
    page: str
    card: str
    bubble: str
    code: str
    border: str
    text: str
    muted: str
    faint: str
    accent: str
    on_accent: str
    hover: str
    selected: str
    marked: str
    good: str
    warning: str
    bad: str


LIGHT = Colors(
    dark=False,
    window="#f5f5f7",
    sidebar="#ececf0",
    page="#ffffff",
    card="#ffffff",
    bubble="#eef1f6",
    code="#f7f8fa",
    border="#dcdde2",
    text="#1b1b1f",
    muted="#5d5f67",
    faint="#7c7e87",
    accent="#0a66e8",
    on_accent="#ffffff",
    hover="#e3e4e9",
    selected="#dbe7fd",
    marked="#ffe58a",
    good="#1c7c3c",
    warning="#8f5b00",
    bad="#c02b2b",
)

DARK = Colors(
    dark=True,
    window="#1f2024",
    sidebar="#191a1d",
    page="#232428",
    card="#2a2b30",
    bubble="#32343b",
    code="#1b1c1f",
    border="#3a3c43",
    text="#ececef",
    muted="#a5a7b0",
    faint="#888a94",
    accent="#4c94ff",
    on_accent="#0b1420",
    hover="#34363d",
    selected="#263b5e",
    marked="#7a6215",
    good="#5fcf83",
    warning="#f0b352",
    bad="#ff8078",
)

HIGH_CONTRAST = Colors(
    dark=True,
    window="#000000",
    sidebar="#000000",
    page="#000000",
    card="#000000",
    bubble="#101010",
    code="#0a0a0a",
    border="#ffffff",
    text="#ffffff",
    muted="#f0f0f0",
    faint="#d8d8d8",
    accent="#ffd60a",
    on_accent="#000000",
    hover="#2a2a2a",
    selected="#3a3200",
    marked="#6b5b00",
    good="#7dff9a",
    warning="#ffd60a",
    bad="#ff9a93",
)


def colors_for(appearance: Appearance, *, system_is_dark: bool) -> Colors:
    """Return the colours of `appearance`."""
    match appearance:
        case Appearance.LIGHT:
            return LIGHT
        case Appearance.DARK:
            return DARK
        case Appearance.HIGH_CONTRAST:
            return HIGH_CONTRAST
        case Appearance.SYSTEM:
            return DARK if system_is_dark else LIGHT


def contrast_ratio(first: str, second: str) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.1, "relative luminance")."""
    brighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    channels = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
