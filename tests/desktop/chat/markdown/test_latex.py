"""LaTeX reads as text, whatever is thrown at it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop.chat.markdown.latex import MAX_CHARACTERS, latex_to_text

pieces = st.sampled_from(
    ["\\frac", "\\sqrt", "{", "}", "^", "_", "x", "2", " ", "[", "]", "\\begin{a}", "\\\\", "&", "\\hat", "\\no", "\\"]
)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"\sum_{i=0}^{n} x_i^2 = \frac{a}{b}", "∑ᵢ₌₀ⁿ xᵢ² = a/b"),
        (r"\frac{a+b}{2} \le x\times y", "(a+b)/2 ≤ x × y"),
        (r"\sqrt[3]{x+1} + \sqrt2", "³√(x+1) + √2"),
        (r"\left(\frac{QK^T}{\sqrt{d_k}}\right)", "(QKᵀ/(√dₖ))"),
        (r"\begin{align} a &= b \\ c &= d \end{align}", "a = b\nc = d"),
        (r"\mathbb{R}^{n\times m} \text{ holds}, \hat{y}", "ℝ^(n × m) holds, y\u0302"),
        (r"90^\circ \sin x \%", "90° sin x %"),
        (r"\unknown{x} \other", r"\unknown{x} \other"),
        ("", ""),
    ],
)
def test_latex_becomes_readable(source: str, text: str) -> None:
    assert latex_to_text(source) == text


@given(st.lists(pieces, max_size=60).map("".join))
def test_any_latex_is_read_to_its_end(source: str) -> None:
    assert len(latex_to_text(source)) <= 20 * len(source) + 20


@pytest.mark.parametrize("hostile", ["{" * 4000, "^" * 4000, "\\frac" * 900, "_{" * 2000, "\\sqrt[" * 800])
def test_depth_is_bounded(hostile: str) -> None:
    assert latex_to_text(hostile)


def test_long_latex_stays_as_it_is() -> None:
    long = "x^2 " * MAX_CHARACTERS
    assert latex_to_text(long) == long
