"""A process that downloads what its queue holds, and is killed at any moment: `… ENDPOINT FOLDER REPO [LIMIT]`.

It writes a line once it begins, and ends with 0 once everything is done. With a limit, no file may grow beyond so many
bytes, as on a full disk.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from runtime.download.model_download import DownloadSetup
from runtime.download.plan import plan_download
from runtime.download.queue import DownloadQueue
from runtime.download.status import DownloadState
from runtime.hub.access import HubAccess
from runtime.hub.transport import HubTransport


def main(endpoint: str, folder: Path, repo_id: str) -> None:
    """Go on with the queue, asking for `repo_id` if nothing is in it."""
    changed = threading.Event()
    access = HubAccess(endpoint)
    setup = DownloadSetup(models=folder / "models", new_transport=lambda: HubTransport(access))
    queue = DownloadQueue(folder / "queue.json", setup, on_change=changed.set)
    queue.start()
    if not queue.statuses() and not (folder / "models" / repo_id).exists():
        from runtime.hub.api import HubApi  # noqa: PLC0415 - half a second that a resumed download does without
        from runtime.hub.grouping import variants_of  # noqa: PLC0415

        repository = HubApi(access).repository(repo_id)
        queue.add(plan_download(repository, variants_of(repository.repo)[0]))
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    while any(one.state is not DownloadState.DONE for one in queue.statuses()):
        for one in queue.statuses():
            queue.resume(one.plan.key)
        changed.wait(0.05)
        changed.clear()
    queue.close()


if __name__ == "__main__":
    if len(sys.argv) > 4:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
