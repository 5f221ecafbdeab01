"""A model's headers read from afar: the same answer as from the disk, for a few megabytes at most."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from runtime.hub.access import HubAccess
from runtime.hub.api import HubApi
from runtime.hub.grouping import variants_of
from runtime.hub.remote_model import read_remote_spec
from runtime.hub.transport import HubTransport, Timeouts
from runtime.library.reader import read_spec
from runtime.library.spec import ModelSpec
from runtime.values.errors import (
    DownloadError,
    HubAccessError,
    HubBusyError,
    HubUnreachableError,
    ModelBrokenError,
    ModelUnsupportedError,
    UserFacingError,
)
from tests.hub.faults import ClaimLength, CutAfter, Fault, IgnoreRange, StallAfter, Status, Then, WrongRange
from tests.hub.hosted import HostedFile, HostedRepo, repo_from_folder
from tests.hub.large_headers import gguf_70b, mlx_70b
from tests.hub.state import HubServer
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.models.random_mlx import write_random_mlx
from tests.models.split_models import write_split_gguf, write_split_mlx

REPO = "publisher/model-4bit"
MOST_BYTES = 10_000_000


def remote(api: HubApi, repo_id: str = REPO, index: int = 0, *, silence_s: float = 20.0) -> ModelSpec:
    """Read one form of a hosted model from afar."""
    repository = api.repository(repo_id)
    return read_remote_spec(new_transport(api, silence_s), repository, variants_of(repository.repo)[index])


def new_transport(api: HubApi, silence_s: float = 20.0) -> Callable[[], HubTransport]:
    """Return what makes connections that wait so long for a sign of life."""
    return lambda: HubTransport(api.access, timeouts=Timeouts(silence_s=silence_s))


def same(spec: ModelSpec, local: ModelSpec) -> bool:
    """Tell whether both say the same, apart from where the model lies."""
    return msgspec.structs.replace(spec, path=local.path) == local


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder for a model, called as its repository is."""
    return tmp_path / "model-4bit"


@pytest.mark.parametrize("parts", [1, 3])
def test_an_mlx_model_is_the_same_from_afar(parts: int, folder: Path, hub: HubServer, api: HubApi) -> None:
    write_split_mlx(folder, parts, quantized_bits=4)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    hub.host(repo_from_folder(REPO, folder, ("mlx",)))

    spec = remote(api)

    assert same(spec, read_spec(folder))
    assert spec.path == Path(REPO)
    assert spec.license == "mit"
    assert not any("tokenizer.json" in request.target for request in hub.requests if "resolve" in request.target)


@pytest.mark.parametrize("parts", [1, 3])
def test_a_gguf_model_is_the_same_from_afar(parts: int, folder: Path, hub: HubServer, api: HubApi) -> None:
    folder.mkdir()
    paths = write_split_gguf(folder, "model-Q8_0", parts, GgufRecipe(weights="Q8_0"))
    repo = HostedRepo(REPO, {f"Q8_0/{path.name}": HostedFile(path) for path in paths}, ("gguf",))
    hub.host(repo)

    spec = remote(api)

    assert same(spec, read_spec(paths[0]))
    assert spec.path == Path(REPO) / "Q8_0" / paths[0].name


def test_only_the_beginning_of_the_weights_is_fetched(folder: Path, hub: HubServer, api: HubApi) -> None:
    file = folder / "model-F32.gguf"
    write_random_gguf(file, GgufRecipe(hidden=512, layers=4, feed_forward=1024))
    hub.host(HostedRepo(REPO, {file.name: HostedFile(file)}, ("gguf",)))

    remote(api)

    assert hub.sent_bytes < 1_000_000 < file.stat().st_size / 10


@pytest.mark.parametrize("make", [mlx_70b, gguf_70b])
def test_seventy_billion_parameters_for_less_than_ten_megabytes(
    make: Callable[[], HostedRepo], hub: HubServer, api: HubApi
) -> None:
    repo = make()
    hub.host(repo)

    spec = remote(api, repo.repo_id)

    assert spec.parameters == pytest.approx(70.55e9, rel=0.001)
    assert spec.quantization.name in {"INT4", "Q4_K_M"}
    assert spec.quantization.bits_per_weight == pytest.approx(4.5, abs=0.01)
    assert spec.context_tokens == 131_072
    assert (spec.layers, spec.kv_heads, spec.head_dim) == (80, 8, 128)
    assert hub.sent_bytes < MOST_BYTES


