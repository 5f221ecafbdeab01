"""The real widgets that lie over what is painted: buttons beside messages, Retry, "jump to latest", the find bar."""

from __future__ import annotations

from PySide6.QtCore import QObject, QRectF, Qt
from PySide6.QtWidgets import QAbstractScrollArea

from desktop.chat.transcript.chrome_rows import NoticeRow
from desktop.chat.transcript.find_bar import FindBar
from desktop.chat.transcript.finder import TextFinder
from desktop.chat.transcript.jump_button import JumpButton
from desktop.chat.transcript.layout import TranscriptLayout
from desktop.chat.transcript.message_buttons import MessageButtons
from desktop.chat.transcript.message_view import MessageAction
from desktop.chat.transcript.retry_buttons import RetryButtons
from desktop.chat.transcript.scrolling import Scrolling
from desktop.theme.theme import Theme
from runtime.values.chat import MessageId

MARGIN_PX = 12


class Overlays(QObject):
    """Puts each widget where it belongs.

    Attributes:
        buttons: beside the message that the pointer or the keyboard is at.
        retry: in the notices.
        jump: shows the end again.
        find_bar: in the corner.
    """

    def __init__(
        self,
        area: QAbstractScrollArea,
        layout: TranscriptLayout,
        scrolling: Scrolling,
        finder: TextFinder,
        theme: Theme,
    ) -> None:
        super().__init__(area)
        self._area = area
        self._layout = layout
        self._scrolling = scrolling
        self.buttons = MessageButtons(theme, area.viewport())
        self.retry = RetryButtons(theme, area.viewport())
        self.jump = JumpButton(theme, self.tr("Jump to latest"), area)
        self.find_bar = FindBar(theme, finder, area)
        for widget in (self.jump, self.find_bar):
            widget.hide()

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        for widget in (self.buttons, self.retry, self.jump, self.find_bar):
            widget.apply_theme(theme)

    def place(self, message_with_buttons: int | None) -> None:
        """Put everything where it belongs now."""
        viewport = self._area.viewport()
        self._place_buttons(message_with_buttons)
        self.retry.place(self._retry_boxes())
        self.jump.setVisible(self._scrolling.is_far_from_end())
        if self.jump.isVisible():
            size = self.jump.sizeHint()
            left = (viewport.width() - size.width()) // 2
            self.jump.setGeometry(left, viewport.height() - size.height() - MARGIN_PX, size.width(), size.height())
        if self.find_bar.isVisible():
            bar = self.find_bar.sizeHint()
            left = max(viewport.width() - bar.width() - MARGIN_PX, 0)
            self.find_bar.setGeometry(left, MARGIN_PX, bar.width(), bar.height())

    def _place_buttons(self, message: int | None) -> None:
        if message is None:
            self.buttons.show_for(None)
            return
        item = self._layout.items[message]
        footer = item.box_of(len(item.stack.rows) - 1)
        center = footer.center().y() + self._layout.message_top(message) - self._scrolling.offset
        self.buttons.show_for(item.view)
        is_mirrored = self._area.layoutDirection() is Qt.LayoutDirection.RightToLeft
        self.buttons.place(footer.left() + self.buttons.width() if is_mirrored else footer.right(), center)

    def _retry_boxes(self) -> dict[MessageId, QRectF]:
        top = self._scrolling.offset
        boxes: dict[MessageId, QRectF] = {}
        for place, box, row in self._layout.rows_between(top, top + self._area.viewport().height()):
            view = self._layout.items[place.message].view
            if isinstance(row, NoticeRow) and MessageAction.RETRY in view.actions:
                boxes[view.id] = row.button_box(box.width()).translated(box.topLeft()).translated(0, -top)
        return boxes
