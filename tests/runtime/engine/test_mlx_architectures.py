"""Architectures whose KV cache is not just keys and values of the whole context, made on the spot."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.values.prompt import TokenPrompt
from tests.models.random_architectures import (
    LATENT_ATTENTION,
    MIXTURE_OF_EXPERTS,
    RECURRENT_STATE,
    SLIDING_WINDOW,
    Config,
    write_random_architecture,
)
from tests.runtime.engine.mlx_running import Reply, ask, loaded, run

PROMPT = tuple(range(5, 75))


@pytest.mark.parametrize(
    ("config", "can_go_back"),
    [(SLIDING_WINDOW, False), (MIXTURE_OF_EXPERTS, True), (RECURRENT_STATE, False), (LATENT_ATTENTION, True)],
    ids=["sliding window", "mixture of experts", "recurrent state", "latent attention"],
)
def test_continues_any_conversation_from_the_cache_and_goes_back_where_it_can(
    tmp_path: Path, config: Config, *, can_go_back: bool
) -> None:
    write_random_architecture(tmp_path / "model", config)
    engine = loaded(tmp_path / "model", prefill_chunk_tokens=16)

    def reply_to(*prompt: int, reuse_cache: bool = True) -> Reply:
        (reply,) = run(engine, ask(TokenPrompt(prompt), ignore_end_token=True, reuse_cache=reuse_cache))
        return reply

    said = reply_to(*PROMPT).token_ids
    next_turn = (*PROMPT, *said, 7, 8, 9)
    warm = reply_to(*next_turn)
    assert warm.stats.cached_tokens == len(PROMPT) + len(said)
    assert warm.token_ids == reply_to(*next_turn, reuse_cache=False).token_ids
    edited = (*PROMPT[:40], 11, 12)
    changed = reply_to(*edited)
    assert changed.stats.cached_tokens == (40 if can_go_back else 0)
    assert changed.token_ids == reply_to(*edited, reuse_cache=False).token_ids
    engine.unload()
