"""Tests of `runtime.hub`, against a real HTTP server that speaks the Hub's API."""
