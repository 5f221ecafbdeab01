"""What a download is to fetch and where it is to end: a frozen value that outlives the process."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import msgspec

from runtime.hub.grouping import HubVariant
from runtime.hub.listing import Repository
from runtime.hub.naming import is_repo_id
from runtime.hub.remote_file import RemoteFile
from runtime.hub.selection import local_path, needed_files
from runtime.library.defects import shown
from runtime.values.errors import DownloadError, UserFacingError
from runtime.values.model import ModelFormat

COMMIT = re.compile(r"[0-9a-f]{40,64}")
SHA256 = re.compile(r"[0-9a-f]{64}")
GIT_ID = re.compile(r"[0-9a-f]{40}")
MAX_FILE_BYTES = 2**50


class PlannedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file to fetch.

    Attributes:
        path: inside the repository.
        target: below the model's folder.
        size_bytes: its size.
        sha256: hash of its content; None where git's id tells.
        git_id: git's id of the content, another hash of it.
    """

    path: str
    target: str
    size_bytes: int
    sha256: str | None
    git_id: str


class DownloadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A model to fetch, pinned to one commit.

    Attributes:
        repo_id: publisher/name on the Hub.
        commit: what it was when the download was asked for; nothing else is ever fetched.
        format: MLX directory or GGUF file.
        title: its quantization as people see it.
        files: what it consists of; of a GGUF model in parts, the first part comes first.
    """

    repo_id: str
    commit: str
    format: ModelFormat
    title: str
    files: tuple[PlannedFile, ...]

    def __post_init__(self) -> None:
        """Check what may come from a stranger or from a damaged file.

        Raises:
            ValueError: a name or number is none that a plan can have.
        """
        targets = {file.target for file in self.files}
        if not self.files or len(targets) < len(self.files):
            raise ValueError("no files, or some twice")
        if not is_repo_id(self.repo_id) or not COMMIT.fullmatch(self.commit):
            raise ValueError(f"no repository {self.repo_id!r} at {self.commit!r}")
        for file in self.files:
            _check_file(file, self.format)

    @property
    def total_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def key(self) -> str:
        """A name for this download that is a file's name, too: the same for the same form of the same model."""
        import hashlib  # noqa: PLC0415 - loads a library of three megabytes, for nothing where there are no downloads

        name = f"{self.repo_id} {self.title} {self.files[0].target if self.format is ModelFormat.GGUF else ''}"
        digest = hashlib.sha256(name.encode()).hexdigest()[:10]
        return f"{re.sub(r'[^A-Za-z0-9._]+', '-', self.repo_id)[:80].strip('-.')}-{digest}"

    @property
    def model_path(self) -> PurePosixPath:
        """Where the model will be below the models folder: the MLX directory, or the (first) GGUF file."""
        folder = PurePosixPath(self.repo_id)
        return folder / self.files[0].target if self.format is ModelFormat.GGUF else folder

    def remote(self, file: PlannedFile) -> RemoteFile:
        """Return where a file is on the Hub."""
        return RemoteFile(self.repo_id, self.commit, file.path)


def _check_file(file: PlannedFile, model_format: ModelFormat) -> None:
    hashed = SHA256.fullmatch(file.sha256) if file.sha256 else GIT_ID.fullmatch(file.git_id)
    if not hashed or not 0 <= file.size_bytes <= MAX_FILE_BYTES:
        raise ValueError(f"no hash or size for {file.path!r}")
    try:
        is_in_place = local_path(file.target, model_format) == file.target
    except UserFacingError as error:
        raise ValueError(f"no place for {file.target!r}") from error
    if not is_in_place:
        raise ValueError(f"no place for {file.target!r}")


def plan_download(repository: Repository, variant: HubVariant) -> DownloadPlan:
    """Return the plan for one form of a model in a repository.

    Raises:
        UserFacingError: the form is not there, cannot run here, or has names or hashes that nothing can be done with.
    """
    files = tuple(
        PlannedFile(
            path=needed.remote.path,
            target=needed.target,
            size_bytes=needed.remote.size_bytes,
            sha256=needed.remote.sha256,
            git_id=needed.remote.git_id,
        )
        for needed in needed_files(repository, variant)
    )
    try:
        return DownloadPlan(
            repo_id=repository.repo.repo_id,
            commit=repository.commit,
            format=variant.format,
            title=variant.scheme.title,
            files=files,
        )
    except ValueError as error:
        raise DownloadError(
            f"The Hub does not say enough of {shown(repository.repo.repo_id)} to check a download.",
            "Choose a version of the model from another publisher.",
            detail=str(error),
        ) from error
