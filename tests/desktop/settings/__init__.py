"""Tests of the settings windows."""
