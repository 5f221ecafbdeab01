"""`first-token cache`: what lies on disk of chats, and getting rid of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from runtime.cli.app import build_parser
from runtime.cli.cache import CacheStats, ClearedCaches, ListedCache
from runtime.config.paths import HOME_VARIABLE, app_paths
from runtime.config.settings import Settings, write_settings
from runtime.kv_store.folder import KvFolder
from tests.runtime.cli.command import first_token
from tests.runtime.kv_store.caches import OTHER_SCOPE, SCOPE, content_of, store_in


def main(home: Path, *arguments: str) -> int:
    """Run a command in this process."""
    options = build_parser().parse_args(arguments)
    return int(options.run(options, app_paths({HOME_VARIABLE: str(home)})))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with two caches of one model and one of another."""
    kv = tmp_path / "cache" / "kv"
    for scope, tokens in ((SCOPE, (1, 2, 3)), (SCOPE, (4, 5)), (OTHER_SCOPE, (6,))):
        assert store_in(kv, scope).write(content_of(tokens, 5000, saved_ms=250.0))
    return tmp_path


def test_lists_counts_and_deletes(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(home, "cache", "list", "--json") == 0
    rows = msgspec.json.decode(capsys.readouterr().out, type=list[ListedCache])
    assert {(row.model, row.engine, row.tokens, row.size_bytes) for row in rows} == {
        ("Tiny", "mlx", 3, 5000),
        ("Tiny", "mlx", 2, 5000),
        ("Other", "llamacpp", 1, 5000),
    }
    assert main(home, "cache", "stats", "--json") == 0
    stats = msgspec.json.decode(capsys.readouterr().out, type=CacheStats)
    assert (stats.enabled, stats.caches, stats.tokens, stats.size_bytes, stats.saved_ms) == (True, 3, 6, 15000, 750)
    assert main(home, "cache", "clear", "--model", "Tiny", "--json") == 0
    cleared = msgspec.json.decode(capsys.readouterr().out, type=ClearedCaches)
    assert (cleared.removed, cleared.freed_bytes) == (2, 10000)
    assert [entry.record.scope.model_name for entry in KvFolder(home / "cache" / "kv").entries()] == ["Other"]


def test_says_it_in_text(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_settings(home / "settings.json", Settings(keep_kv_caches=False, kv_disk_bytes=7_000_000))
    for action, said in (
        ("list", "Other  1 tokens  5.0 kB  saves 250 ms"),
        ("stats", "15 kB of at most 7.0 MB"),
        ("stats", "no, the settings say"),
        ("clear", "Removed 3 KV caches: 15 kB are free again."),
        ("list", "There are no KV caches on disk."),
    ):
        assert main(home, "cache", action) == 0
        assert said in capsys.readouterr().out


def test_where_nothing_was_ever_kept_there_is_nothing(tmp_path: Path) -> None:
    done = first_token("cache", "stats", "--json", environment={"FIRST_TOKEN_HOME": str(tmp_path / "home")})
    assert done.returncode == 0
    assert msgspec.json.decode(done.stdout, type=CacheStats).caches == 0
    assert not (tmp_path / "home" / "cache" / "kv").exists()
