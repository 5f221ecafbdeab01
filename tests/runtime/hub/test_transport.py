"""Parts of files over our own connections: ranges, redirects, who sees the token, proxies, encryption, interrupts."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from runtime.hub.access import HubAccess, Token
from runtime.hub.remote_file import RemoteFile
from runtime.hub.transport import Body, HubTransport, Timeouts, system_proxy
from runtime.values.errors import (
    DownloadError,
    HubAccessError,
    HubBusyError,
    HubMissingError,
    HubUnreachableError,
)
from tests.hub.faults import CutAfter, Flip, IgnoreRange, StallAfter, Status
from tests.hub.forward_proxy import ForwardProxy, running_proxy
from tests.hub.hosted import HostedFile, HostedRepo
from tests.hub.server import running_hub
from tests.hub.silent import full_server, mute_server
from tests.hub.state import HubServer

REPO = "publisher/model"
WEIGHTS = bytes(range(256)) * 2000
ODD_NAME = "ein Ordner/größe #1 & 100% 'ok'? [4bit];v=1+2.safetensors"


@pytest.fixture
def repo(hub: HubServer) -> HostedRepo:
    """Host a repository with a large file, a small one and one with an odd name."""
    files = {"model.safetensors": HostedFile(WEIGHTS), "config.json": HostedFile(b"{}"), ODD_NAME: HostedFile(b"odd")}
    hosted = HostedRepo(REPO, files)
    hub.host(hosted)
    return hosted


@pytest.fixture
def transport(hub: HubServer) -> Iterator[HubTransport]:
    """Yield connections to the Hub."""
    connections = HubTransport(HubAccess(hub.endpoint))
    yield connections
    connections.close()


def content(body: Body) -> bytes:
    """Read all of it."""
    return b"".join(iter(lambda: body.read(100_000), b""))


def test_a_whole_file_and_parts_of_it(transport: HubTransport, repo: HostedRepo) -> None:
    file = RemoteFile(REPO, repo.commit, "model.safetensors")

    assert content(transport.open(file)) == WEIGHTS
    for first, last in ((0, 0), (5, 9), (511_999, None), (1000, 10**9)):
        body = transport.open(file, first, last)
        assert body.first == first
        assert body.identity.total_bytes == len(WEIGHTS)
        assert content(body) == WEIGHTS[first : None if last is None else last + 1]


def test_small_files_come_from_the_hub_itself(transport: HubTransport, repo: HostedRepo, hub: HubServer) -> None:
    body = transport.open(RemoteFile(REPO, repo.commit, "config.json"))

    assert content(body) == b"{}"
    assert body.identity.etag == repo.files["config.json"].git_id
    assert {request.part for request in hub.requests} == {"hub"}


def test_odd_names_survive_the_way(transport: HubTransport, repo: HostedRepo) -> None:
    assert content(transport.open(RemoteFile(REPO, repo.commit, ODD_NAME))) == b"odd"


def test_the_identity_is_the_hubs_word_for_the_content(transport: HubTransport, repo: HostedRepo) -> None:
    file = RemoteFile(REPO, repo.commit, "model.safetensors")
    before = transport.open(file, 0, 1).identity
    repo.files["model.safetensors"] = HostedFile(WEIGHTS[::-1])
    after = transport.open(RemoteFile(REPO, "main", "model.safetensors"), 2, 3).identity

    assert before.etag == HostedFile(WEIGHTS).sha256
    assert before.stored_etag != ""
    assert after.etag != before.etag
    assert after.stored_etag != before.stored_etag


def test_only_the_hub_sees_the_token(hub: HubServer, repo: HostedRepo) -> None:
    hub.tokens = {"hf_of_a_friend"}
    with_token = HubTransport(HubAccess(hub.endpoint, Token("hf_of_a_friend")))

    content(with_token.open(RemoteFile(REPO, repo.commit, "model.safetensors")))
    with_token.close()

    assert {(request.part, request.authorization) for request in hub.requests} == {
        ("hub", "Bearer hf_of_a_friend"),
        ("cdn", ""),
    }


def test_connections_are_used_again(transport: HubTransport, repo: HostedRepo, hub: HubServer) -> None:
    for _ in range(5):
        content(transport.open(RemoteFile(REPO, repo.commit, "model.safetensors"), 0, 99))

    assert len(hub.clients) == 2


def test_a_connection_that_went_stale_is_replaced(transport: HubTransport, repo: HostedRepo, hub: HubServer) -> None:
    file = RemoteFile(REPO, repo.commit, "config.json")
    content(transport.open(file))
    hub.hang_up()

    assert content(transport.open(file)) == b"{}"


def test_a_body_given_up_does_not_spoil_the_next(transport: HubTransport, repo: HostedRepo) -> None:
    file = RemoteFile(REPO, repo.commit, "model.safetensors")
    begun = transport.open(file)
    begun.read(10)
    begun.close()
    begun.close()

    assert content(transport.open(file, 7, 9)) == WEIGHTS[7:10]


def test_a_server_without_ranges_says_where_it_begins(
    transport: HubTransport, repo: HostedRepo, hub: HubServer
) -> None:
    hub.plan(IgnoreRange(), part="cdn")

    body = transport.open(RemoteFile(REPO, repo.commit, "model.safetensors"), 1000)

    assert body.first == 0
    assert content(body) == WEIGHTS


def test_a_cut_connection_is_noticed_and_what_came_is_kept(
    transport: HubTransport, repo: HostedRepo, hub: HubServer
) -> None:
    hub.plan(CutAfter(1234), part="cdn")
    body = transport.open(RemoteFile(REPO, repo.commit, "model.safetensors"))
    came: list[bytes] = []

    with pytest.raises(HubUnreachableError):
        came.extend(iter(lambda: body.read(100_000), b""))

    assert b"".join(came) == WEIGHTS[:1234]


def test_silence_is_a_lost_connection(repo: HostedRepo, hub: HubServer) -> None:
    impatient = HubTransport(HubAccess(hub.endpoint), timeouts=Timeouts(silence_s=1.0))
    hub.plan(StallAfter(10), part="cdn")
    body = impatient.open(RemoteFile(REPO, repo.commit, "model.safetensors"))

    assert body.read(100) == WEIGHTS[:10]
    with pytest.raises(HubUnreachableError):
        body.read(100)
    impatient.close()


def test_a_body_says_whether_a_read_would_wait(transport: HubTransport, repo: HostedRepo, hub: HubServer) -> None:
    hub.plan(StallAfter(10), part="cdn")
    body = transport.open(RemoteFile(REPO, repo.commit, "model.safetensors"))
    assert body.read(100) == WEIGHTS[:10]
    assert body.would_wait

    hub.hang_up()
    deadline = time.monotonic() + 30
    while body.would_wait:
        assert time.monotonic() < deadline
    with pytest.raises(HubUnreachableError):  # A read returns at once: it has come to the end.
        body.read(100)


def test_at_the_end_no_read_would_wait(transport: HubTransport, repo: HostedRepo) -> None:
    body = transport.open(RemoteFile(REPO, repo.commit, "config.json"))
    content(body)

    assert not body.would_wait
    assert body.read(100) == b""


def test_an_interrupt_ends_a_read_that_waits(hub: HubServer, repo: HostedRepo) -> None:
    patient = HubTransport(HubAccess(hub.endpoint), timeouts=Timeouts(silence_s=60.0))
    hub.plan(StallAfter(10), part="cdn")
    body = patient.open(RemoteFile(REPO, repo.commit, "model.safetensors"))
    body.read(100)
    threading.Timer(0.05, patient.interrupt).start()

    with pytest.raises(HubUnreachableError):
        body.read(100)
    with pytest.raises(HubUnreachableError):
        patient.open(RemoteFile(REPO, repo.commit, "config.json"))
    patient.close()


NO_WAY_IN = pytest.mark.skipif(sys.platform == "win32", reason="Windows refuses where a queue is full")


@pytest.mark.parametrize(
    ("server", "scheme", "proxy"),
    [
        pytest.param(full_server, "http", "", id="a server that lets nobody in", marks=NO_WAY_IN),
        pytest.param(mute_server, "https", "", id="a server that does not encrypt"),
        pytest.param(mute_server, "https", "http://127.0.0.1:{port}", id="a proxy that does not answer"),
    ],
)
def test_an_interrupt_ends_connecting(
    server: Callable[[], AbstractContextManager[int]], scheme: str, proxy: str
) -> None:
    with server() as port:
        access = HubAccess(f"{scheme}://127.0.0.1:{port}")
        connections = HubTransport(access, proxy_for=lambda _: proxy.format(port=port), tls=ssl.create_default_context)
        threading.Timer(0.2, connections.interrupt).start()

        with pytest.raises(HubUnreachableError) as caught:
            connections.open(RemoteFile(REPO, "main", "config.json"))
        connections.close()

    assert "given up" in caught.value.detail


def test_a_connection_that_takes_too_long_is_lost() -> None:
    with mute_server() as port:
        hasty = HubTransport(HubAccess(f"https://127.0.0.1:{port}"), timeouts=Timeouts(connect_s=0.05))

        with pytest.raises(HubUnreachableError) as caught:
            hasty.open(RemoteFile(REPO, "main", "config.json"))

    assert "timed out" in caught.value.detail


def test_a_part_beyond_the_end_says_that_the_file_is_shorter(transport: HubTransport, repo: HostedRepo) -> None:
    with pytest.raises(DownloadError) as caught:
        transport.open(RemoteFile(REPO, repo.commit, "model.safetensors"), len(WEIGHTS))

    assert "shorter" in caught.value.what


@pytest.mark.parametrize(
    ("status", "kind"), [(500, HubBusyError), (503, HubBusyError), (429, HubBusyError), (404, HubMissingError)]
)
def test_refusals_of_the_hub(
    status: int, kind: type[Exception], transport: HubTransport, repo: HostedRepo, hub: HubServer
) -> None:
    hub.plan(Status(status, "3"), part="hub")

    with pytest.raises(kind):
        transport.open(RemoteFile(REPO, repo.commit, "config.json"))
    assert content(transport.open(RemoteFile(REPO, repo.commit, "config.json"))) == b"{}"


def test_an_expired_link_is_worth_another_attempt(transport: HubTransport, repo: HostedRepo, hub: HubServer) -> None:
    """The Hub gives out links that end after an hour: a 403 from where they lead says nothing about the user."""
    hub.plan(Status(403), part="cdn")

    with pytest.raises(HubBusyError):
        transport.open(RemoteFile(REPO, repo.commit, "model.safetensors"))


@pytest.mark.parametrize(("token", "step"), [("", "accept"), ("hf_of_a_friend", "once access is granted")])
def test_a_gated_model_says_how_to_get_access(token: str, step: str, hub: HubServer, repo: HostedRepo) -> None:
    hub.tokens = {"hf_of_a_friend"}
    repo.gated = "manual"
    connections = HubTransport(HubAccess(hub.endpoint, Token(token) if token else None))

    with pytest.raises(HubAccessError) as caught:
        connections.open(RemoteFile(REPO, repo.commit, "config.json"))
    connections.close()

    assert step in caught.value.next_step
    assert f"{hub.endpoint}/{REPO}" in caught.value.next_step


def test_missing_files_and_versions(transport: HubTransport, repo: HostedRepo) -> None:
    for file in (RemoteFile(REPO, repo.commit, "none"), RemoteFile(REPO, "0" * 40, "config.json")):
        with pytest.raises(HubMissingError) as caught:
            transport.open(file)
        assert REPO in caught.value.what


def test_nobody_there() -> None:
    connections = HubTransport(HubAccess("http://127.0.0.1:1"))

    with pytest.raises(HubUnreachableError):
        connections.open(RemoteFile(REPO, "main", "config.json"))


@pytest.mark.parametrize("location", ["", "ftp://elsewhere/x", "http://", "//"])
def test_a_redirect_to_nowhere(location: str, hub: HubServer, transport: HubTransport) -> None:
    hub.redirects["/publisher/model/resolve/main/config.json"] = location

    with pytest.raises(HubBusyError):
        transport.open(RemoteFile(REPO, "main", "config.json"))


def test_a_redirect_in_circles_ends(hub: HubServer, transport: HubTransport) -> None:
    path = "/publisher/model/resolve/main/config.json"
    hub.redirects[path] = path

    with pytest.raises(HubBusyError):
        transport.open(RemoteFile(REPO, "main", "config.json"))


def test_a_renamed_model_is_followed(hub: HubServer, repo: HostedRepo, transport: HubTransport) -> None:
    hub.redirects["/old/name/resolve/main/model.safetensors"] = f"/{REPO}/resolve/{repo.commit}/model.safetensors"

    assert content(transport.open(RemoteFile("old/name", "main", "model.safetensors"), 3, 5)) == WEIGHTS[3:6]


@pytest.fixture
def proxy() -> Iterator[ForwardProxy]:
    """Yield a proxy that wants a name and a password."""
    with running_proxy("us er:pa:ss") as server:
        yield server


def test_a_proxy_is_gone_through(
    proxy: ForwardProxy, hub: HubServer, repo: HostedRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://us%20er:pa%3Ass@127.0.0.1:{proxy.port}")
    connections = HubTransport(HubAccess(hub.endpoint), proxy_for=system_proxy)

    assert content(connections.open(RemoteFile(REPO, repo.commit, "model.safetensors"), 0, 9)) == WEIGHTS[:10]
    connections.close()

    assert len(proxy.asked) == 2


def test_hosts_without_proxy_are_reached_directly(
    proxy: ForwardProxy, hub: HubServer, repo: HostedRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    connections = HubTransport(HubAccess(hub.endpoint))

    assert content(connections.open(RemoteFile(REPO, repo.commit, "config.json"))) == b"{}"
    connections.close()

    assert proxy.asked == []


def test_a_proxy_of_another_kind_is_named(hub: HubServer) -> None:
    connections = HubTransport(HubAccess(hub.endpoint), proxy_for=lambda _: "socks5://127.0.0.1:1080")

    with pytest.raises(HubAccessError) as caught:
        connections.open(RemoteFile(REPO, "main", "config.json"))

    assert "socks5" in caught.value.what


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fresh self-signed certificate for 127.0.0.1, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("makes a certificate with the openssl program")
    folder = tmp_path_factory.mktemp("tls")
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "both.pem").write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return folder / "both.pem"


def test_encrypted_and_through_a_proxy(certificate: Path, proxy: ForwardProxy) -> None:
    trusting = ssl.create_default_context(cafile=certificate)
    with running_hub(certificate) as hub:
        hub.host(HostedRepo(REPO, {"model.safetensors": HostedFile(WEIGHTS)}))
        via = f"http://us%20er:pa%3Ass@127.0.0.1:{proxy.port}"
        connections = HubTransport(HubAccess(hub.endpoint), proxy_for=lambda _: via, tls=lambda: trusting)

        assert content(connections.open(RemoteFile(REPO, "main", "model.safetensors"))) == WEIGHTS
        connections.close()

    assert sorted(proxy.asked) == sorted({hub.endpoint.removeprefix("https://"), hub.cdn.removeprefix("https://")})


def test_what_was_decrypted_already_is_not_waited_for(certificate: Path) -> None:
    """A record of TLS is decrypted as a whole: what a short read leaves of it is on the socket no more."""
    trusting = ssl.create_default_context(cafile=certificate)
    record = WEIGHTS[:12_000]
    with running_hub(certificate) as hub:
        hub.host(HostedRepo(REPO, {"config.json": HostedFile(record)}))
        connections = HubTransport(HubAccess(hub.endpoint), tls=lambda: trusting)
        body = connections.open(RemoteFile(REPO, "main", "config.json"))
        space = memoryview(bytearray(8192))
        count = body.read_into(space)

        assert bytes(space[:count]) == record[:count]
        assert count < len(record)
        assert not body.would_wait
        assert content(body) == record[count:]
        connections.close()


def test_an_interrupt_ends_an_encrypted_read_that_waits(certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=certificate)
    with running_hub(certificate) as hub:
        hub.host(HostedRepo(REPO, {"model.safetensors": HostedFile(WEIGHTS)}))
        hub.plan(StallAfter(10), part="cdn")
        patient = HubTransport(HubAccess(hub.endpoint), timeouts=Timeouts(silence_s=60.0), tls=lambda: trusting)
        body = patient.open(RemoteFile(REPO, "main", "model.safetensors"))
        body.read(100)
        assert body.would_wait
        threading.Timer(0.05, patient.interrupt).start()

        with pytest.raises(HubUnreachableError):
            body.read(100)
        patient.close()


def test_a_certificate_nobody_vouches_for_is_refused(certificate: Path) -> None:
    with running_hub(certificate) as hub:
        connections = HubTransport(HubAccess(hub.endpoint))

        with pytest.raises(HubUnreachableError) as caught:
            connections.open(RemoteFile(REPO, "main", "model.safetensors"))

    assert "CERTIFICATE_VERIFY_FAILED" in caught.value.detail


def test_encryption_is_not_given_up_on_the_way(certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=certificate)
    with running_hub(certificate) as hub:
        hub.redirects["/publisher/model/resolve/main/x"] = "http://127.0.0.1:1/x"
        connections = HubTransport(HubAccess(hub.endpoint), tls=lambda: trusting)

        with pytest.raises(HubAccessError) as caught:
            connections.open(RemoteFile(REPO, "main", "x"))
        connections.close()

    assert "encryption" in caught.value.what


def test_a_flipped_byte_is_not_the_transports_to_notice(
    transport: HubTransport, repo: HostedRepo, hub: HubServer
) -> None:
    """The hash tells, once all is there: the fault itself must come through for the tests of downloads to mean much."""
    hub.plan(Flip(100), part="cdn")

    assert content(transport.open(RemoteFile(REPO, repo.commit, "model.safetensors"))) != WEIGHTS
