"""Tests of the whole window: the real `Desktop`, its worker process, its database."""
