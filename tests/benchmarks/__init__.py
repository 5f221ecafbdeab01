"""Benchmarks, run by hand: `uv run python -m tests.benchmarks.NAME --help`. Variants are interleaved within one run.

Nothing here is a test: a figure depends on the machine and what else it does. README states results with the machine.
"""
