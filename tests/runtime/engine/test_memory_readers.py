"""Each engine says what reads its model's memory, what a token reads, and answers the same after a measurement."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import msgspec
import pytest

from runtime.engine import mlx_bandwidth
from runtime.engine.llamacpp_bandwidth import memory_reader
from runtime.engine.mlx_bandwidth import MlxReader
from runtime.library.decode_reads import decode_reads
from runtime.library.reader import read_spec
from runtime.metrics.bandwidth import MB, CpuReader, measure_bandwidth
from runtime.metrics.device import DeviceInfo, read_device
from runtime.values.model import LoadOptions
from tests.models.random_gguf import write_random_gguf
from tests.models.random_mlx import write_random_mlx
from tests.runtime.engine.llamacpp_session import ask, loaded_engine, run, text_of
from tests.runtime.engine.mlx_running import ask as ask_mlx
from tests.runtime.engine.mlx_running import loaded as loaded_mlx
from tests.runtime.engine.mlx_running import run as run_mlx

MACHINE = msgspec.structs.replace(read_device(), available_memory_bytes=16_000 * MB)
MAC = msgspec.structs.replace(MACHINE, os="macOS", architecture="arm64")


def test_llamacpp_is_measured_with_the_threads_it_writes_with(tmp_path: Path) -> None:
    write_random_gguf(tmp_path / "model.gguf")
    with loaded_engine(tmp_path / "model.gguf", LoadOptions(threads=2)) as engine:
        before = text_of(run(engine, ask(reuse_cache=False)))
        reader = engine.memory_reader()
        assert reader is not None
        figure = measure_bandwidth(reader)
        after = text_of(run(engine, ask(number=2, reuse_cache=False)))

    assert figure.reader == "2 CPU threads"
    assert figure.bytes_per_second > 0
    assert before == after


def test_mlx_on_the_cpu_is_measured_with_all_cores(tmp_path: Path) -> None:
    write_random_mlx(tmp_path / "model")
    engine = loaded_mlx(tmp_path / "model")
    before = run_mlx(engine, ask_mlx("some words", reuse_cache=False))[0].token_ids
    reader = engine.memory_reader()

    assert isinstance(reader, CpuReader)
    figure = measure_bandwidth(reader)
    assert figure.bytes_per_second > 0
    assert figure.flops_per_second is not None
    assert run_mlx(engine, ask_mlx("some words", reuse_cache=False))[0].token_ids == before
    engine.unload()


@pytest.mark.parametrize("dtype", [mx.float32, mx.float16])
def test_products_of_matrices_tell_how_fast_mlx_computes(monkeypatch: pytest.MonkeyPatch, dtype: mx.Dtype) -> None:
    before = mx.get_active_memory()
    # Products of one size only: a CPU emulates 16-bit floats, and takes its time.
    monkeypatch.setattr(mlx_bandwidth, "MOST_PRODUCT_SIDE", mlx_bandwidth.LEAST_PRODUCT_SIDE)

    assert 1e6 < mlx_bandwidth.product_flops_per_second(dtype) < 1e16
    assert mx.get_active_memory() == before


def test_without_an_inference_library_nothing_tells_how_fast_the_cpu_computes() -> None:
    assert CpuReader(1, 64 * MB).compute() is None


def test_mlx_reads_its_own_memory_and_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = MlxReader(8 * MB, chained_bytes=16 * MB)
    monkeypatch.setattr(mlx_bandwidth, "MOST_PRODUCT_SIDE", mlx_bandwidth.LEAST_PRODUCT_SIDE)

    assert measure_bandwidth(reader).bytes_per_second > 0
    with pytest.raises(RuntimeError):
        reader.read(MB)


def test_loading_says_what_a_token_reads(tmp_path: Path) -> None:
    write_random_gguf(tmp_path / "model.gguf")
    write_random_mlx(tmp_path / "model", quantized_bits=4)
    mlx = loaded_mlx(tmp_path / "model", kv_cache_bits=None).load(tmp_path / "model", LoadOptions(), lambda _: None)

    assert mlx.decode_reads == decode_reads(read_spec(tmp_path / "model"))
    with loaded_engine(tmp_path / "model.gguf") as engine:
        model = engine.load(tmp_path / "model.gguf", LoadOptions(), lambda _: None)
    assert model.decode_reads == decode_reads(read_spec(tmp_path / "model.gguf"))


@pytest.mark.parametrize(
    ("device", "uses_gpu", "is_split", "kind"),
    [
        (MACHINE, False, False, CpuReader),
        (MAC, False, True, CpuReader),
        (MAC, True, False, MlxReader),
        (MAC, True, True, type(None)),
        (MACHINE, True, False, type(None)),
        (msgspec.structs.replace(MACHINE, available_memory_bytes=300 * MB), False, False, type(None)),
    ],
    ids=["CPU", "CPU of a Mac", "GPU of a Mac", "both at once", "a GPU of its own memory", "memory scarce"],
)
def test_what_cannot_be_measured_is_not(device: DeviceInfo, uses_gpu: bool, is_split: bool, kind: type) -> None:
    device = device if device.os == "macOS" else msgspec.structs.replace(device, os="Linux")

    assert isinstance(memory_reader(device, uses_gpu=uses_gpu, is_split=is_split, threads=2), kind)
