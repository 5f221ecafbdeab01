"""Fields, buttons, boxes and tabs off macOS: Fusion's behaviour, in the flat rounded look of the rest of the window.

Fusion derives its outlines from the window's colour, which leaves none to be seen on black. Everything here is
painted from the palette, so a change of appearance needs no new style.
"""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QApplication,
    QComboBox,
    QFrame,
    QMenu,
    QProxyStyle,
    QPushButton,
    QStyle,
    QStyleOption,
    QStyleOptionComplex,
    QStyleOptionMenuItem,
    QStyleOptionSlider,
    QWidget,
)

from desktop.theme.control_painting import (
    has_state,
    paint_box,
    paint_button,
    paint_chevron,
    paint_field,
    paint_radio,
    paint_tab,
    paint_tip,
)
from desktop.theme.scroll_bar import THICKNESS_PX, paint_scroll_bar, scroll_bar_rect

FIELD_PADDING_PX = 4
EXTRA_HEIGHT_PX = 3
MENU_MARGIN_PX = 4
MENU_LINE = 1.7
"""Height of a menu's entry, in lines of its text."""

Complex = QStyle.ComplexControl
Contents = QStyle.ContentsType
Control = QStyle.ControlElement
Part = QStyle.SubControl
Primitive = QStyle.PrimitiveElement
Role = QPalette.ColorRole

WITHOUT_PICTURE = frozenset(pixmap for pixmap in QStyle.StandardPixmap if pixmap.name.startswith("SP_Dialog"))
TALLER = (Contents.CT_PushButton, Contents.CT_LineEdit, Contents.CT_ComboBox)  # a spin box holds a line edit


