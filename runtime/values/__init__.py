"""Frozen values that cross boundaries: errors, messages, requests, events, figures. Imports nothing of ours."""
