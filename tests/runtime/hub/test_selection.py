"""Which files are asked for, and where they may lie: never code, never pickles, never outside of the model's folder."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.hub.grouping import HubVariant, variants_of
from runtime.hub.listing import HubFile, HubRepo, Repository
from runtime.hub.naming import UNKNOWN
from runtime.hub.selection import local_path, needed_files
from runtime.values.errors import DownloadError, HubMissingError, ModelUnsupportedError, UserFacingError
from runtime.values.model import ModelFormat

MLX = HubVariant(repo_id="a/b", format=ModelFormat.MLX, scheme=UNKNOWN)
USABLE = ("config.json", "model.safetensors", "tokenizer.json")


def repository(*paths: str, tags: tuple[str, ...] = ("mlx",)) -> Repository:
    """Return a repository with these files."""
    files = tuple(HubFile(path=path, size_bytes=1, sha256=None, git_id="0") for path in paths)
    return Repository(HubRepo(repo_id="a/b", tags=tags, files=paths), "0" * 40, files)


def targets(*paths: str) -> list[str]:
    """Return what is taken of an MLX repository."""
    return [one.target for one in needed_files(repository(*paths), MLX)]


def test_only_what_a_model_needs_is_taken() -> None:
    needless = ["modeling_x.py", "pytorch_model.bin", "model.pt", "training.ckpt", "picture.png", ".gitattributes"]
    needless += ["consolidated.safetensors", "adapters/model.safetensors", "setup.sh", "original/config.json", "x.pkl"]
    needed = [*USABLE, "tokenizer_config.json", "chat_template.jinja", "vocab.json", "merges.txt", "LICENSE"]
    needed += ["additional_chat_templates/tools.jinja", "README.md", "qwen.tiktoken"]

    assert sorted(targets(*needless, *needed)) == sorted(needed)


def test_weights_come_last() -> None:
    assert targets("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "config.json") == [
        *("config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
    ]


@pytest.mark.parametrize(
    ("paths", "word"),
    [
        (("config.json", "pytorch_model.bin"), "PyTorch"),
        (("README.md",), "no model"),
        (("model.safetensors",), "no model"),
        (("config.json", "m-Q8_0.gguf"), "GGUF"),
        ((), "no model"),
    ],
)
def test_a_repository_without_a_usable_file_says_why(paths: tuple[str, ...], word: str) -> None:
    with pytest.raises(ModelUnsupportedError) as caught:
        targets(*paths)

    assert word in caught.value.what


def test_a_gguf_form_takes_its_parts_and_nothing_else() -> None:
    parts = ("Q8_0/m-Q8_0-00001-of-00002.gguf", "Q8_0/m-Q8_0-00002-of-00002.gguf")
    there = repository(*parts, "m-Q4_0.gguf", "README.md", "mmproj-F16.gguf", tags=("gguf",))
    (variant,) = [one for one in variants_of(there.repo) if len(one.files) == 2]

    assert [one.target for one in needed_files(there, variant)] == list(parts)


def test_a_form_that_is_gone_is_missing() -> None:
    variant = HubVariant(repo_id="a/b", format=ModelFormat.GGUF, scheme=UNKNOWN, files=("old.gguf",))

    with pytest.raises(HubMissingError):
        needed_files(repository("new.gguf"), variant)


TRAVERSALS = [
    "../model.gguf",
    "../../../../etc/cron.d/model.gguf",
    "/etc/model.gguf",
    "a/../../model.gguf",
    "a//model.gguf",
    "./model.gguf",
    "..\\..\\model.gguf",
    "a\\model.gguf",
    "a/.. /model.gguf",
    "a/.../model.gguf",
    "model\n.gguf",
    "model\0.gguf",
    "model\x1b[31m.gguf",
    "a/" * 600 + "model.gguf",
    "x" * 300 + ".gguf",
    "",
    "a/",
    " /model.gguf",
    "\ud800.gguf",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    variant = HubVariant(repo_id="a/b", format=ModelFormat.GGUF, scheme=UNKNOWN, files=(path,))

    with pytest.raises(DownloadError) as caught:
        needed_files(repository(path), variant)

    assert caught.value.what.isprintable()


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("größe #1 & 100% 'ok' [4bit].gguf", "größe #1 & 100% 'ok' [4bit].gguf"),
        ("模型-Q4.gguf", "模型-Q4.gguf"),
        ("what?.gguf", "what_.gguf"),
        ("C:evil.gguf", "C_evil.gguf"),
        ("model.gguf:stream", "model.gguf_stream"),
        ("con.gguf", "_con.gguf"),
        ("aux/model.gguf", "_aux/model.gguf"),
        (".hidden.gguf", "_.hidden.gguf"),
        ("deep/er/still/model.gguf", "still/model.gguf"),
        ("trailing. ./model.gguf", "trailing/model.gguf"),
    ],
)
def test_odd_names_become_names_of_every_system(path: str, target: str) -> None:
    assert local_path(path, ModelFormat.GGUF) == target


def test_names_that_only_differ_in_case_are_refused() -> None:
    with pytest.raises(DownloadError):
        targets(*USABLE, "model-A.safetensors", "model-a.safetensors")


@given(st.text(max_size=80) | st.lists(st.sampled_from(["..", ".", "/", "\\", "a", ":", " ", "~", "%2e"])).map("".join))
def test_no_path_ever_leads_out(path: str) -> None:
    try:
        target = local_path(path, ModelFormat.MLX)
    except UserFacingError:
        return
    for flavour in (PurePosixPath(target), PureWindowsPath(target)):
        assert not flavour.is_absolute()
        assert not flavour.drive
        assert ".." not in flavour.parts
