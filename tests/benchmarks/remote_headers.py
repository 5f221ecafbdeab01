"""What reading the headers of a 70 B model from a local server costs: bytes moved and time.

uv run python -m tests.benchmarks.remote_headers
"""

from __future__ import annotations

import statistics
import sys
import time

from runtime.hub.access import HubAccess
from runtime.hub.api import HubApi, close_connections
from runtime.hub.grouping import variants_of
from runtime.hub.remote_model import read_remote_spec
from runtime.hub.transport import HubTransport
from tests.benchmarks.interleaved import machine
from tests.hub.large_headers import gguf_70b, mlx_70b
from tests.hub.server import running_hub

ROUNDS = 7


def main() -> None:
    """Measure and print."""
    sys.stdout.write(f"{machine()}\n")
    with running_hub() as hub:
        api = HubApi(HubAccess(hub.endpoint))
        for repo in (mlx_70b(), gguf_70b()):
            hub.host(repo)
            times_s: list[float] = []
            for _ in range(ROUNDS):
                sent, asked = hub.sent_bytes, len(hub.requests)
                started = time.perf_counter()
                repository = api.repository(repo.repo_id)
                spec = read_remote_spec(lambda: HubTransport(api.access), repository, variants_of(repository.repo)[0])
                times_s.append(time.perf_counter() - started)
            sys.stdout.write(
                f"{spec.format} {spec.quantization.name}, {spec.parameters / 1e9:.1f} B parameters,"
                f" {spec.weights_bytes / 1e9:.1f} GB: {(hub.sent_bytes - sent) / 1e6:.2f} MB in"
                f" {len(hub.requests) - asked} requests, median {statistics.median(times_s):.2f} s,"
                f" {min(times_s):.2f} to {max(times_s):.2f} s\n"
            )
        close_connections()


if __name__ == "__main__":
    main()
