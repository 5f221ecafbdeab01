"""The list of what is on disk: right after every change, and no record is read twice."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from runtime.kv_store.folder import KvFolder
from runtime.kv_store.listing import KvListing
from tests.runtime.kv_store.caches import OTHER_SCOPE, SCOPE, content_of, store_in


def test_says_whose_each_cache_is_and_what_it_takes(tmp_path: Path) -> None:
    listing = KvListing(KvFolder(tmp_path))
    assert listing.read() == ()
    store_in(tmp_path).write(msgspec.structs.replace(content_of((1, 2, 3), 5000), conversation="a chat"))
    store_in(tmp_path, OTHER_SCOPE).write(content_of((1, 2), 700))
    named = {one.conversation: one for one in listing.read()}
    assert (named["a chat"].model, named["a chat"].tokens, named["a chat"].nbytes) == ("Tiny", 3, 5000)
    assert (named[""].model, named[""].engine, named[""].engine_version) == ("Other", "llamacpp", "xllamacpp 1")


def test_a_model_s_name_is_short_and_on_one_line_whatever_the_file_says(tmp_path: Path) -> None:
    scope = msgspec.structs.replace(SCOPE, model_name="a\nb\u202e" + "x" * 10_000)
    store_in(tmp_path, scope).write(content_of((1, 2)))
    (listed,) = KvListing(KvFolder(tmp_path)).read()
    assert listed.model == "a\ufffdb\ufffd" + "x" * 196


def test_follows_use_and_removal_without_reading_records_again(tmp_path: Path) -> None:
    listing = KvListing(KvFolder(tmp_path))
    for tokens in ((1, 2), (3, 4)):
        store_in(tmp_path).write(content_of(tokens))
    first, second = listing.read()
    os.utime(second.path, (2e9, 2e9))
    for known in (first, second):
        used_s = known.path.stat().st_mtime
        known.path.write_bytes(b"no record any more")
        os.utime(known.path, (used_s, used_s))
    assert [one.path for one in listing.read()] == [second.path, first.path]
    assert listing.read()[0].used_s == 2e9
    first.path.unlink()
    assert [one.path for one in listing.read()] == [second.path]
