"""Crash reports: a list, the text of one, and what can be done with it."""
