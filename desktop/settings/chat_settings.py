"""The settings of the open chat: what precedes it, and how its replies are chosen."""

from __future__ import annotations

from collections.abc import Awaitable

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from desktop.settings.page import Page
from desktop.settings.preset_bar import PresetBar
from desktop.settings.prompt_field import MAX_PASTE_CHARACTERS, PromptField
from desktop.settings.sampling_form import SamplingForm
from desktop.state.chat_settings_state import ChatSettingsState
from desktop.tasks import Tasks
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption, Tone
from desktop.widgets.question import ask
from runtime.values.chat import Preset
from runtime.values.errors import UserFacingError

WIDTH_LINES, HEIGHT_LINES = 34, 42
MARGIN_PX = 10


class ChatSettingsDialog(QDialog):
    """Shows the open chat's settings; Save gives them to the chat, and the next reply takes them up."""

    def __init__(self, theme: Theme, state: ChatSettingsState, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._tasks = tasks
        self._page = Page(theme, "chatSettingsPage", self)
        self._presets = PresetBar(self)
        self._prompt = PromptField(self)
        self._problem = Caption(theme, tone=Tone.BAD, parent=self)
        self._buttons = QDialogButtonBox(self)
        self.setObjectName("chatSettingsDialog")
        self.setWindowTitle(self.tr("Settings of this chat"))
        self._sampling = self._build_page()
        self._build_buttons()
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        column.addWidget(self._page, 1)
        column.addWidget(self._problem)
        column.addWidget(self._buttons)
        self._connect()
        self.apply_theme(theme)
        self.resize(self.sizeHint())

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self.setFont(theme.fonts.text())
        self._page.apply_theme(theme)
        self._problem.apply_theme(theme)

    def sizeHint(self) -> QSize:
        """Return a size in proportion to the text, within the screen."""
        line = self.fontMetrics().height()
        room = self.screen().availableSize()
        return QSize(min(WIDTH_LINES * line, room.width()), min(HEIGHT_LINES * line, room.height()))

    def present(self) -> None:
        """Show the settings of the chat that is open now."""
        self._problem.show_text("")
        self._show(self._state.system_prompt)
        self._sampling.show_params(self._state.sampling)
        self._tasks.start(self._state.refresh_presets(), "read presets")
        self._prompt.setFocus()
        self.open()

    def accept(self) -> None:
        """Save, and close if that worked."""
        self._tasks.start(self._save(), "save chat settings")

    def reject(self) -> None:
        """Close without saving; ask first where something that was written would be lost."""
        if self._prompt.toPlainText() == self._state.system_prompt:
            super().reject()
            return
        question = self.tr("The system prompt was changed and is not saved.")
        ask(self, "discardPrompt", question, self.tr("Discard changes"), self._leave)

    def _build_page(self) -> SamplingForm:
        self._problem.setObjectName("chatSettingsProblem")
        preset = self._page.add_group("")
        preset.add_row(
            self.tr("Preset"),
            self.tr("A name for everything below, to use in other chats."),
            self._presets,
            below=True,
        )
        prompt = self._page.add_group("")
        prompt.add_row(
            self.tr("System prompt"),
            self.tr("What the model is told before the first message: a role, a tone, what to keep in mind."),
            self._prompt,
            below=True,
        )
        self._prompt.setPlaceholderText(self.tr("For example: Answer briefly, and say when you are not sure."))
        return SamplingForm(self._page.add_group(self.tr("Sampling")))

    def _build_buttons(self) -> None:
        save = self._buttons.addButton(QDialogButtonBox.StandardButton.Save)
        save.setObjectName("saveChatSettingsButton")
        save.setToolTip(self.tr("From the next reply on"))
        save.setDefault(True)
        cancel = self._buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        cancel.setObjectName("cancelChatSettingsButton")
        cancel.setToolTip(self.tr("Leave the chat as it is"))
        for button in (save, cancel):
            button.setAccessibleName(button.text().replace("&", ""))

    def _connect(self) -> None:
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._state.presets_changed.connect(self._show_presets)
        self._state.other_chat_opened.connect(self._leave)
        self._sampling.edited.connect(self._show_presets)
        self._prompt.textChanged.connect(self._show_presets)
        self._prompt.paste_refused.connect(self._refuse_paste)
        self._presets.chosen.connect(self._take)
        self._presets.save_requested.connect(lambda name: self._tasks.start(self._save_preset(name), "save preset"))
        self._presets.delete_requested.connect(
            lambda name: self._tasks.start(self._delete_preset(name), "delete preset")
        )

    def _leave(self) -> None:
        """Close without saving."""
        super().reject()

    def _take(self, preset: Preset) -> None:
        self._show(preset.system_prompt)
        self._sampling.show_params(preset.sampling)

    def _show(self, system_prompt: str) -> None:
        if system_prompt != self._prompt.toPlainText():
            self._prompt.setPlainText(system_prompt)

    def _preset(self, name: str = "") -> Preset:
        """Return what is set, under `name`."""
        return Preset(name=name, system_prompt=self._prompt.toPlainText(), sampling=self._sampling.params)

    def _show_presets(self) -> None:
        self._presets.show_presets(self._state.presets, self._preset())

    def _refuse_paste(self, characters: int) -> None:
        self._problem.show_text(
            self.tr("{characters} characters are too many for a system prompt; {most} are possible.").format(
                characters=f"{characters:,}", most=f"{MAX_PASTE_CHARACTERS:,}"
            )
        )

    async def _save(self) -> None:
        if await self._succeeds(self._state.apply(self._prompt.toPlainText(), self._sampling.params)):
            super().accept()

    async def _save_preset(self, name: str) -> None:
        await self._succeeds(self._state.save_preset(self._preset(name)))

    async def _delete_preset(self, name: str) -> None:
        await self._succeeds(self._state.delete_preset(name))

    async def _succeeds(self, work: Awaitable[object]) -> bool:
        """Do `work`; where it fails, say so here, next to what was written, and return False."""
        self._problem.show_text("")
        try:
            await work
        except UserFacingError as error:
            self._problem.show_text(f"{error.what} {error.next_step}")
            return False
        return True
