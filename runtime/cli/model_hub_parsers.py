"""The options of `models search` and `models pull`; what they do is imported when it is asked for."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runtime.cli.numbers import number
from runtime.config.paths import AppPaths

if TYPE_CHECKING:
    from runtime.cli.parser import Commands

SEARCH_DESCRIPTION = """\
Models on the Hub that can run here, each with the forms it can be had in. Without a network: the curated list.
"""
SEARCH_EPILOG = """\
examples:
  first-token models search qwen3 8b
  first-token models search --variant int4 --most 10B --license apache-2.0 instruct
"""
PULL_DESCRIPTION = """\
Download one form of a model: only the files it needs, checked against the Hub's hashes, in place once all of it is
there. Ctrl+C stops; the same command goes on where it was.
"""
PULL_EPILOG = """\
examples:
  first-token models pull mlx-community/Qwen3-8B-4bit
  first-token models pull unsloth/Qwen3-8B-GGUF --variant Q4_K_M
  first-token models pull qwen3.5-9b --variant int8

HF_ENDPOINT names another Hub, HF_TOKEN an access token for models that ask for permission.
"""
SORTS = ("downloads", "likes", "last_modified", "trending_score")


def add_hub_parsers(actions: Commands) -> None:
    """Add the commands and their options."""
    search = actions.add_parser(
        "search", help="find models on the Hub", description=SEARCH_DESCRIPTION, epilog=SEARCH_EPILOG
    )
    search.add_argument("text", metavar="TEXT", nargs="*", help="words of the name; none: what is popular")
    search.add_argument("--format", choices=("mlx", "gguf", "all"), help="default: what runs here")
    search.add_argument("--variant", metavar="V", help="only models that can be had so: int4, int8, Q4_K_M, MXFP4 …")
    search.add_argument("--license", metavar="L", help="only with this license, as the Hub names it: apache-2.0")
    search.add_argument("--least", metavar="N", type=number, help="at least so many parameters: 1e9, 1B")
    search.add_argument("--most", metavar="N", type=number, help="at most so many parameters")
    search.add_argument("--sort", choices=SORTS, default="downloads", help="what comes first (default: downloads)")
    search.add_argument("--limit", metavar="N", type=int, default=20, help="most models to show (default: 20)")
    search.add_argument("--json", action="store_true", help="print one JSON array, an object a model")
    search.set_defaults(run=run_search)
    pull = actions.add_parser("pull", help="download a model", description=PULL_DESCRIPTION, epilog=PULL_EPILOG)
    pull.add_argument("repo", metavar="REPO", help="publisher/name on the Hub, or a model of the curated list")
    pull.add_argument("--variant", metavar="V", help="which form: int4, int8, Q4_K_M … (default: about 4 bits)")
    pull.add_argument("--json", action="store_true", help="print one JSON object once the model is here")
    pull.set_defaults(run=run_pull)


def run_search(options: argparse.Namespace, paths: AppPaths) -> int:
    """See `model_search.search_models`."""
    from runtime.cli.model_search import search_models  # noqa: PLC0415 - half a second for the Hub's library

    return search_models(options, paths)


def run_pull(options: argparse.Namespace, paths: AppPaths) -> int:
    """See `model_pull.pull_model`."""
    from runtime.cli.model_pull import pull_model  # noqa: PLC0415 - half a second for the Hub's library

    return pull_model(options, paths)
