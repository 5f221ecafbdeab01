"""The share of the machine's limit in the whole window: nobody has to ask for the measurement."""

from __future__ import annotations

from runtime.engine.scripted_engine import Script
from tests.desktop.window.opened_window import Home, until

MEASURABLE = Script(
    replies=(tuple(f"w{number} " for number in range(41)),),
    decode_tokens_per_second=200.0,
    weights_bytes=100_000_000,
    memory_bytes_per_second=40e9,
)


async def test_after_a_reply_the_share_of_the_limit_is_shown(home: Home) -> None:
    async with home.open_scripted(MEASURABLE) as window:
        assert window.text_of("rooflineValue") == "–"
        reply = await window.ask("one two three")
        assert reply.stats is not None
        share = (reply.stats.decode_tokens_per_second or 0.0) * 0.1 / 40
        expected = f"{share * 100:.0f} % of this machine's limit"
        await until(lambda: window.text_of("rooflineValue") == expected, expected)
