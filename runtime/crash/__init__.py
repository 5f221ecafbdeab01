"""Crash reports: what went badly wrong, kept in files on this machine, without private data, and sent nowhere."""
