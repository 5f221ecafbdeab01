"""The figures of others that ship with the app each name where they are written."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlparse

from desktop.state.published_figures import read_published
from runtime.config.paths import assets_folder


def test_every_published_figure_names_its_source() -> None:
    figures = read_published(assets_folder())
    assert len(figures) >= 10
    for one in figures:
        address = urlparse(one.source)
        assert address.scheme == "https"
        assert address.netloc
        assert date.fromisoformat(one.checked)
        assert 0 < one.tokens_per_second < 1000
        assert all((one.machine, one.model, one.quantization, one.engine, one.test))
    assert len({(one.machine, one.model, one.quantization, one.engine) for one in figures}) == len(figures)


def test_the_fastest_comes_first() -> None:
    speeds = [one.tokens_per_second for one in read_published(assets_folder())]
    assert speeds == sorted(speeds, reverse=True)
