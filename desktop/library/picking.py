"""What is going on in the picker: which page, what is searched for, what is chosen, and what is done about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices

from desktop.library.detail import Action, Detail
from desktop.library.page_content import Page, PageContent
from desktop.library.rows import Row
from desktop.state.library_states import LibraryStates
from desktop.state.library_wanted import Wanted
from desktop.state.settings_state import SettingsState
from desktop.tasks import Tasks
from runtime.library.local_library import LibraryModel
from runtime.library.removal import Removal
from runtime.values.errors import DownloadError, InvalidRequestError, KeychainError, UserFacingError
from runtime.values.wording import bytes_text

TYPING_PAUSE_MS = 350
LOOKING_PAUSE_MS = 250


class Picking(QObject):
    """Knows what is chosen on each page.

    Signals:
        changed: rows or details are new.
        noted: something happened that is worth a line; carries it.
        token_refused: the token that was typed is none; carries why, or nothing when it was taken.
        load_requested: the user wants to chat with a model; carries its name or path.
        removal_to_confirm: files will be deleted, which has to be asked about; carries the `LibraryModel`.
    """

    changed = Signal()
    noted = Signal(str)
    token_refused = Signal(str)
    load_requested = Signal(str)
    removal_to_confirm = Signal(object)

    def __init__(
        self, states: LibraryStates, settings: SettingsState, tasks: Tasks, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.states = states
        self._settings = settings
        self._tasks = tasks
        self.page = Page.FIND
        self._content = PageContent(states, self.tr)
        self._chosen: dict[Page, str] = {}
        self._looks_again = False
        self._typing = self._timer(TYPING_PAUSE_MS, self.ask_now)
        self._looking = self._timer(LOOKING_PAUSE_MS, self._read_headers)
        for signal in (
            states.catalog.changed,
            states.search.changed,
            states.headers.changed,
            states.fit.changed,
            states.library.changed,
            states.downloads.changed,
        ):
            signal.connect(self.changed)
        states.library.removed.connect(self._note_removed)
        states.library.added.connect(self._note_added)
        states.downloads.finished.connect(lambda _: self._start(states.library.refresh(), "look for models"))

    def rows(self) -> list[Row]:
        """Return the rows of the page."""
        return self._content.rows(self.page)

    def detail(self) -> Detail | None:
        """Return what to say of what is chosen on the page; None if nothing is."""
        return self._content.detail(self.page, self.chosen)

    @property
    def chosen(self) -> str:
        """The key of what is chosen on the page; empty if nothing is."""
        return self._chosen.get(self.page, "")

    @property
    def problem(self) -> UserFacingError | None:
        """What went wrong and concerns the whole page; None if nothing did."""
        return self.states.library.problem or self.states.catalog.problem

    # what a person does

    def open(self) -> None:
        """Look at the machine, its models and its downloads as they are now."""
        self._start(self._refresh(), "look at the machine")
        self._start(self.states.library.refresh(), "look for models")
        self._start(self._open_downloads(), "look at the downloads")

    def turn_to(self, page: Page) -> None:
        """Show another page."""
        self.page = page
        self.changed.emit()

    def want(self, wanted: Wanted) -> None:
        """Show what is wanted: at once what is known here, and after a pause in typing what the Hub has."""
        self._content.wanted = wanted
        self.changed.emit()
        if wanted.asks_hub:
            self._typing.start()
        else:
            self.ask_now()

    def ask_now(self, *, again: bool = False) -> None:
        """Ask the Hub for what is wanted; `again` even if it has answered that, or has refused to."""
        self._typing.stop()
        if again:
            self._look_closer()
        self._start(self.states.search.ask(self._content.wanted, again=again), "search the Hub")

    def choose(self, key: str) -> None:
        """Say more of another model."""
        if key != self.chosen:
            self._chosen[self.page] = key
            self.token_refused.emit("")
            self.states.library.take_back_problem()
            self._look_closer()
            self.changed.emit()

    def settle(self, key: str) -> None:
        """Take over what the list shows as chosen, and look closer at it if it stays so."""
        self._chosen[self.page] = key
        if self.page is Page.FIND:
            self._looking.start()

    def choose_variant(self, key: str) -> None:
        """Say more of another form of the chosen model."""
        self._content.variants[self.chosen] = key
        self._look_closer()
        self.changed.emit()

    def act(self, action: Action) -> None:
        """Do something with what is chosen."""
        match action:
            case Action.DOWNLOAD:
                self.download()
            case Action.LOAD:
                self._load()
            case Action.ADD:
                self._start(self.states.library.add([Path(self.chosen)]), "add a model")
            case Action.SHOW_FOLDER:
                place = Path(self.chosen)
                folder = place if place.is_dir() else place.parent
                QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
            case Action.OPEN_PAGE:
                self.open_address(self._content.address(self.page, self.chosen))
            case Action.REMOVE:
                self._ask_removal()

    def act_first(self) -> None:
        """Load what is on this machine; what is not is downloaded by its button only, being large."""
        detail = self.detail()
        if detail is not None and any(one.action is Action.LOAD for one in detail.actions):
            self.act(Action.LOAD)

    def download(self) -> None:
        """Download the chosen form of the chosen model."""
        model = self._content.offer(self.chosen)
        if model is not None:
            self._start(self.states.downloads.add(self._content.kept_variant(model)), "begin a download")

    def pause(self, key: str) -> None:
        """Stop a download for now."""
        self._start(self.states.downloads.pause(key), "pause a download")

    def resume(self, key: str) -> None:
        """Go on with a download that is paused."""
        self._start(self.states.downloads.resume(key), "resume a download")

    def retry(self, key: str) -> None:
        """Try a download again now; one that was never queued begins anew."""
        if key:
            self._start(self.states.downloads.retry(key), "try a download again")
        else:
            self.download()

    def give_up(self, key: str) -> None:
        """Give a download up, or forget that it did not begin."""
        self._start(self._give_up(key), "give a download up")

    def clear_done(self) -> None:
        """Take what is done out of the list of downloads."""
        self._start(self.states.downloads.clear_done(), "clear the list of downloads")

    def use_token(self, text: str) -> None:
        """Keep an access token, and try the shown download again with it."""
        detail = self.detail()
        key = detail.download.key if detail is not None and detail.download is not None else ""
        self._start(self._use_token(text, key), "keep an access token")

    def forget_token(self) -> None:
        """Keep no access token any more."""
        self._start(self._forget_token(), "forget the access token")

    def open_address(self, address: str) -> None:
        """Show a page of the Hub in the browser."""
        QDesktopServices.openUrl(QUrl(address))

    def add(self, places: list[Path]) -> None:
        """Add models where they lie."""
        self._start(self.states.library.add(places), "add models")

    def remove(self, one: LibraryModel) -> None:
        """Delete a model, or forget it."""
        self._start(self.states.library.remove(one.model), "remove a model")

    # how it is done

    async def _refresh(self) -> None:
        await self.states.fit.refresh(self._settings.settings)
        await self.states.catalog.load(self.states.fit.formats)

    async def _open_downloads(self) -> None:
        try:
            await self.states.downloads.go_on()
        except DownloadError as error:
            self.noted.emit(f"{error.what} {error.next_step}")

    async def _give_up(self, key: str) -> None:
        if not key:
            model = self._content.offer(self.chosen)
            if model is not None:
                self.states.downloads.forget(self._content.variant(model))
            return
        freed = await self.states.downloads.remove(key)
        self.noted.emit(self.tr("Given up; {size} freed.").format(size=bytes_text(freed)))

    async def _use_token(self, text: str, key: str) -> None:
        try:
            await asyncio.to_thread(self.states.access.keep, text)
        except InvalidRequestError as error:
            self.token_refused.emit(f"{error.what} {error.next_step}")
            return
        except KeychainError as error:
            kept = self.tr("The token is used until the app is closed, but not kept.")
            self.noted.emit(f"{error.what} {kept}")
        self.token_refused.emit("")
        self._look_closer()
        self.retry(key)

    async def _forget_token(self) -> None:
        try:
            await asyncio.to_thread(self.states.access.forget)
        except KeychainError as error:
            self.token_refused.emit(f"{error.what} {error.next_step}")
            return
        self.noted.emit(self.tr("No access token is kept any more."))
        self._look_closer()

    def _load(self) -> None:
        path = self._content.path(self.page, self.chosen)
        if path is None:
            return
        one = self.states.library.at(path)
        named = [
            other for other in self.states.library.models if one is not None and other.model.name == one.model.name
        ]
        self.load_requested.emit(one.model.name if one is not None and len(named) == 1 else str(path))

    def _ask_removal(self) -> None:
        one = self._content.installed(self.chosen)
        if one is None:
            return
        if self.states.library.will_be_deleted(one.model):
            self.removal_to_confirm.emit(one)
        else:
            self.remove(one)

    def _note_removed(self, removal: Removal) -> None:
        if removal.is_deleted:
            text = self.tr("{name} was deleted; {size} freed.")
            self.noted.emit(text.format(name=removal.name, size=bytes_text(removal.freed_bytes)))
        else:
            text = self.tr("{name} was taken out of the list; its files are where they were.")
            self.noted.emit(text.format(name=removal.name))

    def _note_added(self, count: int) -> None:
        self.noted.emit(
            self.tr("One model was added.") if count == 1 else self.tr("{n} models were added.").format(n=count)
        )

    def _look_closer(self) -> None:
        """Read what the chosen form is, once it stays so; if that failed before, once more."""
        self._looks_again = True
        self._looking.start()

    def _read_headers(self) -> None:
        model = self._content.offer(self.chosen) if self.page is Page.FIND else None
        if model is not None:
            self.states.headers.read(self._content.kept_variant(model), again=self._looks_again)
        self._looks_again = False

    def _timer(self, pause_ms: int, then: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(pause_ms)
        timer.timeout.connect(then)
        return timer

    def _start(self, work: Coroutine[object, object, None], name: str) -> None:
        self._tasks.start(work, name)
