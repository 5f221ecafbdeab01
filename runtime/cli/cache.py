"""`first-token cache`: the KV caches on disk, from which chats go on after a restart: list, count, delete."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from runtime.cli.streams import printable_path, write_json, write_line
from runtime.cli.terminal import without_controls
from runtime.config.paths import AppPaths
from runtime.config.settings import read_settings
from runtime.kv_store.eviction import default_budget_bytes
from runtime.kv_store.folder import KvEntry, KvFolder
from runtime.metrics.disk import free_bytes
from runtime.values.wording import bytes_text, count_text, duration_text, milliseconds_text

if TYPE_CHECKING:
    from runtime.cli.parser import Commands

DESCRIPTION = """\
KV caches on disk: what models have read of your chats, so that after a restart no chat is read again. They hold chats,
lie in a folder that only you can read, and can be deleted at any time: the next reply then comes later, once.
"""
EPILOG = """\
examples:
  first-token cache stats
  first-token cache list --json
  first-token cache clear --model demo:int8

In the settings file, "keep_kv_caches": false keeps none; "kv_disk_bytes" is what they may take.
"""


class ListedCache(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `cache list`; `saved_ms` is what reading its tokens took."""

    model: str
    engine: str
    tokens: int
    size_bytes: int
    saved_ms: float
    created: str
    last_used: str


class CacheStats(msgspec.Struct, frozen=True, kw_only=True):
    """What `cache stats` says."""

    folder: str
    enabled: bool
    caches: int
    tokens: int
    size_bytes: int
    budget_bytes: int
    saved_ms: float


class ClearedCaches(msgspec.Struct, frozen=True, kw_only=True):
    """What `cache clear` says."""

    removed: int
    freed_bytes: int


def add_cache_parser(commands: Commands) -> None:
    """Add the command, its actions and their options."""
    parser = commands.add_parser("cache", help="KV caches on disk", description=DESCRIPTION, epilog=EPILOG)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="every cache", description=DESCRIPTION)
    listing.add_argument("--json", action="store_true", help="print one JSON array, an object a cache")
    listing.set_defaults(run=run_list)
    clearing = actions.add_parser("clear", help="delete caches", description=DESCRIPTION)
    clearing.add_argument("--model", metavar="NAME", help="only this model's (default: all)")
    clearing.add_argument("--json", action="store_true", help="print one JSON object")
    clearing.set_defaults(run=run_clear)
    counting = actions.add_parser("stats", help="how many, how large, and where", description=DESCRIPTION)
    counting.add_argument("--json", action="store_true", help="print one JSON object")
    counting.set_defaults(run=run_stats)


def run_list(options: argparse.Namespace, paths: AppPaths) -> int:
    """List the caches, the one used last first; return the exit code."""
    entries = sorted(KvFolder(paths.kv_caches).entries(), key=lambda entry: entry.used_s, reverse=True)
    if options.json:
        write_json([_row(entry) for entry in entries])
        return 0
    for entry in entries:
        write_line(without_controls(cache_line(entry, time.time())))
    if not entries:
        write_line("There are no KV caches on disk.")
    return 0


def cache_line(entry: KvEntry, now_s: float) -> str:
    """Return a cache in one line."""
    record = entry.record
    return (
        f"{record.scope.model_name}  {count_text(len(record.tokens))} tokens  {bytes_text(entry.total_bytes)}"
        f"  saves {milliseconds_text(record.saved_ms)}  used {duration_text(now_s - entry.used_s)} ago"
    )


def run_clear(options: argparse.Namespace, paths: AppPaths) -> int:
    """Delete caches; return the exit code."""
    removed = KvFolder(paths.kv_caches).clear(
        lambda entry: options.model is None or entry.record.scope.model_name == options.model
    )
    cleared = ClearedCaches(removed=len(removed), freed_bytes=sum(entry.total_bytes for entry in removed))
    if options.json:
        write_json(cleared)
    else:
        write_line(f"Removed {cleared.removed} KV caches: {bytes_text(cleared.freed_bytes)} are free again.")
    return 0


def run_stats(options: argparse.Namespace, paths: AppPaths) -> int:
    """Say what there is; return the exit code."""
    stats = cache_stats(paths)
    if options.json:
        write_json(stats)
        return 0
    write_line(without_controls(f"folder      {stats.folder}"))
    write_line(f"kept        {'yes' if stats.enabled else 'no, the settings say'}")
    write_line(f"caches      {stats.caches}, of {count_text(stats.tokens)} tokens")
    write_line(f"size        {bytes_text(stats.size_bytes)} of at most {bytes_text(stats.budget_bytes)}")
    write_line(f"time saved  {milliseconds_text(stats.saved_ms)}, if each is used once")
    return 0


def cache_stats(paths: AppPaths) -> CacheStats:
    """Return what KV caches there are, and what they may take.

    Raises:
        SettingsError: the settings cannot be read.
    """
    settings = read_settings(paths.config_file)
    entries = KvFolder(paths.kv_caches).entries()
    size_bytes = sum(entry.total_bytes for entry in entries)
    budget = settings.kv_disk_bytes
    return CacheStats(
        folder=printable_path(paths.kv_caches),
        enabled=settings.keep_kv_caches,
        caches=len(entries),
        tokens=sum(len(entry.record.tokens) for entry in entries),
        size_bytes=size_bytes,
        budget_bytes=default_budget_bytes(free_bytes(paths.kv_caches), size_bytes) if budget is None else budget,
        saved_ms=sum(entry.record.saved_ms for entry in entries),
    )


def _row(entry: KvEntry) -> ListedCache:
    record = entry.record
    return ListedCache(
        model=record.scope.model_name,
        engine=record.scope.engine,
        tokens=len(record.tokens),
        size_bytes=entry.total_bytes,
        saved_ms=record.saved_ms,
        created=_time_text(record.created_s),
        last_used=_time_text(entry.used_s),
    )


def _time_text(time_s: float) -> str:
    """Return a time in ISO 8601, UTC; empty for one that no calendar has."""
    try:
        return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return ""
