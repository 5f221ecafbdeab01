r"""LaTeX made readable as text: `\frac{a}{b} \le x^2` becomes `a/b ≤ x²`. What it does not know stays as written."""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_CHARACTERS = 5000
MAX_DEPTH = 30

_TOKEN = re.compile(r"\\[a-zA-Z]+\*?|\\.|[{}^_&]|\s+|[^\\{}^_&\s]", re.DOTALL)


def _pairs(text: str) -> dict[str, str]:
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


_SYMBOLS = _pairs(
    """alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι kappa κ lambda λ
    mu μ nu ν xi ξ pi π rho ρ sigma σ tau τ upsilon υ phi ϕ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ
    Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω cdot · ast ∗ star ⋆ circ ∘ bullet • oplus ⊕ otimes ⊗
    odot ⊙ setminus ∖ emptyset ∅ varnothing ∅ forall ∀ exists ∃ neg ¬ lnot ¬ top ⊤ bot ⊥ uparrow ↑ downarrow ↓ infty ∞
    partial ∂ nabla ∇ ldots … cdots ⋯ dots … vdots ⋮ ddots ⋱ prime ′ ell ℓ hbar ℏ Re ℜ
    Im ℑ aleph ℵ angle ∠ langle ⟨ rangle ⟩ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ degree ° dagger † triangle △ square □
    checkmark ✓ surd √ lVert ‖ rVert ‖ Vert ‖ vert | lbrace { rbrace }"""
)
_RELATIONS = _pairs(
    """times × div ÷ pm ± mp ∓ le ≤ leq ≤ ge ≥ geq ≥ ll ≪ gg ≫ ne ≠ neq ≠ equiv ≡ approx ≈ sim ∼ simeq ≃ cong ≅ propto ∝
    in ∈ notin ∉ ni ∋ subset ⊂ subseteq ⊆ supset ⊃ supseteq ⊇ cup ∪ cap ∩ land ∧ wedge ∧ lor ∨ vee ∨ vdash ⊢ models ⊨
    to → rightarrow → leftarrow ← gets ← leftrightarrow ↔ Rightarrow ⇒ Leftarrow ⇐ Leftrightarrow ⇔ implies ⟹ iff ⟺
    mapsto ↦ longrightarrow ⟶ perp ⊥ parallel ∥ mid ∣ therefore ∴ because ∵"""
)
_FUNCTIONS = """sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln lg exp lim max min sup inf det dim
    ker gcd deg arg Pr mod bmod pmod argmax argmin"""
_WORDS: dict[str, str] = {
    **_SYMBOLS,
    **{name: f" {symbol} " for name, symbol in _RELATIONS.items()},
    "sum": " ∑",
    "prod": " ∏",
    "int": " ∫",
    "iint": " ∬",
    "oint": " ∮",
    **{name: name for name in (*_FUNCTIONS.split(), *"{}$%#_|")},
    **dict.fromkeys((",", ";", ":", " ", "quad", "qquad"), " "),
    **dict.fromkeys(("left", "right", "big", "Big", "bigg", "Bigg", "displaystyle", "textstyle", "limits", "!"), ""),
    **dict.fromkeys(("\\", "newline"), "\n"),
}
_STYLES = """text textbf textit textrm mathrm mathbf mathit mathsf mathtt mathcal operatorname operatorname* boldsymbol
    bm mbox boxed underline"""