class ControlStyle(QProxyStyle):
    """What `QApplication.setStyle` gets where the platform's own controls are not used."""

    def __init__(self) -> None:
        super().__init__("Fusion")

    def drawPrimitive(
        self, element: QStyle.PrimitiveElement, option: QStyleOption, painter: QPainter, widget: QWidget | None = None
    ) -> None:
        """Paint frames, button faces and boxes; leave the rest to Fusion."""
        match element:
            case Primitive.PE_PanelButtonCommand:
                paint_button(painter, option, is_default=_is_default(widget))
            case Primitive.PE_FrameLineEdit:
                paint_field(painter, option)
            case Primitive.PE_Frame if _has_rounded_frame(widget):
                paint_field(painter, option)
            case Primitive.PE_PanelTipLabel:
                paint_tip(painter, option)
            case Primitive.PE_IndicatorCheckBox:
                paint_box(painter, option)
            case Primitive.PE_IndicatorRadioButton:
                paint_radio(painter, option)
            case Primitive.PE_FrameFocusRect if isinstance(widget, QPushButton):
                pass  # The face shows the focus.
            case _:
                super().drawPrimitive(element, option, painter, widget)

    def drawControl(
        self, element: QStyle.ControlElement, option: QStyleOption, painter: QPainter, widget: QWidget | None = None
    ) -> None:
        """Paint tabs, and text where Fusion's would be hard to read or cut off; leave the rest to Fusion."""
        match element:
            case Control.CE_TabBarTabShape:
                paint_tab(painter, option)
            case Control.CE_TabBarTabLabel:
                option.state |= QStyle.StateFlag.State_Selected  # Fusion lowers the names of the others.
                super().drawControl(element, option, painter, widget)
            case Control.CE_ComboBoxLabel if isinstance(widget, QComboBox) and not widget.isEditable():
                self._paint_combo_text(option, painter, widget)
            case Control.CE_PushButtonLabel if _is_default(widget) and has_state(
                option, QStyle.StateFlag.State_Enabled
            ):
                palette = QPalette(option.palette)
                palette.setColor(Role.ButtonText, palette.color(Role.HighlightedText))
                option.palette = palette
                super().drawControl(element, option, painter, widget)
            case _:
                super().drawControl(element, option, painter, widget)

    def drawComplexControl(
        self,
        control: QStyle.ComplexControl,
        option: QStyleOptionComplex,
        painter: QPainter,
        widget: QWidget | None = None,
    ) -> None:
        """Paint spin boxes and combo boxes; leave the rest to Fusion."""
        match control:
            case Complex.CC_SpinBox if widget is not None:
                paint_field(painter, option)
                for part, points_up in ((Part.SC_SpinBoxUp, True), (Part.SC_SpinBoxDown, False)):
                    area = self.subControlRect(control, option, part, widget)
                    paint_chevron(painter, option, area, points_up=points_up)
            case Complex.CC_ScrollBar if isinstance(option, QStyleOptionSlider):
                painter.fillRect(option.rect, _ground_beside(widget))
                paint_scroll_bar(painter, option)
            case Complex.CC_ComboBox if widget is not None:
                paint_button(painter, option, is_default=False)
                area = self.subControlRect(control, option, Part.SC_ComboBoxArrow, widget)
                paint_chevron(painter, option, area, points_up=False)
            case _:
                super().drawComplexControl(control, option, painter, widget)

    def subControlRect(
        self,
        control: QStyle.ComplexControl,
        option: QStyleOptionComplex,
        part: QStyle.SubControl,
        widget: QWidget | None = None,
    ) -> QRect:
        """Place the parts of scroll bars; leave the rest to Fusion."""
        if control is Complex.CC_ScrollBar and isinstance(option, QStyleOptionSlider):
            return scroll_bar_rect(option, part)
        return self.baseStyle().subControlRect(control, option, part, widget)

    def subElementRect(self, element: QStyle.SubElement, option: QStyleOption, widget: QWidget | None = None) -> QRect:
        """Keep text in fields, and what scrolls in a frame, off their rounded corners."""
        area = self.baseStyle().subElementRect(element, option, widget)
        if element is QStyle.SubElement.SE_LineEditContents:
            return area.adjusted(FIELD_PADDING_PX, 0, -FIELD_PADDING_PX, 0)
        if element is QStyle.SubElement.SE_ShapedFrameContents and _has_rounded_frame(widget):
            return area.adjusted(1, 1, -1, -1)
        return area

    def sizeFromContents(
        self, kind: QStyle.ContentsType, option: QStyleOption, size: QSize, widget: QWidget | None = None
    ) -> QSize:
        """Give controls a little more room than Fusion does, and scroll bars less."""
        needed = self.baseStyle().sizeFromContents(kind, option, size, widget)
        match kind:
            case Contents.CT_SpinBox:
                return needed + QSize(2 * FIELD_PADDING_PX, 0)
            case Contents.CT_ScrollBar:
                return QSize(min(needed.width(), THICKNESS_PX), min(needed.height(), THICKNESS_PX))
            case Contents.CT_MenuItem if isinstance(option, QStyleOptionMenuItem) and not _is_line(option):
                return QSize(needed.width(), max(needed.height(), round(option.fontMetrics.height() * MENU_LINE)))
            case _ if kind in TALLER:
                return needed + QSize(0, EXTRA_HEIGHT_PX)
            case _:
                return needed

    def standardIcon(
        self, icon: QStyle.StandardPixmap, option: QStyleOption | None = None, widget: QWidget | None = None
    ) -> QIcon:
        """Leave the buttons of dialogs without pictures: their words are enough."""
        if icon in WITHOUT_PICTURE:
            return QIcon()
        return self.baseStyle().standardIcon(icon, option, widget)

    def polish(self, thing: object, /) -> None:
        """Keep the entries of menus off their edges."""
        match thing:
            case QMenu():
                thing.setContentsMargins(0, MENU_MARGIN_PX, 0, MENU_MARGIN_PX)
                super().polish(thing)
            case QWidget() | QApplication() | QPalette():
                super().polish(thing)

    def _paint_combo_text(self, option: QStyleOption, painter: QPainter, combo: QComboBox) -> None:
        """Shorten what does not fit, where Fusion cuts it off."""
        if not isinstance(option, QStyleOptionComplex):
            super().drawControl(Control.CE_ComboBoxLabel, option, painter, combo)
            return
        area = self.subControlRect(Complex.CC_ComboBox, option, Part.SC_ComboBoxEditField, combo)
        area.adjust(FIELD_PADDING_PX, 0, 0, 0)
        text = option.fontMetrics.elidedText(combo.currentText(), Qt.TextElideMode.ElideMiddle, area.width())
        aligned = self.visualAlignment(option.direction, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        enabled = has_state(option, QStyle.StateFlag.State_Enabled)
        self.drawItemText(painter, area, aligned, option.palette, enabled, text, Role.ButtonText)


def _ground_beside(scroll_bar: QWidget | None) -> QColor:
    """Return the colour of what the bar scrolls, so that it seems to lie on it."""
    container = scroll_bar.parentWidget() if scroll_bar is not None else None
    area = container.parentWidget() if container is not None else None
    if not isinstance(area, QAbstractScrollArea) or not area.viewport().autoFillBackground():
        return QColor(Qt.GlobalColor.transparent)
    return area.viewport().palette().color(area.viewport().backgroundRole())


def _has_rounded_frame(widget: QWidget | None) -> bool:
    return isinstance(widget, QAbstractScrollArea) and widget.frameShape() is QFrame.Shape.StyledPanel


def _is_line(option: QStyleOptionMenuItem) -> bool:
    return option.menuItemType is QStyleOptionMenuItem.MenuItemType.Separator


def _is_default(widget: QWidget | None) -> bool:
    return isinstance(widget, QPushButton) and widget.isDefault()
