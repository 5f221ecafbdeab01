"""How fast a model is downloaded, against curl fetching the same file from the same local server.

uv run python -m tests.benchmarks.download_rate [--megabits 1000]

Without a limit the loopback and the disk are the limit; with one, the server sends at that speed, as a real one would.
"Arriving" ends with the last byte written, as curl does; while it waited for the line, the download has hashed what it
could. "In place" adds what curl does not do: the rest hashed, all of it on the disk (fsync), the header checked, the
file moved to where it belongs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from runtime.download.model_download import DownloadSetup, ModelDownload
from runtime.download.plan import DownloadPlan, plan_download
from runtime.hub.access import HubAccess
from runtime.hub.api import HubApi
from runtime.hub.grouping import variants_of
from runtime.hub.transport import HubTransport
from tests.benchmarks.interleaved import machine, measure, paired_ratio, summary
from tests.hub.faults import Throttle
from tests.hub.hosted import HostedFile, HostedRepo
from tests.hub.server import running_hub
from tests.models.random_gguf import HALF_BILLION, write_random_gguf

REPO, NAME = "publisher/half-billion-GGUF", "half-billion-F16.gguf"


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--megabits", type=int, default=0, help="speed of the server; 0: as fast as it can")
    parser.add_argument("--serve", type=Path, help="be the server, of this file")
    return parser.parse_args()


def serve(file: Path, megabits: int) -> None:
    """Be the server until the standard input ends. A process of its own, so that nobody shares its interpreter."""
    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    with running_hub() as hub:
        hub.host(HostedRepo(REPO, {NAME: HostedFile(file, claimed_sha256=sha256)}, ("gguf",)))
        if megabits:
            hub.plan(Throttle(megabits * 125_000), NAME, part="cdn", times=10**9)
        sys.stdout.write(f"{hub.endpoint}\n")
        sys.stdout.flush()
        sys.stdin.read()


class Contest:
    """Two ways to get the same file into the same folder."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self._folder = folder
        self._access = HubAccess(endpoint)
        repository = HubApi(self._access).repository(REPO)
        self._plan: DownloadPlan = plan_download(repository, variants_of(repository.repo)[0])
        self._url = self._plan.remote(self._plan.files[0]).url(endpoint)
        self.in_place: list[float] = []

    def curl(self) -> float:
        """Return MB/s of curl."""
        started = self._begin()
        subprocess.run(["curl", "-sfL", "-o", str(self._folder / "curl"), self._url], check=True)
        return self._megabytes / (time.perf_counter() - started)

    def download(self) -> float:
        """Return MB/s of a download until the last byte has arrived; keep the speed until it is in place."""
        started = self._begin()
        setup = DownloadSetup(models=self._folder, new_transport=lambda: HubTransport(self._access))
        download = ModelDownload(self._plan, setup)
        watch = _LastByte(download, self._plan.total_bytes)
        download.run()
        in_place_s = time.perf_counter() - started
        self.in_place.append(self._megabytes / in_place_s)
        return self._megabytes / (watch.stop() - started)

    @property
    def _megabytes(self) -> float:
        return self._plan.total_bytes / 1e6

    def _begin(self) -> float:
        shutil.rmtree(self._folder)
        self._folder.mkdir()
        os.sync()
        return time.perf_counter()


class _LastByte:
    """Looks every five milliseconds whether all bytes have come, and when."""

    def __init__(self, download: ModelDownload, total_bytes: int) -> None:
        self._download = download
        self._total_bytes = total_bytes
        self._at_s = 0.0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> float:
        """Return when the last byte had come."""
        self._thread.join()
        return self._at_s

    def _watch(self) -> None:
        while self._download.status().done_bytes < self._total_bytes:
            time.sleep(0.005)
        self._at_s = time.perf_counter()


def main() -> None:
    """Measure and print."""
    options = parsed()
    if options.serve:
        serve(options.serve, options.megabits)
        return
    with TemporaryDirectory() as scratch:
        source, folder = Path(scratch) / NAME, Path(scratch) / "models"
        folder.mkdir()
        write_random_gguf(source, HALF_BILLION)
        command = [sys.executable, "-m", "tests.benchmarks.download_rate", "--serve", str(source)]
        command += ["--megabits", str(options.megabits)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            contest = Contest(server.stdout.readline().strip(), folder)
            samples = measure({"curl": contest.curl, "download": contest.download}, options.rounds)
            assert server.stdin is not None
            server.stdin.close()
    sys.stdout.write(f"{machine()}\n{NAME}, server at {options.megabits or 'full'} Mbit/s\n")
    in_place = contest.in_place[-options.rounds :]
    for name, values in {**samples, "download, in place": in_place}.items():
        sys.stdout.write(summary(name, values, "MB/s") + "\n")
    sys.stdout.write(f"arriving ÷ curl: {paired_ratio(samples['download'], samples['curl'])}\n")
    sys.stdout.write(f"in place ÷ curl: {paired_ratio(in_place, samples['curl'])}\n")


if __name__ == "__main__":
    main()
