"""The columns of the table of results: what each says of a row, and what its figure means."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from desktop.bench import words
from desktop.bench.words import tr
from runtime.bench.comparison import Comparison, Metric, Verdict
from runtime.bench.record import BenchRow
from runtime.values.wording import (
    UNDEFINED,
    bytes_text,
    change_text,
    milliseconds_text,
    number_text,
    rate_text,
)


class Result(msgspec.Struct, frozen=True):
    """A row, how it has changed against an earlier one (nothing where there is none), and whether it still grows."""

    row: BenchRow
    changes: tuple[Comparison, ...] = ()
    is_running: bool = False

    @property
    def is_regression(self) -> bool:
        """Whether anything of it became worse."""
        return any(one.verdict is Verdict.SLOWER for one in self.changes)

    @property
    def is_improvement(self) -> bool:
        """Whether it became better, and nothing of it worse."""
        return not self.is_regression and any(one.verdict is Verdict.FASTER for one in self.changes)

    @property
    def notes(self) -> str:
        """What has to be known besides the figures."""
        return "; ".join(words.notes_of(self.row, is_running=self.is_running))


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column.

    Attributes:
        name: what programs call it.
        title: its head.
        about: what its figures mean.
        text: the cell of a result.
        detail: what stands behind the figure of a result, its samples for instance.
        is_number: whether cells line up at the end.
        needed: whether it is worth its place beside these results.
    """

    name: str
    title: str
    about: str
    text: Callable[[Result], str]
    detail: Callable[[Result], str] = lambda _: ""
    is_number: bool = True
    needed: Callable[[Sequence[Result]], bool] = lambda _: True


def columns() -> tuple[Column, ...]:
    """Return all columns, in order."""
    return (*_what(), *_speed(), *_quality(), *_verdicts())


def _what() -> tuple[Column, ...]:
    return (
        Column(
            name="test",
            title=tr("Test"),
            about=tr(
                "As llama-bench names them: pp512 reads 512 tokens, tg128 writes 128, @d4096 after 4,096 that are"
                " cached, @c4 four requests at once. chat128 is a reply as a person gets it."
            ),
            text=lambda one: one.row.test,
            detail=lambda one: one.row.cache,
            is_number=False,
        ),
        Column(
            name="model",
            title=tr("Model"),
            about=tr("Which model, and the engine that ran it."),
            text=lambda one: words.short_model(one.row),
            detail=lambda one: f"{one.row.model.name}\n{one.row.model.filename}\n{words.machine_text(one.row)}",
            is_number=False,
        ),
        Column(
            name="quantization",
            title=tr("Stored as"),
            about=tr("How the weights are stored, and the effective bits of each: file bits ÷ parameters."),
            text=lambda one: words.quantization_name(one.row) or UNDEFINED,
            detail=_bits_text,
            is_number=False,
        ),
    )


def _speed() -> tuple[Column, ...]:
    return (
        Column(
            name="engineRate",
            title=tr("Engine tok/s"),
            about=tr(
                "Tokens a second of the engine alone: token ids in, the likeliest token out, timed where it is made;"
                " to be compared with llama-bench. Behind ± half the 95 % interval of the mean (Student's t)."
            ),
            text=lambda one: _rate(one, is_chat=False),
            detail=lambda one: "" if words.is_chat(one.row) else _samples(one),
        ),
        Column(
            name="chatRate",
            title=tr("Chat tok/s"),
            about=tr("Tokens a second as a person gets them: with sampling, text and the way to this window."),
            text=lambda one: _rate(one, is_chat=True),
            detail=lambda one: _samples(one) if words.is_chat(one.row) else "",
            needed=lambda all_of_them: any(words.is_chat(one.row) for one in all_of_them),
        ),
        Column(
            name="change",
            title=tr("Change"),
            about=tr(
                "Against the earlier run. A change counts where its 95 % interval (Welch) excludes none, and it is at"
                " least 2 %."
            ),
            text=_change,
            detail=_change_detail,
            needed=lambda all_of_them: any(one.changes for one in all_of_them),
        ),
        Column(
            name="ttft",
            title=tr("TTFT"),
            about=tr("Time to first token: from sending the prompt to the first token of the reply; the median."),
            text=lambda one: milliseconds_text(one.row.ttft.median_ms if one.row.ttft is not None else None),
            detail=lambda one: words.ttft_samples_text(one.row),
            needed=lambda all_of_them: any(one.row.ttft is not None for one in all_of_them),
        ),
        Column(
            name="memory",
            title=tr("Memory"),
            about=tr("The most that the model's worker process took."),
            text=lambda one: bytes_text(one.row.memory.peak_bytes if one.row.memory is not None else None),
            detail=_memory_text,
        ),
        Column(
            name="limit",
            title=tr("Roofline"),
            about=tr(
                "How near writing came to what memory allows (its measured bandwidth ÷ the bytes read for each token),"
                " and reading to what the device computes, which is measured, too."
            ),
            text=lambda one: words.share_text(one.row),
            detail=lambda one: words.limit_text(one.row),
            needed=lambda all_of_them: any(
                one.row.roofline is not None or one.row.compute is not None for one in all_of_them
            ),
        ),
    )


