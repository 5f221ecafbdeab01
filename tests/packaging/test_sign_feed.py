"""Making the feed: what the script signs is what the app believes, and nothing else."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import bundle_content as content
import msgspec
import pytest
from sign_feed import FEED_FILE, KEY_VARIABLE, LASTS, dated, main, write_signed

from runtime.updates.release_feed import parse_feed
from runtime.updates.signature import check_signature
from runtime.updates.update_check import NewRelease, UpToDate, outcome_of
from runtime.values.errors import UpdateError
from tests.runtime.updates.feed_server import KEY, NOW, OTHER_KEY, feed_with, public_key

PAGE = "https://example.org/download"
SECRET = {KEY_VARIABLE: base64.b64encode(KEY.private_bytes_raw()).decode()}


def signed(folder: Path) -> tuple[bytes, bytes]:
    """Return feed and signature."""
    return (folder / FEED_FILE).read_bytes(), (folder / f"{FEED_FILE}.sig").read_bytes()


def test_a_release_is_signed_and_believed(tmp_path: Path) -> None:
    assert main(["release", PAGE, str(tmp_path)], SECRET, NOW) == 0
    encoded, signature = signed(tmp_path)
    check_signature(encoded, signature, (public_key(KEY),))
    feed = parse_feed(encoded)
    assert outcome_of(feed, content.version()) == UpToDate(content.version())
    assert isinstance(outcome_of(feed, "0.0.9"), NewRelease)
    assert feed.releases[0].notes
    assert feed.expires - feed.issued == LASTS


def test_it_goes_on_with_the_feed_before_and_is_renewed(tmp_path: Path) -> None:
    before = tmp_path / "before"
    main(["release", PAGE, str(before)], SECRET, NOW)
    old = parse_feed(signed(before)[0])
    main(["release", f"{PAGE}/2", str(tmp_path), str(before / FEED_FILE)], SECRET, NOW + timedelta(days=1))
    (release,) = parse_feed(signed(tmp_path)[0]).releases  # the same version, once
    assert release.page == f"{PAGE}/2"
    main(["renew", str(before / FEED_FILE), str(before)], SECRET, NOW + timedelta(days=30))
    renewed = parse_feed(signed(before)[0])
    assert renewed.releases == old.releases
    assert renewed.expires == old.expires + timedelta(days=30)


def test_a_feed_that_another_has_signed_is_not_gone_on_with(tmp_path: Path) -> None:
    main(["release", PAGE, str(tmp_path)], SECRET, NOW)
    other = {KEY_VARIABLE: base64.b64encode(OTHER_KEY.private_bytes_raw()).decode()}
    with pytest.raises(UpdateError, match="not signed"):
        main(["renew", str(tmp_path / FEED_FILE), str(tmp_path)], other, NOW)


def test_without_the_key_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not set"):
        main(["release", PAGE, str(tmp_path / "out")], {}, NOW)
    assert not (tmp_path / "out").exists()


def test_a_new_key_signs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keygen"], {}, NOW) == 0
    printed = capsys.readouterr()
    main(["release", PAGE, str(tmp_path)], {KEY_VARIABLE: printed.out}, NOW)
    key = base64.b64decode(printed.err.removeprefix("public key: "))
    check_signature(*signed(tmp_path), (key,))


def test_wrong_usage_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], {}, NOW) == 2
    assert "keygen" in capsys.readouterr().err


def test_a_feed_that_the_app_would_refuse_is_not_written(tmp_path: Path) -> None:
    long = "ü" * 10_000
    releases = tuple(msgspec.structs.replace(one, notes=long) for one in feed_with(*["1.0.0", "1.1.0"]).releases)
    write_signed(dated(releases, NOW), tmp_path, KEY)
    with pytest.raises(ValueError, match="more than"):
        write_signed(dated(releases * 10, NOW), tmp_path, KEY)
