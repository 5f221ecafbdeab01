"""Inline markdown becomes styled text, and nothing more than that."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop.chat.markdown.inline import MAX_FORMATTED_CHARACTERS, InlineParser
from desktop.chat.markdown.run import Run, Style
from desktop.chat.markdown.safe_text import safe_text

PARSER = InlineParser()
BOTH = Style.BOLD | Style.ITALIC


@pytest.mark.parametrize(
    ("source", "runs"),
    [
        ("plain", (Run("plain"),)),
        ("", ()),
        ("a **b _c_** d", (Run("a "), Run("b ", Style.BOLD), Run("c", BOTH), Run(" d"))),
        ("~~x~~ `y*z*`", (Run("x", Style.STRIKE), Run(" "), Run("y*z*", Style.CODE))),
        ("one\ntwo  \nthree\\\nfour", (Run("one\ntwo\nthree\nfour"),)),
        ("[t](https://e.org/a)", (Run("t", address="https://e.org/a"),)),
        ("see https://e.org/a_b_(c).", (Run("see "), Run(a := "https://e.org/a_b_(c)", address=a), Run("."))),
        ("`https://e.org`", (Run("https://e.org", Style.CODE),)),
        ("<me@e.org>", (Run("me@e.org", address="mailto:me@e.org"),)),
        ("$x^2$, \\(y_1\\)", (Run("x²", Style.MATH), Run(", "), Run("y₁", Style.MATH))),
        ("$5 and $6 or $ 7 $", (Run("$5 and $6 or $ 7 $"),)),
        ("a<br/>b", (Run("a\nb"),)),
        ("\\*not\\* &amp; this", (Run("*not* & this"),)),
        ("![a cat](https://e.org/cat.png)", (Run("[a cat]", address="https://e.org/cat.png"),)),
    ],
)
def test_runs(source: str, runs: tuple[Run, ...]) -> None:
    assert PARSER.runs(source) == runs
    assert PARSER.plain_text(source) == "".join(run.text for run in runs)


@pytest.mark.parametrize(
    "source",
    [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](vbscript:x)",
        "[x](file:///etc/passwd)",
        "[x](data:text/html,x)",
        "[x](/etc/passwd)",
        "[x](smb://host/share)",
        "<javascript:alert(1)>",
        "![x](file:///etc/passwd)",
        "![x](data:image/png;base64,AAAA)",
        "[x](https://e.org/" + "a" * 3000 + ")",
        "<a href='https://e.org'>x</a> <script>x</script> <img src=x onerror=y>".replace("https://", ""),
    ],
)
def test_nothing_leads_where_it_must_not(source: str) -> None:
    assert not any(run.address for run in PARSER.runs(source))


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("https://e.org/txt.\u202eexe", "https://e.org/txt.%E2%80%AEexe"),
        ("https://\u0430pple.com/", "https://xn--pple-43d.com/"),
        ("https://e.org/\u65e5", "https://e.org/%E6%97%A5"),
        ("https://e.org/%20?a=1&b=(c)#d", "https://e.org/%20?a=1&b=(c)#d"),
    ],
)
@pytest.mark.parametrize("markup", ["{}", "<{}>", "[here]({})", "![here]({})"])
def test_an_address_says_where_it_leads(markup: str, written: str, target: str) -> None:
    """What is shown before a link is opened cannot look like another address."""
    assert [run.address for run in PARSER.runs(markup.format(written)) if run.address] == [target]


def test_html_stays_text() -> None:
    assert PARSER.plain_text("<b onclick=x>hi</b> &lt;i&gt;") == "<b onclick=x>hi</b> <i>"


@given(st.text(alphabet="ab*_`~[]()!<>&#\\$ \n\ufdd0\ufffc\u2029\u0001;x1https:/.", max_size=80))
def test_runs_are_merged_and_hold_nothing_that_qt_takes_for_structure(source: str) -> None:
    runs = PARSER.runs(safe_text(source))
    assert all(run.text for run in runs)
    assert all((a.style, a.address) != (b.style, b.address) for a, b in pairwise(runs))
    assert all(run.text == safe_text(run.text) for run in runs)
    assert all(run.address.startswith(("http://", "https://", "mailto:")) for run in runs if run.address)


def test_entities_cannot_smuggle_structure_in() -> None:
    assert PARSER.plain_text("a&#xFDD0;&#x2029;&#xFFFC;b") == "a\ufffd\ufffd\ufffdb"


def test_a_very_long_paragraph_is_plain() -> None:
    source = "**a** " * MAX_FORMATTED_CHARACTERS
    assert PARSER.runs(source) == (Run(source),)


def test_safe_text_gives_unix_newlines() -> None:
    assert safe_text("a\r\nb\rc\x00\ud800\td") == "a\nb\nc\ufffd\ufffd\td"
