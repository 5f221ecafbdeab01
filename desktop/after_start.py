"""What is done once the window is there: the welcome of the first start, what a crash left, and a look for updates.

Nothing of it is imported by a start that needs none of it, and nothing of it holds up the first message.
"""

from __future__ import annotations

import asyncio

import msgspec

from desktop.app import Desktop
from desktop.opening import asked_for_model

QUIET_S = 2.0
"""After the start: time for the model to be loaded and the first message to be sent."""


async def after_start(desktop: Desktop, quiet_s: float = QUIET_S) -> None:
    """Do all of it."""
    if desktop.is_first_start:
        await welcome(desktop)
    else:
        await asked_for_model(desktop.states.engine)
    await asyncio.sleep(quiet_s)
    await offer_crash_report(desktop)
    await look_for_updates(desktop)


async def welcome(desktop: Desktop) -> None:
    """Say what this is and what this machine can run, and remember that it was said."""
    from desktop.state.machine_outlook import OutlookState  # noqa: PLC0415 - once, and never again

    states = desktop.states
    outlook = OutlookState(desktop.paths, states.settings, desktop.metrics, states.tasks, desktop.window)
    desktop.commands.welcome(outlook)
    await asked_for_model(states.engine)
    outlook.look()
    preferences = states.preferences
    preferences.choose(msgspec.structs.replace(preferences.preferences, welcomed=True))


async def offer_crash_report(desktop: Desktop) -> None:
    """Offer the report of the last run where it did not end as it should, and from now on those of errors."""
    crashes = desktop.states.crashes()
    crashes.recorded.connect(desktop.commands.offer_error_report)
    report = await crashes.look_back()
    if report is not None:
        desktop.commands.offer_crash_report(report)


async def look_for_updates(desktop: Desktop) -> None:
    """Look for a newer version where the user has agreed to that, and tell of one."""
    if desktop.states.settings.settings.check_for_updates:
        updates = desktop.states.updates()
        updates.found.connect(desktop.commands.offer_update)
        await updates.check_if_due()
