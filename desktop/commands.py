"""What the toolbar, the menus and the panels' signals do: the wiring between what is pressed and what is known."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog

from desktop.chat.chat_panel import ChatPanel
from desktop.conversations.sidebar import Sidebar
from desktop.main_window import MainWindow
from desktop.menus import Commands, build_menus
from desktop.model_control.model_button import ModelButton
from desktop.session import States
from desktop.state.engine_state import EngineStatus, LoadFailed
from desktop.state.transfer_state import ExportFormat, TransferState
from desktop.theme.theme import Theme
from desktop.widgets.question import ask
from runtime.config.paths import AppPaths
from runtime.values.chat import ChatId, ChatSummary, MessageId
from runtime.values.errors import FirstTokenError, InternalError, UserFacingError

if TYPE_CHECKING:
    from desktop.bench.benchmark_panel import BenchmarkPanel
    from desktop.dialogs import Dialogs
    from desktop.library.model_picker import ModelPicker
    from desktop.state.machine_outlook import OutlookState
    from runtime.crash.folder import KeptReport
    from runtime.download.status import DownloadStatus
    from runtime.updates.update_check import NewRelease


class WindowCommands(QObject):
    """Connects; holds no state but the dialogs that are open."""

    def __init__(
        self,
        states: States,
        window: MainWindow,
        chat_panel: ChatPanel,
        sidebar: Sidebar,
        model_button: ModelButton,
        paths: AppPaths,
    ) -> None:
        super().__init__(window)
        self._states = states
        self._window = window
        self._chat_panel = chat_panel
        self._sidebar = sidebar
        self._model_button = model_button
        self._paths = paths
        self._dialogs: Dialogs | None = None
        self._picker: ModelPicker | None = None
        self._benchmark: BenchmarkPanel | None = None
        self._load_failure = ""
        self._transfer = TransferState(states.storage, states.chats, self)
        self._connect_panels()
        self._connect_states()
        build_menus(window, self._commands())

    def apply_theme(self, theme: Theme) -> None:
        """Dress the dialogs that are open."""
        if self._dialogs is not None:
            self._dialogs.apply_theme(theme)
        if self._picker is not None:
            self._picker.apply_theme(theme)
        if self._benchmark is not None:
            self._benchmark.apply_theme(theme)

    def _connect_panels(self) -> None:
        tasks, states = self._states.tasks, self._states
        toolbar = self._window.toolbar
        toolbar.new_chat_button.clicked.connect(self._new_chat)
        toolbar.benchmark_button.clicked.connect(self._open_benchmark)
        toolbar.chat_settings_button.clicked.connect(lambda: self._open_dialogs().open_chat_settings())
        self._sidebar.chat_chosen.connect(lambda number: self._open_chat(ChatId(number)))
        self._sidebar.message_chosen.connect(
            lambda chat, message, text: tasks.start(
                self._show_hit(ChatId(chat), MessageId(message), text), "show a search hit"
            )
        )
        self._sidebar.export_requested.connect(lambda number: self._export_chat(ChatId(number)))
        self._chat_panel.draft_changed.connect(
            lambda chat_id, text: tasks.start(states.chat.save_draft(chat_id, text), "save the draft")
        )
        self._model_button.load_requested.connect(lambda name: tasks.start(states.engine.load(name), "load a model"))
        self._model_button.unload_requested.connect(lambda: tasks.start(states.engine.unload(), "unload the model"))
        self._model_button.find_requested.connect(self._open_models)
        self._model_button.options_requested.connect(self._open_model_options)
        self._model_button.menu_about_to_open.connect(
            lambda: tasks.start(states.installed.refresh(), "look for models")
        )

    def _connect_states(self) -> None:
        states = self._states
        states.tasks.failed.connect(self._show_error)
        states.engine.status_changed.connect(self._show_load_failure)
        states.engine.fell_back.connect(self._show_other_engine)
        states.chat.chats_changed.connect(lambda: states.tasks.start(states.chats.refresh(), "list the chats"))
        states.chat.chat_changed.connect(lambda chat: self._sidebar.show_chat(chat.id if chat is not None else None))
        states.chat.message_deleted.connect(self._offer_message_back)
        states.chats.deleted.connect(self._note_deleted_chat)
        self._transfer.exported.connect(self._note_exported)
        states.library.made.connect(lambda library: library.downloads.finished.connect(self._note_downloaded))

    def _commands(self) -> Commands:
        return Commands(
            new_chat=self._new_chat,
            export_chat=lambda: self._export_chat(None),
            export_all=self._export_all,
            import_chats=self._import,
            search_chats=self._sidebar.focus_search,
            find=self._chat_panel.transcript.open_find,
            toggle_sidebar=lambda: self._window.toggle(self._window.parts.sidebar),
            toggle_metrics=lambda: self._window.toggle(self._window.parts.metrics),
            larger_text=lambda: self._change_text_size(1),
            smaller_text=lambda: self._change_text_size(-1),
            usual_text=lambda: self._change_text_size(0),
            find_models=self._open_models,
            choose_model=self._model_button.open_menu,
            unload_model=self._model_button.unload_requested.emit,
            model_options=self._open_model_options,
            benchmark=self._open_benchmark,
            chat_settings=lambda: self._open_dialogs().open_chat_settings(),
            settings=lambda: self._open_dialogs().open_settings(),
            check_updates=lambda: self._open_dialogs().open_updates(asks=True),
            crash_reports=lambda: self._open_dialogs().open_crash_reports(),
            about=lambda: self._open_dialogs().open_about(),
        )

    # chats

    def _new_chat(self) -> None:
        self._states.chat.start_new()
        self._chat_panel.composer.focus()

    def _open_chat(self, chat_id: ChatId) -> None:
        self._states.tasks.start(self._states.chat.open(chat_id), "open a chat")

    async def _show_hit(self, chat_id: ChatId, message_id: MessageId, text: str) -> None:
        await self._states.chat.open(chat_id, message_id)
        self._chat_panel.transcript.show_hit(message_id, text)

    def _offer_message_back(self, number: int) -> None:
        self._window.notices.offer(
            self.tr("Message deleted."),
            self.tr("Undo"),
            lambda: self._start(self._states.chat.restore(MessageId(number)), "restore a message"),
        )

    def _note_deleted_chat(self, deleted: ChatSummary) -> None:
        """Offer a chat back for a while; after that, what was read of it is forgotten, too."""
        chat, caches = self._states.chat, self._states.caches
        was_open = chat.chat is not None and chat.chat.id == deleted.id
        if chat.replying_in == deleted.id:
            chat.stop()
        if was_open:
            self._new_chat()
        caches.keep_for_undo(deleted.uid)
        self._window.notices.offer(
            self.tr("“{title}” deleted.").format(title=deleted.title),
            self.tr("Undo"),
            lambda: self._start(self._restore_chat(deleted.id, is_shown=was_open), "restore a chat"),
            lambda: caches.give_up(deleted.uid),
        )

    async def _restore_chat(self, chat_id: ChatId, *, is_shown: bool) -> None:
        await self._states.chats.restore(chat_id)
        if is_shown and self._states.chat.chat is None:
            await self._states.chat.open(chat_id)

    # files

    def _export_chat(self, chat_id: ChatId | None) -> None:
        open_chat = self._states.chat.chat
        chosen = chat_id if chat_id is not None else (open_chat.id if open_chat is not None else None)
        if chosen is None:
            self._window.notices.show_error(self.tr("This chat is empty: there is nothing to export yet."))
            return
        formats = {
            self.tr("Markdown (*.md)"): ExportFormat.MARKDOWN,
            self.tr("JSON, can be imported again (*.json)"): ExportFormat.JSON,
        }
        dialog = self._file_dialog(self.tr("Export chat"), "exportDialog", list(formats), saves=True)
        dialog.filterSelected.connect(lambda name: dialog.setDefaultSuffix(formats[name].value))
        dialog.setDefaultSuffix(ExportFormat.MARKDOWN.value)
        dialog.fileSelected.connect(
            lambda name: self._export_to(chosen, Path(name), formats[dialog.selectedNameFilter()])
        )
        dialog.open()

    def _export_to(self, chat_id: ChatId, named: Path, file_format: ExportFormat) -> None:
        """Export under the format's suffix; the dialog has asked only about a file of exactly the name it was given."""
        suffix = f".{file_format.value}"
        file = named if named.suffix.lower() == suffix else named.with_name(named.name + suffix)

        def export() -> None:
            self._start(self._transfer.export_chat(chat_id, file, file_format), "export a chat")

        if file != named and file.exists():
            question = self.tr("{name} is there already.").format(name=file.name)
            ask(self._window, "replaceFile", question, self.tr("Replace"), export)
        else:
            export()

    def _export_all(self) -> None:
        dialog = self._file_dialog(
            self.tr("Export all chats"), "exportAllDialog", [self.tr("JSON (*.json)")], saves=True
        )
        dialog.setDefaultSuffix(ExportFormat.JSON.value)
        dialog.fileSelected.connect(lambda name: self._start(self._transfer.export_all(Path(name)), "export all chats"))
        dialog.open()

    def _import(self) -> None:
        dialog = self._file_dialog(self.tr("Import chats"), "importDialog", [self.tr("JSON (*.json)")], saves=False)
        dialog.fileSelected.connect(lambda name: self._start(self._import_file(Path(name)), "import chats"))
        dialog.open()

    async def _import_file(self, file: Path) -> None:
        imported = await self._transfer.import_file(file)
        if imported:
            await self._states.chat.open(imported[0])

    def _file_dialog(self, title: str, name: str, filters: list[str], *, saves: bool) -> QFileDialog:
        dialog = QFileDialog(self._window, title, str(Path.home()))
        dialog.setObjectName(name)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setNameFilters(filters)
        if saves:
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        else:
            dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        return dialog

    def _note_exported(self, file: Path) -> None:
        def show_folder() -> None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(file.parent)))

        text = self.tr("Exported to {file}.").format(file=file)
        self._window.notices.offer(text, self.tr("Show folder"), show_folder)

    # looks and dialogs

    def _change_text_size(self, steps: int) -> None:
        state = self._states.preferences
        state.choose(state.preferences.with_larger_text(steps) if steps else state.preferences.with_usual_text())

    def _open_dialogs(self) -> Dialogs:
        from desktop.dialogs import Dialogs  # noqa: PLC0415 - costs time and memory that most days need not

        if self._dialogs is None:
            self._dialogs = Dialogs(self._states, self._window, self._paths)
        return self._dialogs

    def find_models(self, text: str) -> None:
        """Show the picker with what there is under `text`."""
        self._open_models()
        if self._picker is not None:
            self._picker.search(text)

    def _open_models(self) -> None:
        from desktop.library.model_picker import ModelPicker  # noqa: PLC0415 - as with the dialogs
        from desktop.library.picking import Picking  # noqa: PLC0415 - likewise

        if self._picker is None:
            states = self._states
            picking = Picking(states.library.states, states.settings, states.tasks, self)
            self._picker = ModelPicker(self._window.theme, picking, self._window)
            self._picker.load_requested.connect(self.load_and_chat)
        self._picker.present()

    def _open_benchmark(self) -> None:
        from desktop.bench.benchmark_panel import BenchmarkPanel  # noqa: PLC0415 - as with the dialogs
        from desktop.bench.measuring import Measuring  # noqa: PLC0415 - likewise

        if self._benchmark is None:
            states = self._states
            measuring = Measuring(states.bench.states, states.engine, lambda: states.chat.busy, states.tasks, self)
            self._benchmark = BenchmarkPanel(self._window.theme, measuring, self._window)
        self._benchmark.present()

    def _open_model_options(self) -> None:
        self._open_dialogs().open_model_options(self._measure_kv_widths)

    def _measure_kv_widths(self) -> None:
        """Open the benchmark, set up to find out what a quantized KV cache costs the model in use."""
        self._open_benchmark()
        self._start(self._states.bench.states.setup.choose_kv_widths(), "set up a benchmark")

    def load_and_chat(self, name: str) -> None:
        """Load the model of that name, or at that path, and go to where messages are written."""
        self._start(self._states.engine.load(name), "load a model")
        self._window.activateWindow()
        self._chat_panel.composer.focus()

    def _note_downloaded(self, status: DownloadStatus) -> None:
        """Put a model that has just been downloaded into the list of models, and offer it."""
        plan = status.plan
        self._start(self._states.installed.refresh(), "look for models")
        self._window.notices.offer(
            self.tr("{name} in {form} is downloaded.").format(name=plan.repo_id, form=plan.title),
            self.tr("Load and chat"),
            lambda: self.load_and_chat(str(self._paths.models / plan.model_path)),
        )

    def _show_load_failure(self, status: EngineStatus) -> None:
        """Say under the model button why a model did not load, until the next one is loading."""
        match status:
            case LoadFailed(error=error):
                self._load_failure = f"{error.what} {error.next_step}"
                self._window.notices.show_error(self._load_failure)
            case _ if self._load_failure:
                self._window.notices.take_back(self._load_failure)
                self._load_failure = ""

    def _show_other_engine(self, error: UserFacingError) -> None:
        """Say why llama.cpp answers in place of MLX."""
        text = self.tr("{reason} llama.cpp answers instead. `first-token --self-test` tells more.")
        self._window.notices.show_error(text.format(reason=error.what))

    def _show_error(self, error: FirstTokenError) -> None:
        match error:
            case UserFacingError(what=what, next_step=next_step):
                self._window.notices.show_error(f"{what} {next_step}")
            case InternalError(what=what):
                self._window.notices.show_error(
                    self.tr("{what}. This is a bug of First Token; Help › Crash reports has the detail.").format(
                        what=what
                    )
                )

    # what comes up after a start

    def welcome(self, outlook: OutlookState) -> None:
        """Say on the first start what this is, and what this machine can run."""
        self._chat_panel.greet(outlook).models_wanted.connect(self._open_models)

    def offer_crash_report(self, report: KeptReport) -> None:
        """Say that the last run did not end as it should, and offer its report."""
        text = self.tr("First Token did not end as it should the last time. A report is kept on this machine.")
        self._window.notices.offer_lasting(text, self.tr("Show report"), lambda: self._show_report(report))

    def offer_error_report(self, report: KeptReport) -> None:
        """Say that something went wrong that nothing was prepared for, and offer its report."""
        text = self.tr("Something went wrong in First Token. What you were doing may not have been done.")
        self._window.notices.offer_lasting(
            text, self.tr("Show report"), lambda: self._show_report(report), is_error=True
        )

    def offer_update(self, news: NewRelease) -> None:
        """Say that there is a newer version, and offer to tell what is new in it."""
        text = self.tr("First Token {version} is available.").format(version=news.releases[0].version)
        self._window.notices.offer_lasting(
            text, self.tr("What is new"), lambda: self._open_dialogs().open_updates(asks=False)
        )

    def _show_report(self, report: KeptReport) -> None:
        self._open_dialogs().open_crash_reports(report.name)

    def _start(self, work: Coroutine[object, object, None], name: str) -> None:
        self._states.tasks.start(work, name)
