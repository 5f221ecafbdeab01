"""Release notes, shown: Markdown without HTML, without pictures, without anything that is fetched or run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QColor, QDesktopServices, QPalette, QTextCursor, QTextDocument, QTextFormat, QTextFragment
from PySide6.QtWidgets import QTextBrowser, QWidget

from desktop.theme.theme import Theme
from desktop.widgets.question import ask
from runtime.updates.release_feed import Release

MARGIN_PX = 8
WEB_SCHEMES = frozenset({"https", "http"})


class ReleaseNotes(QTextBrowser):
    """Shows what is new in each version. A link opens after its target was shown.

    Signals:
        link_asked: a link was pressed; carries its address.
    """

    link_asked = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("releaseNotes")
        self.setAccessibleName(self.tr("What is new"))
        self.setOpenLinks(False)
        self.document().setDocumentMargin(MARGIN_PX)
        self.anchorClicked.connect(lambda url: self.link_asked.emit(url.toString()))
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self.setFont(theme.fonts.text())
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Base, QColor(theme.colors.card))
        palette.setColor(QPalette.ColorRole.Text, QColor(theme.colors.text))
        palette.setColor(QPalette.ColorRole.Link, QColor(theme.colors.accent))
        self.setPalette(palette)

    def show_releases(self, releases: Iterable[Release]) -> None:
        """Show the notes of these versions, one below the other."""
        parts = (f"### First Token {release.version}\n\n{release.notes.strip()}" for release in releases)
        features = QTextDocument.MarkdownFeature
        self.document().setMarkdown("\n\n".join(parts), features.MarkdownDialectGitHub | features.MarkdownNoHTML)
        for fragment in reversed(list(_pictures(self.document()))):
            _replace_by_words(self.document(), fragment)
        self.moveCursor(QTextCursor.MoveOperation.Start)

    def loadResource(self, _kind: int, _name: QUrl | str) -> object:
        """Load nothing, from wherever it may be."""
        return None


def ask_before_opening(parent: QWidget, address: str) -> None:
    """Show where a link leads, and open it in the browser if the user agrees; what is no web address stays shut."""
    url = QUrl(address, QUrl.ParsingMode.StrictMode)
    if not url.isValid() or url.scheme() not in WEB_SCHEMES:
        return
    question = parent.tr("Open this address in the browser?\n\n{address}").format(address=url.toString())

    def open_page() -> None:
        QDesktopServices.openUrl(url)

    ask(parent, "updateLink", question, parent.tr("Open"), open_page)


def _pictures(document: QTextDocument) -> Iterator[tuple[int, int, str]]:
    """Yield place, length and description of each picture."""
    block = document.begin()
    while block.isValid():
        iterator = block.begin()
        while not iterator.atEnd():
            fragment: QTextFragment = iterator.fragment()
            if fragment.charFormat().isImageFormat():
                words = fragment.charFormat().toImageFormat().property(QTextFormat.Property.ImageAltText)
                yield fragment.position(), fragment.length(), str(words or "")
            iterator += 1
        block = block.next()


def _replace_by_words(document: QTextDocument, picture: tuple[int, int, str]) -> None:
    place, length, words = picture
    cursor = QTextCursor(document)
    cursor.setPosition(place)
    cursor.setPosition(place + length, QTextCursor.MoveMode.KeepAnchor)
    cursor.insertText(f"[{words}]" if words else "")