_TRANSPARENT = frozenset(_STYLES.split())
_ACCENTS = {
    "hat": "\u0302",
    "widehat": "\u0302",
    "bar": "\u0304",
    "overline": "\u0304",
    "vec": "\u20d7",
    "tilde": "\u0303",
    "dot": "\u0307",
    "ddot": "\u0308",
}
_BLACKBOARD = dict(zip("CHNPQRZE1", "ℂℍℕℙℚℝℤ𝔼𝟙", strict=True))
_SUPERSCRIPTS = dict(
    zip("0123456789+-−=()abcdefghijklmnoprstuvwxyzT′∗", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀ′*", strict=True)
)
_SUBSCRIPTS = dict(zip("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))


def latex_to_text(source: str) -> str:
    """Return LaTeX as readable text, one line a line of math."""
    if len(source) > MAX_CHARACTERS:
        return source
    text = _Reader(_TOKEN.findall(source)).sequence()
    lines = (" ".join(line.replace("&", " ").split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line) or source


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def sequence(self, *, in_group: bool = False) -> str:
        """Read up to the end, or up to the brace that closes the group."""
        return "".join(self._pieces(in_group=in_group))

    def _pieces(self, *, in_group: bool) -> Iterator[str]:
        while self._next < len(self._tokens):
            if in_group and self._tokens[self._next] == "}":
                self._next += 1
                return
            yield self._piece()

    def _piece(self) -> str:
        piece = self._tokens[self._next]
        self._next += 1
        if piece == "{":
            return self._group()
        if piece in {"^", "_"}:
            return _script(self._argument(), piece)
        if piece.startswith("\\"):
            return self._command(piece[1:])
        return " " if piece.isspace() else piece.strip("}")

    def _group(self) -> str:
        self._depth += 1
        text = self.sequence(in_group=True) if self._depth <= MAX_DEPTH else "{"
        self._depth -= 1
        return text

    def _argument(self) -> str:
        """Read what a command applies to: a group or one token."""
        while self._next < len(self._tokens) and self._tokens[self._next].isspace():
            self._next += 1
        if self._next == len(self._tokens) or self._depth > MAX_DEPTH:
            return ""
        self._depth += 1
        text = self._piece()
        self._depth -= 1
        return text

    def _command(self, name: str) -> str:
        if name in _WORDS:
            return _WORDS[name]
        if name in _TRANSPARENT:
            return self._argument()
        if name in _ACCENTS:
            base = self._argument()
            return base + _ACCENTS[name] if len(base) == 1 else base
        return self._structure(name)

    def _structure(self, name: str) -> str:
        match name:
            case "frac" | "dfrac" | "tfrac":
                return f"{_grouped(self._argument())}/{_grouped(self._argument())}"
            case "binom":
                return f"C({self._argument()}, {self._argument()})"
            case "sqrt":
                degree = self._optional_argument()
                return (_script(degree, "^") if degree else "") + "√" + _grouped(self._argument())
            case "mathbb":
                return "".join(_BLACKBOARD.get(c, c) for c in self._argument())
            case "begin" | "end":
                self._argument()
                return "\n"
            case _:
                has_argument = self._next < len(self._tokens) and self._tokens[self._next] == "{"
                return f"\\{name}{{{self._argument()}}}" if has_argument else f"\\{name}"

    def _optional_argument(self) -> str:
        if self._next >= len(self._tokens) or self._tokens[self._next] != "[":
            return ""
        closing = next((i for i in range(self._next, len(self._tokens)) if self._tokens[i] == "]"), None)
        if closing is None:
            return ""
        text = "".join(self._tokens[self._next + 1 : closing])
        self._next = closing + 1
        return text


def _script(text: str, mark: str) -> str:
    """Return a superscript (`^`) or subscript (`_`) in Unicode's small characters, where it has them all."""
    small = _SUPERSCRIPTS if mark == "^" else _SUBSCRIPTS
    text = text.strip()
    if text == "∘" and mark == "^":
        return "°"
    if all(character in small for character in text):
        return "".join(small[character] for character in text)
    return mark + (text if len(text) == 1 else f"({text})")


def _grouped(text: str) -> str:
    """Return `text` in parentheses unless it is one number, one name or already in them."""
    text = text.strip()
    return text if text.isalnum() or len(text) <= 1 or re.fullmatch(r"[\w.]+|\([^()]*\)", text) else f"({text})"