FAULTS: list[tuple[Fault, type[UserFacingError]]] = [
    (CutAfter(100), HubUnreachableError),
    (StallAfter(100), HubUnreachableError),
    (Status(503), HubBusyError),
    (Status(429, "1"), HubBusyError),
    (ClaimLength(-5), DownloadError),
    (ClaimLength(5), DownloadError),
    (WrongRange(3), HubBusyError),
]


@pytest.mark.parametrize(("fault", "kind"), FAULTS)
def test_every_fault_is_an_error_with_a_next_step(
    fault: Fault, kind: type[UserFacingError], folder: Path, hub: HubServer, api: HubApi
) -> None:
    write_random_mlx(folder, quantized_bits=4)
    hub.host(repo_from_folder(REPO, folder, ("mlx",)))
    hub.plan(fault, "model.safetensors", part="cdn", times=100)

    with pytest.raises(kind) as caught:
        remote(api, silence_s=0.3 if isinstance(fault, StallAfter) else 20.0)

    assert caught.value.next_step


def test_a_server_without_ranges_is_good_enough_for_one_fetch(folder: Path, hub: HubServer, api: HubApi) -> None:
    write_random_mlx(folder, quantized_bits=4)
    hub.host(repo_from_folder(REPO, folder, ("mlx",)))
    hub.plan(IgnoreRange(), "model.safetensors", part="cdn", times=1)

    assert same(remote(api), read_spec(folder))


def test_a_file_that_changes_between_two_fetches_is_noticed(folder: Path, hub: HubServer, api: HubApi) -> None:
    file = folder / "model-F32.gguf"
    write_random_gguf(file, GgufRecipe(vocabulary_size=2000, chat_template="x" * 200_000))
    content = file.read_bytes()
    repo = HostedRepo(REPO, {file.name: HostedFile(content)}, ("gguf",))
    hub.host(repo)
    repository = api.repository(REPO)
    hub.plan(Then(lambda: repo.files.update({file.name: HostedFile(content[::-1])})), part="cdn")

    with pytest.raises(HubBusyError) as caught:
        read_remote_spec(new_transport(api), repository, variants_of(repository.repo)[0])

    assert "changed" in caught.value.what


def test_a_gated_model_says_how_to_get_access(folder: Path, hub: HubServer, api: HubApi) -> None:
    write_random_mlx(folder)
    repo = repo_from_folder(REPO, folder, ("mlx",))
    repo.gated = "auto"
    hub.host(repo)

    with pytest.raises(HubAccessError) as caught:
        remote(api)

    assert f"{hub.endpoint}/{REPO}" in caught.value.next_step


def test_a_broken_header_is_found_before_the_download(folder: Path, hub: HubServer, api: HubApi) -> None:
    write_random_mlx(folder)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[0:8] = (10**12).to_bytes(8, "little")
    repo = repo_from_folder(REPO, folder, ("mlx",))
    repo.files["model.safetensors"] = HostedFile(bytes(weights))
    hub.host(repo)

    with pytest.raises(ModelBrokenError):
        remote(api)


def test_a_model_with_code_of_its_own_is_refused_before_the_download(folder: Path, hub: HubServer, api: HubApi) -> None:
    write_random_mlx(folder)
    config = msgspec.json.decode((folder / "config.json").read_bytes()) | {"model_file": "evil.py"}
    (folder / "config.json").write_bytes(msgspec.json.encode(config))
    (folder / "evil.py").write_text("raise SystemExit")
    hub.host(repo_from_folder(REPO, folder, ("mlx",)))

    with pytest.raises(ModelUnsupportedError):
        remote(api)

    assert not any("evil" in request.target for request in hub.requests)


def test_a_hub_that_is_gone_meanwhile(folder: Path, hub: HubServer, api: HubApi) -> None:
    write_random_mlx(folder)
    hub.host(repo_from_folder(REPO, folder, ("mlx",)))
    repository = api.repository(REPO)

    with pytest.raises(HubUnreachableError):
        read_remote_spec(
            lambda: HubTransport(HubAccess("http://127.0.0.1:1")), repository, variants_of(repository.repo)[0]
        )
