"""Looking for updates, against a real server: what is found, what is refused and why, and what is sent."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.updates.feed_request import FeedRequest, Patience
from runtime.updates.feed_source import FeedSource
from runtime.updates.last_check import FILE_NAME, read_last_check
from runtime.updates.release_feed import MAX_FEED_BYTES, feed_bytes, parse_feed, version_number
from runtime.updates.signature import check_signature
from runtime.updates.update_check import NewerHere, NewRelease, UpdateOutcome, UpToDate, check_for_updates
from runtime.values.errors import UpdateError
from tests.runtime.updates.feed_server import (
    FEED_PATH,
    KEY,
    NOW,
    OTHER_KEY,
    SIGNATURE_PATH,
    FeedServer,
    Served,
    feed_with,
    public_key,
)

INSTALLED = "1.2.0"


def look(server: FeedServer, data: Path, source: FeedSource | None = None) -> UpdateOutcome:
    """Look for updates as the version `INSTALLED` does."""
    request = FeedRequest(INSTALLED, tls=lambda: server.trusting, patience=Patience(silence_s=5, whole_s=10))
    return check_for_updates(source or server.source, INSTALLED, request.get, data, NOW)


def test_newer_versions_are_found_the_newest_first(server: FeedServer, tmp_path: Path) -> None:
    server.publish(feed_with("1.1.0", "1.10.0", "1.9.3", "1.2.0"))
    found = look(server, tmp_path)
    assert isinstance(found, NewRelease)
    assert [release.version for release in found.releases] == ["1.10.0", "1.9.3"]
    assert found.releases[0].notes == "New in 1.10.0."


def test_the_newest_version_is_up_to_date(server: FeedServer, tmp_path: Path) -> None:
    server.publish(feed_with("1.2.0", "1.1.0"))
    assert look(server, tmp_path) == UpToDate(INSTALLED)


def test_an_older_version_is_never_offered(server: FeedServer, tmp_path: Path) -> None:
    server.publish(feed_with("1.1.0"))
    assert look(server, tmp_path) == NewerHere(INSTALLED, "1.1.0")


def test_nothing_is_sent_but_name_and_version(server: FeedServer, tmp_path: Path) -> None:
    server.publish(feed_with("1.2.0"))
    server.served["/moved"] = Served(status=302, headers={"Location": FEED_PATH})
    server.served["/moved.sig"] = Served(status=302, headers={"Location": SIGNATURE_PATH})
    look(server, tmp_path, FeedSource(f"{server.address}/moved", server.source.public_keys))
    assert [path for path, _ in server.asked] == ["/moved.sig", SIGNATURE_PATH, "/moved", FEED_PATH]
    for _, headers in server.asked:
        assert headers.pop("host") == server.address.removeprefix("https://")
        assert headers == {
            "user-agent": f"first-token/{INSTALLED}",
            "accept": "*/*",
            "accept-encoding": "identity",
            "connection": "keep-alive",
        }


def truncated(server: FeedServer) -> None:
    whole = server.served[FEED_PATH]
    server.served[FEED_PATH] = msgspec.structs.replace(whole, sent_bytes=len(whole.body) // 2)


def cut_and_called_whole(server: FeedServer) -> None:
    whole = server.served[FEED_PATH].body
    server.served[FEED_PATH] = Served(whole[: len(whole) // 2])


def one_bit_changed(server: FeedServer) -> None:
    content = bytearray(server.served[FEED_PATH].body)
    content[20] ^= 1
    server.served[FEED_PATH] = Served(bytes(content))


def signature_of_another(server: FeedServer) -> None:
    server.publish(feed_with("9.0.0"), OTHER_KEY)


def signature_cut(server: FeedServer) -> None:
    server.served[SIGNATURE_PATH] = Served(base64.b64encode(b"too short"))


def signature_no_base64(server: FeedServer) -> None:
    server.served[SIGNATURE_PATH] = Served("<html>Prüfung".encode())


def expired(server: FeedServer) -> None:
    server.publish(feed_with("9.0.0", issued=NOW - timedelta(days=91)))


def from_the_future(server: FeedServer) -> None:
    server.publish(feed_with("9.0.0", issued=NOW + timedelta(days=2)))


def oversized(server: FeedServer) -> None:
    server.publish_bytes(feed_bytes(feed_with("9.0.0")) + b" " * MAX_FEED_BYTES)


def damaged_json(server: FeedServer) -> None:
    server.publish_bytes(b'{"form": 1, "releases": [')


def another_form(server: FeedServer) -> None:
    server.publish_bytes(feed_bytes(msgspec.structs.replace(feed_with("9.0.0"), form=2)))


def no_version_at_all(server: FeedServer) -> None:
    server.publish_bytes(feed_bytes(feed_with("9.0")))


def page_that_is_no_web_page(server: FeedServer) -> None:
    (release,) = feed_with("9.0.0").releases
    bad = msgspec.structs.replace(release, page="file:///etc/passwd")
    server.publish_bytes(feed_bytes(msgspec.structs.replace(feed_with("9.0.0"), releases=(bad,))))


def missing(server: FeedServer) -> None:
    del server.served[FEED_PATH]


def redirect_without_encryption(server: FeedServer) -> None:
    plain = server.address.replace("https", "http") + FEED_PATH
    server.served[SIGNATURE_PATH] = Served(status=301, headers={"Location": plain})


def redirect_in_circles(server: FeedServer) -> None:
    server.served[SIGNATURE_PATH] = Served(status=302, headers={"Location": SIGNATURE_PATH})


def redirect_to_a_file(server: FeedServer) -> None:
    server.served[SIGNATURE_PATH] = Served(status=302, headers={"Location": "file:///etc/passwd"})


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (truncated, "cannot be reached"),
        (cut_and_called_whole, "not signed by the makers"),
        (one_bit_changed, "not signed by the makers"),
        (signature_of_another, "not signed by the makers"),
        (signature_cut, "signature of the release feed is damaged"),
        (signature_no_base64, "signature of the release feed is damaged"),
        (expired, "expired on 2027-02-28"),
        (from_the_future, "from the future"),
        (oversized, "too large"),
        (damaged_json, "release feed is damaged"),
        (another_form, "form that this version does not know"),
        (no_version_at_all, "release feed is damaged"),
        (page_that_is_no_web_page, "release feed is damaged"),
        (missing, "no release feed at its address (HTTP 404)"),
        (redirect_without_encryption, "without encryption"),
        (redirect_in_circles, "in circles"),
        (redirect_to_a_file, "to nowhere"),
    ],
)
def test_what_must_not_be_believed_is_refused_and_said(
    server: FeedServer, tmp_path: Path, fault: Callable[[FeedServer], None], said: str
) -> None:
    server.publish(feed_with("9.0.0"))
    fault(server)
    with pytest.raises(UpdateError) as refused:
        look(server, tmp_path)
    assert said in refused.value.what
    assert refused.value.next_step
    assert read_last_check(tmp_path).at == NOW  # asked is asked
    assert read_last_check(tmp_path).newest_feed is None


def test_a_feed_that_was_signed_before_one_already_seen_is_a_replay(server: FeedServer, tmp_path: Path) -> None:
    server.publish(feed_with("1.2.0", "9.0.0"))
    look(server, tmp_path)
    server.publish(feed_with("1.2.0", issued=NOW - timedelta(days=2)))
    with pytest.raises(UpdateError, match="older than one that was seen before"):
        look(server, tmp_path)


def test_without_a_server_the_network_is_named(server: FeedServer, tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        source = FeedSource(f"https://127.0.0.1:{nobody.getsockname()[1]}/releases.json", (public_key(KEY),))
        with pytest.raises(UpdateError, match=r"127\.0\.0\.1 cannot be reached"):
            look(server, tmp_path, source)


def test_a_server_with_a_certificate_that_nobody_vouches_for_is_not_asked(server: FeedServer, tmp_path: Path) -> None:
    server.publish(feed_with("9.0.0"))
    with pytest.raises(UpdateError, match="cannot be reached"):
        check_for_updates(server.source, INSTALLED, FeedRequest(INSTALLED).get, tmp_path, NOW)
    assert server.asked == []


def test_a_silent_server_is_given_up(server: FeedServer, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = FeedSource(f"https://127.0.0.1:{silent.getsockname()[1]}/releases.json", (public_key(KEY),))
        request = FeedRequest(INSTALLED, tls=lambda: server.trusting, patience=Patience(silence_s=0.2))
        with pytest.raises(UpdateError, match="cannot be reached"):
            check_for_updates(source, INSTALLED, request.get, tmp_path, NOW)


def test_a_server_that_drips_is_given_up(server: FeedServer) -> None:
    server.publish(feed_with("9.0.0"))
    request = FeedRequest(INSTALLED, tls=lambda: server.trusting, patience=Patience(whole_s=0.0))
    with pytest.raises(UpdateError, match="too slowly"):
        request.get(server.source.address, MAX_FEED_BYTES)


def test_any_of_the_keys_will_do(server: FeedServer, tmp_path: Path) -> None:
    server.publish(feed_with("1.2.0"), OTHER_KEY)
    both = FeedSource(server.source.address, (public_key(KEY), public_key(OTHER_KEY)))
    assert look(server, tmp_path, both) == UpToDate(INSTALLED)


def test_a_folder_that_cannot_be_written_to_hides_no_update(server: FeedServer, tmp_path: Path) -> None:
    server.publish(feed_with("9.0.0"))
    (tmp_path / "data").write_text("a file, not a folder", encoding="utf-8")
    assert isinstance(look(server, tmp_path / "data"), NewRelease)


def test_a_look_is_due_once_a_day(server: FeedServer, tmp_path: Path) -> None:
    assert read_last_check(tmp_path).is_due(NOW)
    server.publish(feed_with("1.2.0"))
    look(server, tmp_path)
    last = read_last_check(tmp_path)
    assert not last.is_due(NOW + timedelta(hours=23))
    assert last.is_due(NOW + timedelta(hours=25))
    assert last.is_due(NOW - timedelta(hours=1))  # the clock went back


@pytest.mark.parametrize("content", [b"", b"[]", b'{"at": "yesterday"}', b'{"at": "2027-01-01T00:00:00"}', b"\xff"])
def test_a_memory_that_is_damaged_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert read_last_check(tmp_path).is_due(NOW)


@given(st.lists(st.tuples(*[st.integers(0, 999_999)] * 3), min_size=1, max_size=8, unique=True))
def test_versions_compare_as_numbers_and_a_feed_comes_back_as_it_was(numbers: list[tuple[int, int, int]]) -> None:
    texts = [".".join(map(str, one)) for one in numbers]
    assert [version_number(text) for text in texts] == numbers
    feed = feed_with(*texts)
    parsed = parse_feed(feed_bytes(feed))
    assert [version_number(one.version) for one in parsed.releases] == sorted(numbers, reverse=True)
    assert feed_bytes(parse_feed(feed_bytes(parsed))) == feed_bytes(parsed)


@given(st.binary(max_size=400))
def test_nothing_unsigned_is_believed(signature: bytes) -> None:
    with pytest.raises(UpdateError):
        check_signature(b"feed", signature, (public_key(KEY),))
