"""The transcript's menu: all that the pointer can do there, and so the keyboard's way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from desktop.chat.markdown.block import Block
from desktop.chat.transcript.message_view import MessageAction, MessageView

MAX_LISTED = 12
LABEL_CHARACTERS = 48


def _tr(text: str) -> str:
    return QCoreApplication.translate("Transcript", text)


class MenuSubject:
    """What a menu is opened for.

    Attributes:
        view: the message; None beside all messages.
        has_selection: whether text is selected.
        link: the address under the pointer.
        links: all addresses in the message.
        code: all code blocks in the message.
        shows_reasoning: whether the reasoning is unfolded; None if there is none.
        shows_all: whether all of a long text is shown; None if it is not long.
    """

    def __init__(self, view: MessageView | None, *, has_selection: bool) -> None:
        self.view = view
        self.has_selection = has_selection
        self.link = ""
        self.links: list[str] = []
        self.code: list[Block] = []
        self.shows_reasoning: bool | None = None
        self.shows_all: bool | None = None


class TranscriptMenu(QMenu):
    """The menu for one subject; it goes when it is closed.

    Signals:
        copy_requested: the selection, as text.
        copy_markdown_requested: the selection, as markdown.
        copy_text_requested: carries a text to be copied: code, an address.
        link_requested: carries an address to be opened.
        select_all_requested, find_requested, fold_reasoning_requested, fold_text_requested: what they say.
        action_requested: message id and `MessageAction`.
    """

    copy_requested = Signal()
    copy_markdown_requested = Signal()
    copy_text_requested = Signal(str)
    link_requested = Signal(str)
    select_all_requested = Signal()
    find_requested = Signal()
    fold_reasoning_requested = Signal()
    fold_text_requested = Signal()
    action_requested = Signal(int, object)

    def __init__(self, subject: MenuSubject, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("transcriptMenu")
        self.setAccessibleName(_tr("Message"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._subject = subject
        self._add_selection()
        self._add_link()
        if subject.view is not None:
            self._add_message(subject.view)
        self.addSeparator()
        self._add("menuSelectAll", _tr("Select all"), self.select_all_requested.emit)
        self._add("menuFind", _tr("Find in this chat…"), self.find_requested.emit)

    def _add_selection(self) -> None:
        if self._subject.has_selection:
            self._add("menuCopy", _tr("Copy"), self.copy_requested.emit)
            self._add("menuCopyMarkdown", _tr("Copy as Markdown"), self.copy_markdown_requested.emit)
            self.addSeparator()

    def _add_link(self) -> None:
        link = self._subject.link
        if link:
            self._add("menuOpenLink", _tr("Open link…"), lambda: self.link_requested.emit(link))
            self._add("menuCopyLink", _tr("Copy link"), lambda: self.copy_text_requested.emit(link))
            self.addSeparator()

    def _add_message(self, view: MessageView) -> None:
        for action, name, text in (
            (MessageAction.COPY, "menuCopyMessage", _tr("Copy message")),
            (MessageAction.EDIT, "menuEdit", _tr("Edit")),
            (MessageAction.REGENERATE, "menuRegenerate", _tr("Regenerate")),
            (MessageAction.CONTINUE, "menuContinue", _tr("Continue")),
            (MessageAction.RETRY, "menuRetry", _tr("Retry")),
            (MessageAction.EXPLAIN_WAIT, "menuExplainWait", _tr("Why was this slow?")),
            (MessageAction.DELETE, "menuDelete", _tr("Delete")),
        ):
            if action in view.actions:
                self._add(name, text, partial(self.action_requested.emit, view.id, action))
        subject = self._subject
        if subject.shows_reasoning is not None:
            label = _tr("Hide reasoning") if subject.shows_reasoning else _tr("Show reasoning")
            self._add("menuReasoning", label, self.fold_reasoning_requested.emit)
        if subject.shows_all is not None:
            label = _tr("Show less") if subject.shows_all else _tr("Show all")
            self._add("menuShowAll", label, self.fold_text_requested.emit)
        code = [(_label(block), block.text) for block in subject.code]
        self._add_list("menuCopyCode", _tr("Copy code"), code, self.copy_text_requested.emit)
        links = [(_elided(link), link) for link in subject.links]
        self._add_list("menuLinks", _tr("Open link"), links, self.link_requested.emit)

    def _add_list(
        self, name: str, title: str, entries: Iterable[tuple[str, str]], chosen: Callable[[str], object]
    ) -> None:
        listed = list(entries)[:MAX_LISTED]
        if not listed:
            return
        menu = self.addMenu(title)
        menu.setObjectName(name)
        for number, (label, value) in enumerate(listed):
            action = menu.addAction(label.replace("&", "&&"))
            action.setObjectName(f"{name}{number}")
            action.triggered.connect(lambda _checked=False, value=value: chosen(value))

    def _add(self, name: str, text: str, triggered: Callable[[], object]) -> QAction:
        action = self.addAction(text)
        action.setObjectName(name)
        action.triggered.connect(lambda _checked=False: triggered())
        return action


def _label(block: Block) -> str:
    first = next((line.strip() for line in block.text.split("\n") if line.strip()), "")
    return _elided(f"{block.language or _tr('Code')}: {first}")


def _elided(text: str) -> str:
    return text if len(text) <= LABEL_CHARACTERS else text[: LABEL_CHARACTERS - 1] + "…"
