"""Making the signed release feed, which the app reads where a person asks it to look for updates.

    sign_feed.py keygen                          a new private key on stdout; its public half on stderr
    sign_feed.py release PAGE FOLDER [PREVIOUS]  FOLDER/releases.json and its signature, with this version added
    sign_feed.py renew FEED FOLDER               the same releases, signed anew for another while

The public half goes into assets/release-feed.json, beside the feed's address. The private key (Ed25519, raw, base64)
comes in the environment variable FIRST_TOKEN_FEED_KEY. The version is that of pyproject.toml, the notes are those of
release-notes.md, which have to be about it.
"""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import bundle_content as content
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runtime.updates.feed_source import FILE_NAME as SOURCE_FILE
from runtime.updates.feed_source import read_feed_source
from runtime.updates.release_feed import MAX_FEED_BYTES, Release, ReleaseFeed, feed_bytes, parse_feed
from runtime.updates.signature import check_signature
from runtime.updates.update_check import SIGNATURE_SUFFIX

KEY_VARIABLE = "FIRST_TOKEN_FEED_KEY"
FEED_FILE = "releases.json"
NOTES_FILE = content.ROOT / "assets" / "packaging" / "release-notes.md"
ASSETS = content.ROOT / "assets"
LASTS = timedelta(days=90)
"""How long somebody could hold newer versions back; the feed is renewed well before."""
MOST_RELEASES = 20
DONE, WRONG_USAGE = 0, 2


def main(arguments: Sequence[str], environment: Mapping[str, str], now: datetime) -> int:
    """Do what is asked; return the exit code."""
    match arguments:
        case ["keygen"]:
            print_new_key()
        case ["release", page, folder]:
            write_signed(with_this_version(None, page, now), Path(folder), private_key(environment))
        case ["release", page, folder, previous]:
            key = private_key(environment)
            write_signed(with_this_version(read_signed(Path(previous), key), page, now), Path(folder), key)
        case ["renew", feed, folder]:
            key = private_key(environment)
            write_signed(dated(read_signed(Path(feed), key).releases, now), Path(folder), key)
        case _:
            sys.stderr.write(f"{__doc__}\n")
            return WRONG_USAGE
    return DONE


def print_new_key() -> None:
    """Print a new private key and, apart from it, its public half."""
    key = Ed25519PrivateKey.generate()
    sys.stdout.write(base64.b64encode(key.private_bytes_raw()).decode() + "\n")
    sys.stderr.write(f"public key: {base64.b64encode(key.public_key().public_bytes_raw()).decode()}\n")


def private_key(environment: Mapping[str, str]) -> Ed25519PrivateKey:
    """Return the key in the environment.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    text = environment.get(KEY_VARIABLE, "").strip()
    if not text:
        raise ValueError(f"{KEY_VARIABLE} is not set")
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text, validate=True))


def read_signed(file: Path, key: Ed25519PrivateKey) -> ReleaseFeed:
    """Return the feed in `file`, whose signature lies beside it and has to be by `key` or a key that the app trusts."""
    feed = file.read_bytes()
    source = read_feed_source(ASSETS)
    trusted = (key.public_key().public_bytes_raw(), *(source.public_keys if source is not None else ()))
    check_signature(feed, file.with_name(file.name + SIGNATURE_SUFFIX).read_bytes(), trusted)
    return parse_feed(feed)


def with_this_version(previous: ReleaseFeed | None, page: str, now: datetime) -> ReleaseFeed:
    """Return a feed that begins with this version and goes on with those of `previous`.

    Raises:
        ValueError: the notes are about another version.
    """
    notes = NOTES_FILE.read_text(encoding="utf-8")
    version = content.version()
    if version not in notes.partition("\n")[0].split():
        raise ValueError(f"the first line of {NOTES_FILE.name} does not name version {version}")
    others = [one for one in previous.releases if one.version != version] if previous is not None else []
    release = Release(version=version, notes=notes.partition("\n")[2].strip() + "\n", page=page)
    return dated((release, *others[: MOST_RELEASES - 1]), now)


def dated(releases: tuple[Release, ...], now: datetime) -> ReleaseFeed:
    """Return a feed that holds from now on for a while."""
    issued = now.replace(microsecond=0)
    return ReleaseFeed(issued=issued, expires=issued + LASTS, releases=releases)


def write_signed(feed: ReleaseFeed, folder: Path, key: Ed25519PrivateKey) -> None:
    """Write feed and signature, after a look whether the app will take them.

    Raises:
        UpdateError: it will not.
        ValueError: it is too large.
    """
    encoded = feed_bytes(feed)
    signature = base64.b64encode(key.sign(encoded)) + b"\n"
    source = read_feed_source(ASSETS)
    if source is None:
        sys.stderr.write(f"{SOURCE_FILE} names no address: this build of the app will not ask for the feed.\n")
    else:
        check_signature(encoded, signature, source.public_keys)
    parse_feed(encoded)
    if len(encoded) > MAX_FEED_BYTES:
        raise ValueError(f"the feed has {len(encoded):,} bytes, more than the {MAX_FEED_BYTES:,} that the app reads")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FEED_FILE).write_bytes(encoded)
    (folder / f"{FEED_FILE}{SIGNATURE_SUFFIX}").write_bytes(signature)
    sys.stdout.write(f"{FEED_FILE}: {', '.join(one.version for one in feed.releases)}, until {feed.expires:%Y-%m-%d}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, datetime.now(UTC)))
