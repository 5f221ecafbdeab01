"""The same model with KV caches of several widths in one run: measured in turns, scored on one text, told apart."""

from __future__ import annotations

import re
from itertools import groupby

import msgspec
import pytest

from runtime.bench.kv_variants import kv_effects, kv_variants, plain_name, width_names
from runtime.bench.record import BenchRow
from runtime.client.base import ModelToLoad
from runtime.values.model import EngineName, LoadOptions
from tests.runtime.cli.command import first_token

MODEL = ModelToLoad(engine=EngineName.LLAMACPP, path="/m/one.gguf", options=LoadOptions(model_name="one"))
RUN = ("bench", "--model", "demo", "--engine", "llamacpp", "--kv-cache-bits", "8,none", "--repetitions", "3")
TESTS = ("--test", "pp64,tg16@d256", "--quality-tokens", "64", "--quality")


@pytest.fixture(scope="module")
def rows() -> tuple[BenchRow, ...]:
    done = first_token(*RUN, *TESTS, "--json")
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout, type=tuple[BenchRow, ...])


def test_the_widest_comes_first_whatever_order_was_asked_for() -> None:
    variants = kv_variants(MODEL, (4, None, 8, 8))

    assert [one.options.kv_cache_bits for one in variants] == [None, 8, 4]
    assert [one.options.model_name for one in variants] == ["one", "one, KV 8-bit", "one, KV 4-bit"]
    assert {plain_name(one) for one in variants} == {"one"}
    assert width_names(variants) == ("none", "8", "4")
    assert width_names(kv_variants(MODEL, (None,))) == ()
    assert kv_variants(MODEL, (None,)) == (MODEL,)


def test_a_run_measures_each_width_and_compares_its_quality_with_the_usual_one(rows: tuple[BenchRow, ...]) -> None:
    assert [(row.test, row.settings.load.kv_cache_bits) for row in rows] == [
        ("pp64", None),
        ("pp64", 8),
        ("tg16@d256", None),
        ("tg16@d256", 8),
    ]
    for _, pair in groupby(rows, key=lambda row: row.test):
        usual, quantized = pair
        assert len(usual.samples_ts) == len(quantized.samples_ts) == 3
        assert usual.quality is not None
        assert quantized.quality is not None
        assert quantized.quality.reference == usual.model.name
        assert quantized.quality.divergence is not None
        assert 0 < quantized.quality.divergence < 0.1


def test_what_a_width_did_is_read_off_the_rows(rows: tuple[BenchRow, ...]) -> None:
    model = rows[0].model
    (effect,) = kv_effects(rows, model.filename, model.weights_bytes)

    assert effect.kv_cache_bits == 8
    assert effect.writing is not None
    assert effect.reading is not None
    assert effect.writing.interval is not None
    assert rows[1].quality is not None
    assert effect.divergence == rows[1].quality.divergence
    assert kv_effects(rows, model.filename, model.weights_bytes + 1) == (), "another model by now"
    assert kv_effects(rows[1::2], model.filename, model.weights_bytes) == (), "nothing to compare with"


def test_the_command_that_repeats_a_run_names_the_widths() -> None:
    done = first_token(*RUN[:-1], "1", "--test", "tg4")

    assert done.returncode == 0, done.stderr
    assert "demo:int8, KV 8-bit" in done.stdout
    (command,) = re.findall("repeat with: (.*)", done.stdout)
    assert command.count("demo:int8") == 1
    assert command.endswith("--kv-cache-bits none,8")


def test_a_width_that_does_not_exist_is_refused() -> None:
    done = first_token("bench", "--kv-cache-bits", "5")

    assert done.returncode == 1
    assert done.stderr == 'first-token: "5" is no width of a KV cache. Choose from none, 8, 4.\n'
