"""Markdown as models write it, without Qt: text to blocks, block text to styled runs. Imports nothing of ours.

Everything that comes in here was written by a model and is hostile until shown otherwise: there is no HTML, nothing is
fetched, and every step is bounded by the length of its input.
"""
