"""Tests of `runtime.download`, against a real HTTP server that can be told to misbehave."""
