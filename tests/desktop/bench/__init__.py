"""Tests of the benchmark panel."""
