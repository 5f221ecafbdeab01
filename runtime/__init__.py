"""Inference without a window: engines, the worker that hosts them, the client that talks to it, the command line.

Knows nothing of Qt and may never import `desktop`. Its packages are layers, listed top to bottom in pyproject.toml.
"""
