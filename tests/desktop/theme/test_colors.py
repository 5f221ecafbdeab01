"""Text is legible on every ground it stands on, in every appearance."""

from __future__ import annotations

import pytest

from desktop.theme.colors import DARK, HIGH_CONTRAST, LIGHT, Appearance, Colors, colors_for, contrast_ratio

TEXT_ON_GROUND = [
    *[
        ("text", ground)
        for ground in ("window", "sidebar", "page", "card", "bubble", "code", "hover", "selected", "marked")
    ],
    *[("muted", ground) for ground in ("window", "sidebar", "page", "card", "bubble")],
    *[(verdict, ground) for verdict in ("good", "warning", "bad", "accent") for ground in ("page", "card")],
    ("on_accent", "accent"),
]


@pytest.mark.parametrize("colors", [LIGHT, DARK, HIGH_CONTRAST], ids=["light", "dark", "high-contrast"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON_GROUND)
def test_text_has_enough_contrast(colors: Colors, text: str, ground: str) -> None:
    assert contrast_ratio(getattr(colors, text), getattr(colors, ground)) >= 4.5


@pytest.mark.parametrize("colors", [LIGHT, DARK, HIGH_CONTRAST], ids=["light", "dark", "high-contrast"])
def test_hints_can_be_read_too(colors: Colors) -> None:
    assert contrast_ratio(colors.faint, colors.card) >= 3


def test_the_system_decides_only_when_it_is_asked() -> None:
    assert colors_for(Appearance.SYSTEM, system_is_dark=True) is DARK
    assert colors_for(Appearance.SYSTEM, system_is_dark=False) is LIGHT
    assert colors_for(Appearance.LIGHT, system_is_dark=True) is LIGHT


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast_ratio("#ffffff", "#000000") == pytest.approx(21)
    assert contrast_ratio("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
