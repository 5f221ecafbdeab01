"""Tests of `runtime.store`, all against real database files."""
