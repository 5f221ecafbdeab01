"""What fewer bits cost in quality: perplexity on a text, and how far a variant is from the best one at hand.

    perplexity        exp of the mean of −ln p(token | tokens before), over all tokens but the first
    KL divergence     mean over all positions of Σ p · ln(p / q) in nats, p being the best variant's and q this one's
    top-1 agreement   share of positions where both find the same token most probable

Engines report the most probable tokens of each position, up to a thousand, and always the true one. For the divergence
the tokens that both reported count singly and all others together as one, which is never more than the whole sum
(the log sum inequality: Cover and Thomas, Elements of Information Theory, 2.7.1); `covered` says how much of p counted
singly. Of a vocabulary of up to a thousand, all of it does.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import msgspec

from runtime.bench.statistics import Interval, summarize
from runtime.values.generation import TokenChoice

DEFAULT_TOKENS = 512
LEAST_TOKENS = 2
MOST_TOKENS = 100_000
TEXT_FILE = Path("quality") / "inference.txt"
LEAST_PROBABILITY = 1e-12
NORMAL_975 = 1.959963984540054


class QualityText(msgspec.Struct, frozen=True):
    """A text to score models on, and what to call it."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Hash of the text, which is not kept itself: it may be a chat."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()


class QualityFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How well a variant predicts a text.

    Attributes:
        text: what the text is called.
        text_sha256: hash of the text.
        tokens: tokens that were scored.
        perplexity: see above.
        perplexity_interval: 95 % confidence interval.
        bits_per_byte: mean −log2 p for each byte of text; compares models that cut text differently.
        reference: the variant that this one is compared with; None where there is none with the same tokens.
        divergence: mean KL divergence in nats; 0 for the reference itself.
        divergence_interval: 95 % confidence interval.
        top1_agreement: share of positions, 0 to 1.
        top1_interval: 95 % confidence interval (Wilson 1927).
        covered: mean share of the reference's probability on tokens that counted singly, 0 to 1.
    """

    text: str
    text_sha256: str
    tokens: int
    perplexity: float
    perplexity_interval: Interval | None
    bits_per_byte: float | None
    reference: str | None = None
    divergence: float | None = None
    divergence_interval: Interval | None = None
    top1_agreement: float | None = None
    top1_interval: Interval | None = None
    covered: float | None = None


def shipped_text(assets: Path) -> QualityText:
    """Return the text that comes with the app: an essay written for it, which no model was trained on before."""
    return QualityText("essay", (assets / TEXT_FILE).read_text(encoding="utf-8"))


def figures_of(text: QualityText, choices: Sequence[TokenChoice]) -> QualityFigures:
    """Return what the scored tokens say by themselves; at least one."""
    surprise = [-choice.chosen.logprob for choice in choices]
    summary = summarize(surprise)
    if summary is None:
        raise ValueError("no tokens were scored")
    interval = summary.interval
    scored_bytes = sum(len(choice.chosen.text.encode("utf-8", "surrogatepass")) for choice in choices)
    return QualityFigures(
        text=text.name,
        text_sha256=text.sha256,
        tokens=len(choices),
        perplexity=math.exp(summary.mean),
        perplexity_interval=None if interval is None else Interval(math.exp(interval.low), math.exp(interval.high)),
        bits_per_byte=sum(surprise) / math.log(2) / scored_bytes if scored_bytes else None,
    )


def against(
    figures: QualityFigures, choices: Sequence[TokenChoice | None], name: str, reference: Sequence[TokenChoice | None]
) -> QualityFigures:
    """Return `figures` with how far `choices` are from those of the variant called `name`, position by position.

    Positions of which either does not say anything are left out; `figures` stay as they are if that is all of them.
    """
    both = zip(reference, choices, strict=True)
    pairs = [(best, other) for best, other in both if best is not None and other is not None]
    if not pairs:
        return figures
    divergences = [divergence(best, other) for best, other in pairs]
    summary = summarize(divergences)
    agreeing = sum(_favourite(best) == _favourite(other) for best, other in pairs)
    return msgspec.structs.replace(
        figures,
        reference=name,
        divergence=fmean(divergences),
        divergence_interval=None if summary is None else summary.interval,
        top1_agreement=agreeing / len(pairs),
        top1_interval=wilson_interval(agreeing, len(pairs)),
        covered=fmean(_covered(best, other) for best, other in pairs),
    )


def divergence(reference: TokenChoice, other: TokenChoice) -> float:
    """Return the KL divergence of `other` from `reference` in nats, unreported tokens counting as one."""
    p, q = _logprobs(reference), _logprobs(other)
    shared = p.keys() & q.keys()
    singly = math.fsum(math.exp(p[token]) * (p[token] - q[token]) for token in shared)
    p_rest, q_rest = (_rest(logprobs, shared) for logprobs in (p, q))
    return max(0.0, singly + (p_rest * math.log(p_rest / q_rest) if p_rest > LEAST_PROBABILITY else 0.0))


def wilson_interval(hits: int, trials: int) -> Interval:
    """Return the 95 % interval of a share by Wilson's score; unlike the plain one, it stays within 0 and 1."""
    z2 = NORMAL_975**2
    share = hits / trials
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = NORMAL_975 / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    return Interval(middle - half if hits else 0.0, middle + half if hits < trials else 1.0)


def _logprobs(choice: TokenChoice) -> dict[int, float]:
    return {one.token_id: one.logprob for one in (choice.chosen, *choice.top)}


def _rest(logprobs: dict[int, float], shared: set[int]) -> float:
    return max(LEAST_PROBABILITY, 1.0 - math.fsum(math.exp(logprobs[token]) for token in shared))


def _covered(reference: TokenChoice, other: TokenChoice) -> float:
    p = _logprobs(reference)
    return min(1.0, math.fsum(math.exp(p[token]) for token in p.keys() & _logprobs(other).keys()))


def _favourite(choice: TokenChoice) -> int:
    return choice.top[0].token_id if choice.top else choice.chosen.token_id
