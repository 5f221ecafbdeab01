"""Folders and settings. The only reader of environment variables. Imports only `values`."""
