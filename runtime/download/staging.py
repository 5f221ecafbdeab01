"""Where a model lies while it is not all here: a folder of its own among the models, hidden and marked as partial.

    MODELS/.downloads/KEY.part/plan.json     what is being fetched
                               lock          held by the process that fetches it
                               installing    there once everything is, while it is moved
                               files/NAME/…  finished files, and FILE.part

An MLX directory is moved into place as a whole. Of a GGUF model in parts the first part is moved last: without it the
others are no model.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from runtime.download.part_file import PART_SUFFIX, disk_errors
from runtime.download.plan import DownloadPlan, PlannedFile
from runtime.library.defects import shown
from runtime.values.errors import DownloadError
from runtime.values.model import ModelFormat

DOWNLOADS_FOLDER = ".downloads"
MAX_PLAN_BYTES = 16_000_000


class Staging:
    """The place of one download below the folder `models`."""

    def __init__(self, models: Path, plan: DownloadPlan) -> None:
        self.plan = plan
        self.model_path = models / plan.model_path
        self._models = models
        self._folder = models / DOWNLOADS_FOLDER / f"{plan.key}{PART_SUFFIX}"
        self._files = self._folder / "files" / Path(plan.repo_id).name
        self._plan_file = self._folder / "plan.json"
        self._marker = self._folder / "installing"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the place for this process, and have the plan written down.

        What an earlier run fetched for another commit is dropped.

        Raises:
            DownloadError: another process holds it, or the disk refuses.
        """
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._folder / "lock", thread_local=False)
            try:
                lock.acquire(timeout=0)
            except Timeout as error:
                raise DownloadError(
                    f"{shown(self.plan.repo_id)} is being downloaded by another First Token.",
                    "Wait until it is done, or stop it there.",
                ) from error
        try:
            with disk_errors(self._folder):
                self._write_plan()
            yield
        finally:
            with suppress(OSError):
                lock.release()

    def place(self, file: PlannedFile) -> Path:
        """Return where a file lies once it is finished; until then it has ".part" behind its name."""
        return self._files / file.target

    def is_finished(self, file: PlannedFile) -> bool:
        """Return whether a file was fetched and checked."""
        places = [self.place(file), self._installed(file)] if self.is_moving else [self.place(file)]
        return any(_size(place) == file.size_bytes for place in places)

    def bytes_here(self, file: PlannedFile) -> int:
        """Return how much of a file is here."""
        if self.is_finished(file):
            return file.size_bytes
        part = _size(self.place(file).with_name(self.place(file).name + PART_SUFFIX)) or 0
        return part if part <= file.size_bytes else 0

    @property
    def files_here(self) -> Path:
        """The model as it lies here: what a reader of models can check."""
        return self._files / self.plan.files[0].target if self.plan.format is ModelFormat.GGUF else self._files

    @property
    def is_moving(self) -> bool:
        """Whether everything was here and checked, and has begun to be moved into place."""
        return self._marker.exists()

    @property
    def is_installed(self) -> bool:
        """Whether every file is in its final place: a process may have ended before it could write that down."""
        return all(_size(self._installed(file)) == file.size_bytes for file in self.plan.files)

    def check_free(self) -> None:
        """Check that nothing is where the model is to be.

        Raises:
            DownloadError: something is.
        """
        if not self.is_moving and os.path.lexists(self.model_path):
            raise DownloadError(
                f"{shown(self.plan.model_path)} is already there.", "Remove it first to download it again."
            )

    def install(self) -> None:
        """Move the finished model into place; may be called again after being interrupted.

        Raises:
            DownloadError: something is in the way, or the disk refuses.
        """
        self.check_free()
        with disk_errors(self.model_path):
            self._marker.touch()
            folder = self._models / self.plan.repo_id
            if self.plan.format is ModelFormat.MLX:
                folder.parent.mkdir(parents=True, exist_ok=True)
                if self._files.is_dir():
                    self._files.rename(folder)
            else:
                for file in reversed(self.plan.files):
                    self._installed(file).parent.mkdir(parents=True, exist_ok=True)
                    if self.place(file).exists():
                        self.place(file).replace(self._installed(file))
            _settle(folder, folder.parent)

    def discard(self) -> int:
        """Remove all that is here and return how many bytes that was.

        Raises:
            DownloadError: the disk refuses.
        """
        return discard_partial(self._folder)

    def _installed(self, file: PlannedFile) -> Path:
        return self._models / self.plan.repo_id / file.target

    def _write_plan(self) -> None:
        if self._plan_file.exists() and read_plan(self._folder) != self.plan:
            shutil.rmtree(self._files, ignore_errors=True)
            self._marker.unlink(missing_ok=True)
        fresh = self._plan_file.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(self.plan))
        fresh.replace(self._plan_file)


def read_plan(folder: Path) -> DownloadPlan | None:
    """Return the plan in a partial download's folder; None if there is none that can be used."""
    try:
        with (folder / "plan.json").open("rb") as stream:
            return msgspec.json.decode(stream.read(MAX_PLAN_BYTES), type=DownloadPlan)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None


def partial_downloads(models: Path) -> tuple[Path, ...]:
    """Return the folders of all partial downloads below the folder `models`."""
    place = models / DOWNLOADS_FOLDER
    with suppress(OSError):
        return tuple(sorted(path for path in place.iterdir() if path.name.endswith(PART_SUFFIX)))
    return ()


def discard_partial(folder: Path) -> int:
    """Remove a partial download's folder and return how many bytes that was.

    Raises:
        DownloadError: the disk refuses.
    """
    freed = sum(_size(path) or 0 for path in folder.rglob("*")) if folder.is_dir() else 0
    with disk_errors(folder):
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)
    return freed


def _size(path: Path) -> int | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_size if path.is_file() and not path.is_symlink() else None


def _settle(*folders: Path) -> None:
    """See the names in `folders` safely to the disk, where the system lets folders be opened."""
    for folder in folders:
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
