"""The button in the middle of the toolbar: says which model answers, and opens the list of models."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QColor, QFont, QFontMetricsF, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QFileDialog, QMenu, QSizePolicy, QWidget

from desktop.state.engine_state import EngineState, EngineStatus, LoadFailed, Loading, NoModel, Serving, short_name
from desktop.state.installed_state import Choice, InstalledState
from desktop.theme.theme import Theme
from runtime.values.model import LoadedModel
from runtime.values.wording import UNDEFINED, bytes_text

RADIUS_PX = 8.0
PADDING_PX = 12
MAX_WIDTH_PX = 460
MIN_WIDTH_PX = 180
PROGRESS_PX = 2.5


class ModelButton(QAbstractButton):
    """Shows the engine's status; a click opens the menu of models.

    Signals:
        find_requested: the user wants more models than there are here.
        load_requested: the user chose this model (a name or a path).
        options_requested: the user wants to choose how the model is loaded.
        unload_requested: the user wants the memory back.
        menu_about_to_open: the list of models should be fresh.
    """

    find_requested = Signal()
    load_requested = Signal(str)
    options_requested = Signal()
    unload_requested = Signal()
    menu_about_to_open = Signal()

    def __init__(
        self, theme: Theme, engine: EngineState, installed: InstalledState, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._engine = engine
        self._installed = installed
        self._fraction: float | None = None
        self._failed = False
        self.setObjectName("modelButton")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setMaximumWidth(MAX_WIDTH_PX)
        self.clicked.connect(self.open_menu)
        engine.status_changed.connect(self._show)
        self.apply_theme(theme)
        self._show(engine.status)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._theme = theme
        self.setFont(theme.fonts.text(weight=QFont.Weight.Medium))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for the whole text, within bounds."""
        metrics = QFontMetricsF(self.font())
        width = metrics.horizontalAdvance(self.text()) + metrics.height() + 3 * PADDING_PX
        return QSize(round(min(MAX_WIDTH_PX, max(MIN_WIDTH_PX, width))), round(metrics.height() * 1.9))

    def minimumSizeHint(self) -> QSize:
        """Return a width at which a shortened name can still be told."""
        return QSize(MIN_WIDTH_PX // 2, self.sizeHint().height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open the menu with the keys that open menus."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Down):
            self.open_menu()
        else:
            super().keyPressEvent(event)

    def open_menu(self) -> None:
        """Show the models that can be chosen."""
        self.menu_about_to_open.emit()
        menu = QMenu(self)
        menu.setObjectName("modelListMenu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        choices = QActionGroup(menu)
        for number, choice in enumerate(self._installed.choices, start=1):
            choices.addAction(self._add_choice(menu, choice, f"loadModelAction{number}"))
        menu.addSeparator()
        menu.addAction(self.tr("Find models…"), self.find_requested.emit).setObjectName("findModelsMenuAction")
        menu.addAction(self.tr("Open model file…"), self._choose_file).setObjectName("openModelFileAction")
        menu.addAction(self.tr("Open model folder…"), self._choose_folder).setObjectName("openModelFolderAction")
        menu.addSeparator()
        options = menu.addAction(self.tr("Context and KV cache…"), self.options_requested.emit)
        options.setObjectName("modelOptionsMenuAction")
        options.setEnabled(isinstance(self._engine.status, Serving | LoadFailed))
        is_loading = isinstance(self._engine.status, Loading)
        label = self.tr("Stop loading") if is_loading else self.tr("Unload model")
        unload = menu.addAction(label, self.unload_requested.emit)
        unload.setObjectName("unloadModelMenuAction")
        unload.setEnabled(isinstance(self._engine.status, Serving | Loading))
        menu.setMinimumWidth(self.width())
        menu.popup(self.mapToGlobal(self.rect().bottomLeft()))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the pill, its text, and how far loading is."""
        colors = self._theme.colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        focused = self.hasFocus()
        painter.setPen(QPen(QColor(colors.accent if focused else colors.border), 2 if focused else 1))
        painter.setBrush(QColor(colors.hover if self.underMouse() or self.isDown() else colors.card))
        painter.drawRoundedRect(area, RADIUS_PX, RADIUS_PX)
        self._paint_text(painter, area)
        if self._fraction is not None:
            self._paint_progress(painter, area, self._fraction)
        painter.end()

    def _paint_text(self, painter: QPainter, area: QRectF) -> None:
        colors = self._theme.colors
        side = round(area.height() * 0.45)
        chevron = QRectF(area.right() - PADDING_PX - side + 2, area.center().y() - side / 2, side, side).toRect()
        self._theme.icons.icon("chevron-down", colors.muted).paint(painter, chevron)
        room = area.adjusted(PADDING_PX, 0, -PADDING_PX - side - 4, 0)
        painter.setPen(QColor(colors.bad if self._failed else colors.text))
        shown = QFontMetricsF(self.font()).elidedText(self.text(), Qt.TextElideMode.ElideMiddle, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, shown)

    def _paint_progress(self, painter: QPainter, area: QRectF, fraction: float) -> None:
        bar = QRectF(area.left() + RADIUS_PX, area.bottom() - PROGRESS_PX, area.width() - 2 * RADIUS_PX, PROGRESS_PX)
        bar.setWidth(bar.width() * max(0.03, min(1.0, fraction)))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._theme.colors.accent))
        painter.drawRoundedRect(bar, PROGRESS_PX / 2, PROGRESS_PX / 2)

    def _show(self, status: EngineStatus) -> None:
        self._fraction = status.fraction if isinstance(status, Loading) else None
        self._failed = isinstance(status, LoadFailed)
        match status:
            case NoModel():
                text, tip = self.tr("Choose a model"), self.tr("No model is loaded.")
            case Loading(name=name):
                text, tip = self.tr("Loading {name}…").format(name=short_name(name)), name
            case LoadFailed(name=name, error=error):
                text, tip = (
                    self.tr("{name} did not load").format(name=short_name(name)),
                    f"{error.what} {error.next_step}",
                )
            case Serving(model=model):
                text, tip = self._model_text(model), self._model_tip(model)
        self.setText(text)
        self.setToolTip(tip)
        self.setAccessibleName(self.tr("Model: {text}").format(text=text))
        self.updateGeometry()
        self.update()

    def _model_text(self, model: LoadedModel) -> str:
        name = self.tr("Demo model") if model.is_demo else model.name
        return f"{name} · {model.quantization.name} · {bytes_text(model.weights_bytes)}"

    def _model_tip(self, model: LoadedModel) -> str:
        if model.is_demo:
            return self.tr("A tiny model that ships with the app to show how inference works. Choose a real one here.")
        return self.tr("{name}, on {device}").format(name=model.name, device=model.device)

    def _add_choice(self, menu: QMenu, choice: Choice, name: str) -> QAction:
        quantization = choice.quantization.name if choice.quantization else UNDEFINED
        label = self.tr("Demo model") if choice.is_demo else choice.name
        action = menu.addAction(
            f"{label}\t{quantization} · {bytes_text(choice.size_bytes)}",
            lambda: self.load_requested.emit(choice.name),
        )
        action.setObjectName(name)
        action.setCheckable(True)
        action.setChecked(choice.name in self._names_of_loaded())
        action.setEnabled(not choice.problem)
        action.setToolTip(choice.problem)
        return action

    def _names_of_loaded(self) -> set[str | None]:
        """Return what the model that answers is called: as it was asked for, and in full."""
        model = self._engine.model
        return {self._engine.model_name, model.name if model is not None else None}

    def _choose_file(self) -> None:
        dialog = QFileDialog(self, self.tr("Open model file"), str(Path.home()), self.tr("GGUF models (*.gguf)"))
        dialog.setObjectName("modelFileDialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.load_requested)
        dialog.open()

    def _choose_folder(self) -> None:
        dialog = QFileDialog(self, self.tr("Open model folder"), str(Path.home()))
        dialog.setObjectName("modelFolderDialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(self.load_requested)
        dialog.open()
