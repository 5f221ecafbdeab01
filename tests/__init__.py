"""Tests, laid out as the code is: tests/runtime/engine tests runtime/engine; `tests/models` makes models."""
