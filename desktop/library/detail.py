"""What the picker says of the model that is chosen: frozen values that the pane beside the list shows as they are."""

from __future__ import annotations

from enum import Enum

import msgspec

from desktop.library.rows import ModelRow
from desktop.state.library_fit import Outlook


class Action(Enum):
    """What can be done with a model."""

    DOWNLOAD = "download"
    LOAD = "load"
    ADD = "add"
    SHOW_FOLDER = "show folder"
    OPEN_PAGE = "open page"
    REMOVE = "remove"


class OfferedAction(msgspec.Struct, frozen=True):
    """A button: what it does, what it says, and whether it is the one to press."""

    action: Action
    label: str
    is_default: bool = False


class Fact(msgspec.Struct, frozen=True):
    """Something to know, with its name."""

    label: str
    text: str


class DownloadDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A download, as far as it has come.

    Attributes:
        key: what the queue calls it; empty while it is not in the queue.
        words: how it is.
        fraction: how far it is; None where that says nothing.
        error: what went wrong and what to do; empty if nothing did.
        is_stalled: whether bytes should come and do not.
        can_pause: whether it can be paused.
        can_resume: whether it is paused and can go on.
        can_retry: whether it failed, or waits after a failure, and can be tried again now.
        can_remove: whether it can be given up.
        asks_token: whether an access token may help.
        page: where the terms of its publisher are accepted; empty unless that is what it takes.
    """

    key: str
    words: str
    fraction: float | None = None
    error: str = ""
    is_stalled: bool = False
    can_pause: bool = False
    can_resume: bool = False
    can_retry: bool = False
    can_remove: bool = False
    asks_token: bool = False
    page: str = ""


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """All there is to say of a model.

    Attributes:
        key: the row it is about.
        title: its name.
        facts: what it is, in one line.
        about: what it is good at.
        variants: the forms to choose from; none where there is nothing to choose.
        variant: the key of the chosen one.
        rows: further things to know.
        contexts: lengths of the context to judge with, in tokens; none where nothing can be judged.
        context: the chosen one.
        outlook: how it will be here; None if not known.
        foretells: whether its speed is worth foretelling.
        note: why there is no outlook; empty if there is one.
        is_bad: whether that is a problem.
        download: its download; None if there is none.
        actions: what can be done.
    """

    key: str
    title: str
    facts: str = ""
    about: str = ""
    variants: tuple[ModelRow, ...] = ()
    variant: str = ""
    rows: tuple[Fact, ...] = ()
    contexts: tuple[int, ...] = ()
    context: int = 0
    outlook: Outlook | None = None
    foretells: bool = True
    note: str = ""
    is_bad: bool = False
    download: DownloadDetail | None = None
    actions: tuple[OfferedAction, ...] = ()
