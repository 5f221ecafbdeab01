"""The chat panel. May import `desktop.widgets`, `desktop.theme` and `desktop.state`; never another panel."""
