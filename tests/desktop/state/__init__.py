"""Tests of what the window knows."""
