"""Which model and engine to use, and where models lie. Every change is written to the settings file at once."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable

import msgspec
from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QComboBox, QPushButton, QSpinBox, QWidget

from desktop.settings.context_end_box import ContextEndBox
from desktop.settings.folder_list import FolderList
from desktop.settings.page import Page
from desktop.settings.path_field import PathField
from desktop.settings.wheel_guard import WheelGuard
from desktop.state.installed_state import Choice, InstalledState
from desktop.state.settings_state import SettingsState
from desktop.tasks import Tasks
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption, Tone
from runtime.config.settings import MAX_THREADS, Settings
from runtime.values.model import EngineName

SHOWN_CHARACTERS = 22
DEMO = "demo"


class ModelsPage(Page):
    """Default model, engine, the end of the context, `llama-server`, threads and folders."""

    def __init__(
        self,
        theme: Theme,
        settings: SettingsState,
        installed: InstalledState,
        tasks: Tasks,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, "modelsPage", parent)
        self._settings = settings
        self._installed = installed
        self._tasks = tasks
        self._problem = Caption(theme, tone=Tone.BAD, parent=self)
        self._retry = QPushButton(self.tr("Read the file again"), self)
        self._model = _combo("defaultModelBox", self)
        self._engine = _combo("engineBox", self)
        self._server = PathField(
            "llamaServer", self.tr("Path of llama-server"), self.tr("Automatic: the built-in one, or one on PATH"), self
        )
        self._server_problem = Caption(theme, tone=Tone.BAD, parent=self)
        self._threads = QSpinBox(self)
        self._context_end = ContextEndBox(settings, tasks, self)
        self._folders = FolderList("modelsFolders", self.tr("Folders with models"), self)
        self._note = Caption(theme, self.tr("Changes hold from the next time a model is loaded."), parent=self)
        self._build()
        self._connect()
        self._show()

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        super().apply_theme(theme)
        for caption in (self._problem, self._server_problem, self._note):
            caption.apply_theme(theme)

    def refresh(self) -> None:
        """Read the settings file and the list of models anew."""
        self._tasks.start(self._settings.load(), "read settings")
        self._tasks.start(self._installed.refresh(), "list models")

    def _build(self) -> None:
        self._problem.setObjectName("settingsProblem")
        self._retry.setObjectName("retrySettingsButton")
        self._retry.setAccessibleName(self._retry.text())
        self._retry.setToolTip(self.tr("After the file has been corrected or moved away"))
        self._retry.setAutoDefault(False)
        self._server_problem.setObjectName("llamaServerProblem")
        self._server_problem.hide()
        self._threads.setObjectName("threadsBox")
        self._threads.setRange(0, MAX_THREADS)
        self._threads.setSpecialValueText(self.tr("Automatic"))
        self._threads.setKeyboardTracking(False)
        guard = WheelGuard(self)
        for control in (self._model, self._engine, self._threads):
            guard.guard(control)
        self._fill_engines()
        self.place(self._problem)
        self.place(self._retry, is_narrow=True)
        self._add_rows()
        self.place(self._note)

    def _add_rows(self) -> None:
        choice = self.add_group("")
        choice.add_row(
            self.tr("Default model"),
            self.tr("Used where none is named: at the very first start, and on the command line."),
            self._model,
        )
        choice.add_row(
            self.tr("Engine"),
            self.tr(
                "The program that runs models. Automatic takes MLX on Macs with Apple silicon, where it is fastest, and"
                " llama.cpp everywhere else and for GGUF files."
            ),
            self._engine,
        )
        self._context_end.add_to(self.add_group(self.tr("Context")))
        server = self.add_group("llama.cpp")
        server.add_row(
            self.tr("Path of llama-server"),
            self.tr(
                "llama-server is llama.cpp's own program. One that was built for this machine's processor can be faster"
                " than the built-in one. Leave it empty to let First Token choose."
            ),
            self._server,
            below=True,
        )
        server.add(self._server_problem)
        server.add_row(
            self.tr("Threads"),
            self.tr(
                "Processor threads that compute. Automatic measures which number is fastest; this machine has"
                " {count} in all."
            ).format(count=os.cpu_count() or 1),
            self._threads,
        )
        folders = self.add_group(self.tr("Folders with models"))
        folders.add_row(
            self.tr("More folders"),
            self.tr("Looked through besides First Token's own folder. Nothing in them is ever changed."),
            self._folders,
            below=True,
        )

    def _fill_engines(self) -> None:
        for engine, name in (
            (None, self.tr("Automatic")),
            (EngineName.MLX, "MLX"),
            (EngineName.LLAMACPP, "llama.cpp"),
        ):
            self._engine.addItem(name, engine)

    def _connect(self) -> None:
        self._settings.changed.connect(self._show)
        self._installed.changed.connect(self._show_models)
        self._retry.clicked.connect(self.refresh)
        self._model.activated.connect(lambda _: self._replace(default_model=self._model.currentData()))
        self._engine.activated.connect(lambda _: self._replace(engine=self._engine.currentData()))
        self._threads.valueChanged.connect(lambda count: self._replace(threads=count or None))
        self._server.path_chosen.connect(lambda path: self._tasks.start(self._use_server(path), "set llama-server"))
        self._folders.folder_added.connect(self._add_folder)
        self._folders.folder_removed.connect(self._remove_folder)

    def _replace(self, **changes: str | int | EngineName | None) -> None:
        self._change(lambda settings: msgspec.structs.replace(settings, **changes))

    def _change(self, update: Callable[[Settings], Settings]) -> None:
        self._tasks.start(self._settings.change(update), "change settings")

    async def _use_server(self, path: str) -> None:
        """Take another llama-server; refuse one that is not there, since no model would load with it."""
        program = await asyncio.to_thread(_program_at, path) if path else None
        if path and program is None:
            text = self.tr("There is no program at {path}. The setting is as it was.").format(path=path)
            self._server_problem.show_text(text)
            return
        await self._settings.change(lambda settings: msgspec.structs.replace(settings, llama_server=program))

    def _add_folder(self, folder: str) -> None:
        def added(settings: Settings) -> Settings:
            others = tuple(other for other in settings.models_folders if other != folder)
            return msgspec.structs.replace(settings, models_folders=(*others, folder))

        self._tasks.start(self._change_folders(added), "add a models folder")

    def _remove_folder(self, folder: str) -> None:
        def removed(settings: Settings) -> Settings:
            others = tuple(other for other in settings.models_folders if other != folder)
            return msgspec.structs.replace(settings, models_folders=others)

        self._tasks.start(self._change_folders(removed), "remove a models folder")

    async def _change_folders(self, update: Callable[[Settings], Settings]) -> None:
        await self._settings.change(update)
        await self._installed.refresh()

    def _show(self) -> None:
        settings, error = self._settings.settings, self._settings.error
        self._problem.show_text(f"{error.what} {error.next_step}" if error else "")
        self._retry.setVisible(error is not None)
        for group in self.groups:
            group.setEnabled(error is None)
        self._server_problem.show_text("")
        self._server.show_path(settings.llama_server or "")
        self._folders.show_folders(settings.models_folders)
        with QSignalBlocker(self._threads):
            self._threads.setValue(settings.threads or 0)
        _choose(self._engine, settings.engine, str(settings.engine))
        self._show_models()

    def _show_models(self) -> None:
        self._model.clear()
        names = {DEMO: self.tr("Demo model")}
        names.update({choice.name: self._name_of(choice) for choice in self._installed.choices if not choice.problem})
        for name, shown in names.items():
            self._model.addItem(shown, name)
        chosen = self._settings.settings.default_model
        _choose(self._model, chosen, chosen)
        self._model.setToolTip(self._model.currentText())

    def _name_of(self, choice: Choice) -> str:
        name = self.tr("Demo model") if choice.is_demo else choice.name
        return f"{name} · {choice.quantization.name}" if choice.quantization else name


def _program_at(path: str) -> str | None:
    """Return the program that `path` names, with "~" written out; None if there is none that can be run."""
    return shutil.which(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises for an unknown user


def _combo(name: str, parent: QWidget) -> QComboBox:
    combo = QComboBox(parent)
    combo.setObjectName(name)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(SHOWN_CHARACTERS)
    return combo


def _choose(combo: QComboBox, value: str | None, shown: str) -> None:
    """Choose the entry for `value`, adding one for a value from elsewhere (a path, another machine's model)."""
    index = next((place for place in range(combo.count()) if combo.itemData(place) == value), -1)
    if index < 0:
        combo.addItem(shown, value)
        index = combo.count() - 1
    combo.setCurrentIndex(index)
