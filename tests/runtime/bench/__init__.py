"""Tests of the benchmark: plans, statistics, environment, records, and runs through real workers."""
