"""The exception tree, all of it.

    FirstTokenError
    ├── UserFacingError          the user's world: what happened and what to do next, with a stable code
    │   ├── ModelMissingError        model-missing        no such path or name
    │   ├── ModelBrokenError         model-broken         truncated, wrong magic, mismatched tensors, NaN weights
    │   ├── ModelUnsupportedError    model-unsupported    well formed, but no engine here runs it
    │   ├── ChatTemplateError        chat-template        missing, broken or runaway chat template
    │   ├── InvalidRequestError      invalid-request      sampler values, limits or token ids out of range
    │   ├── ContextOverflowError     context-overflow     the prompt is longer than the context
    │   ├── MemoryShortError         memory-short         more memory asked for than this machine can give
    │   ├── EngineUnavailableError   engine-unavailable   the engine is not installed or does not run here
    │   ├── SettingsError            settings             a settings file or an option that cannot be used
    │   ├── CatalogError             catalog              the list of models that ships with the app is damaged
    │   ├── LibraryError             library              a model that cannot be added to the list or removed from it
    │   ├── StoreError               store                the chat database or an exported file cannot be used
    │   ├── OutputError              output               what a command says cannot be written
    │   ├── UsageError               usage                a command line that is not understood
    │   ├── WorkerLostError          worker-lost          the worker process ended in the middle of the work
    │   ├── HubUnreachableError      hub-unreachable      no network, or the connection was lost
    │   ├── HubBusyError             hub-busy             the Hub asks to come back later
    │   ├── HubAccessError           hub-access           a model that asks for permission, or a token that is not valid
    │   ├── HubMissingError          hub-missing          the Hub has no such model or file
    │   ├── DownloadError            download             a download that cannot begin, go on or be finished
    │   ├── KeychainError            keychain             the system's keychain cannot be used
    │   └── UpdateError              update               the release feed cannot be had, or must not be believed
    └── InternalError            our bug: full detail in the log

Errors cross the pipe as an `ErrorReport` and come out as the same class on the other side.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class FirstTokenError(Exception):
    """Base of every error this product raises on purpose."""


class UserFacingError(FirstTokenError):
    """An error of the user's world.

    Attributes:
        what: one sentence, what happened.
        next_step: one sentence, what the user can do about it.
        detail: text for the log and the report (a native library's stderr, say); never needed to understand `what`.
    """

    code: ClassVar[str] = "user"

    def __init__(self, what: str, next_step: str, *, detail: str = "") -> None:
        super().__init__(f"{what} {next_step}")
        self.what = what
        self.next_step = next_step
        self.detail = detail


class ModelMissingError(UserFacingError):
    """No such path or name."""

    code = "model-missing"


class ModelBrokenError(UserFacingError):
    """The files are damaged: truncated, wrong magic, tensors that do not fit the configuration, NaN weights."""

    code = "model-broken"


class ModelUnsupportedError(UserFacingError):
    """The files are well formed, but no engine here runs them."""

    code = "model-unsupported"


class ChatTemplateError(UserFacingError):
    """The model's chat template is missing, broken, or takes too much time or memory."""

    code = "chat-template"


class InvalidRequestError(UserFacingError):
    """A sampler value, a limit or a token id is out of range."""

    code = "invalid-request"


class ContextOverflowError(UserFacingError):
    """The prompt is longer than the context."""

    code = "context-overflow"


class MemoryShortError(UserFacingError):
    """More memory was asked for than this machine can give."""

    code = "memory-short"


class EngineUnavailableError(UserFacingError):
    """The engine is not installed, or does not run on this machine."""

    code = "engine-unavailable"


class SettingsError(UserFacingError):
    """A settings file or an option cannot be used."""

    code = "settings"


class CatalogError(UserFacingError):
    """The list of models that ships with the app is missing or damaged."""

    code = "catalog"


class LibraryError(UserFacingError):
    """A model cannot be added to the list of models, or removed from it."""

    code = "library"


class StoreError(UserFacingError):
    """The chat database cannot be read or written, or a file of exported chats cannot be used."""

    code = "store"


class OutputError(UserFacingError):
    """What a command has to say cannot be written."""

    code = "output"


class UsageError(UserFacingError):
    """A command line is not understood."""

    code = "usage"


class WorkerLostError(UserFacingError):
    """The worker process ended in the middle of the work."""

    code = "worker-lost"


class HubUnreachableError(UserFacingError):
    """The Hub cannot be reached: no network, no such host, no answer in time, or the connection was lost."""

    code = "hub-unreachable"


class HubBusyError(UserFacingError):
    """The Hub, or the server its files lie on, asks to come back later.

    Attributes:
        retry_after_s: how long it asks to wait, in seconds; None if it does not say.
    """

    code = "hub-busy"

    def __init__(self, what: str, next_step: str, *, detail: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(what, next_step, detail=detail)
        self.retry_after_s = retry_after_s


class HubAccessError(UserFacingError):
    """The Hub gives this only to people it knows: a gated or private model, or a token that is not valid."""

    code = "hub-access"


class HubMissingError(UserFacingError):
    """The Hub has no such model, version or file."""

    code = "hub-missing"


class DownloadError(UserFacingError):
    """A download cannot begin, go on or be finished: no space, wrong content, nothing to download."""

    code = "download"


class KeychainError(UserFacingError):
    """The system's keychain cannot be used."""

    code = "keychain"


class UpdateError(UserFacingError):
    """The release feed cannot be had, or must not be believed."""

    code = "update"


class InternalError(FirstTokenError):
    """A bug of ours. `detail` holds everything the log should have."""

    code: ClassVar[str] = "internal"

    def __init__(self, what: str, *, detail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.detail = detail


class ErrorReport(msgspec.Struct, frozen=True):
    """An error as it crosses the pipe: the code names the class, the texts are its arguments."""

    code: str
    what: str
    next_step: str = ""
    detail: str = ""


def report_of(error: FirstTokenError) -> ErrorReport:
    """Return the form of `error` that crosses the pipe."""
    match error:
        case UserFacingError():
            return ErrorReport(error.code, error.what, error.next_step, error.detail)
        case InternalError():
            return ErrorReport(InternalError.code, error.what, detail=error.detail)
        case _:
            return ErrorReport(InternalError.code, str(error), detail=repr(error))


def error_from(report: ErrorReport) -> FirstTokenError:
    """Return the error that `report` describes; an unknown code becomes an `InternalError`."""
    for kind in UserFacingError.__subclasses__():
        if kind.code == report.code:
            return kind(report.what, report.next_step, detail=report.detail)
    return InternalError(report.what, detail=report.detail)
