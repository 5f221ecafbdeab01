"""Tests of the model picker, in the real window and against a real server that speaks the Hub's API."""