def _quality() -> tuple[Column, ...]:
    def is_known(all_of_them: Sequence[Result]) -> bool:
        return any(one.row.quality is not None for one in all_of_them)

    return (
        Column(
            name="perplexity",
            title=tr("Perplexity"),
            about=tr(
                "How surprised the model is by a text, on average; less is better. The text comes with the app, or is"
                " that of your own chats."
            ),
            text=lambda one: number_text(one.row.quality.perplexity if one.row.quality else None, 3),
            detail=lambda one: words.quality_text(one.row),
            needed=is_known,
        ),
        Column(
            name="divergence",
            title=tr("KL"),
            about=tr(
                "Kullback-Leibler divergence from the best model of the run, in nats: how far its probabilities are"
                " from those; 0 is the same."
            ),
            text=lambda one: number_text(one.row.quality.divergence if one.row.quality else None, 4),
            detail=lambda one: words.quality_text(one.row),
            needed=is_known,
        ),
        Column(
            name="agreement",
            title=tr("Top-1"),
            about=tr("How often it finds the same token most probable as the best model of the run does."),
            text=_agreement,
            detail=lambda one: words.quality_text(one.row),
            needed=is_known,
        ),
    )


def _verdicts() -> tuple[Column, ...]:
    return (
        Column(
            name="notes",
            title=tr("Notes"),
            about=tr("What failed, and what disturbed the measurement."),
            text=lambda one: one.notes,
            is_number=False,
        ),
    )


def _rate(one: Result, *, is_chat: bool) -> str:
    row = one.row
    return rate_text(row.avg_ts, words.half_width(row.interval_ts)) if words.is_chat(row) is is_chat else ""


def _samples(one: Result) -> str:
    return " ".join(filter(None, (words.interval_words(one.row), words.samples_text(one.row))))


def _bits_text(one: Result) -> str:
    quantization = one.row.model.quantization
    if quantization is None:
        return ""
    return tr("{bits} bits a weight").format(bits=number_text(quantization.bits_per_weight, 2))


def _memory_text(one: Result) -> str:
    memory = one.row.memory
    if memory is None:
        return ""
    return tr("Weights {weights}, KV cache {cache}.").format(
        weights=bytes_text(memory.weights_bytes), cache=bytes_text(memory.kv_cache_bytes)
    )


def _agreement(one: Result) -> str:
    share = one.row.quality.top1_agreement if one.row.quality is not None else None
    return UNDEFINED if share is None else number_text(share * 100, 1) + " %"


def _change(one: Result) -> str:
    speed = next((change for change in one.changes if change.metric is Metric.SPEED), None)
    if speed is None:
        return ""
    return change_text(speed.change.relative if speed.change is not None else None)


def _change_detail(one: Result) -> str:
    return "\n".join(_change_line(change) for change in one.changes)


def _change_line(one: Comparison) -> str:
    text = milliseconds_text if one.metric is Metric.TTFT else rate_text
    interval = one.change.interval if one.change is not None else None
    line = tr("{what}: {earlier} then, {now} now ({change}); {verdict}").format(
        what=one.metric.value,
        earlier=text(one.earlier),
        now=text(one.now),
        change=change_text(one.change.relative if one.change is not None else None),
        verdict=_verdict_word(one.verdict),
    )
    if interval is not None:
        line += tr("; 95 %: {low} to {high}").format(low=change_text(interval.low), high=change_text(interval.high))
    return line + "".join(f"; {difference}" for difference in one.differences)


def _verdict_word(verdict: Verdict) -> str:
    words_of = {
        Verdict.FASTER: tr("better"),
        Verdict.SLOWER: tr("worse"),
        Verdict.SAME: tr("the same"),
        Verdict.UNKNOWN: tr("too few samples to tell"),
    }
    return words_of[verdict]
