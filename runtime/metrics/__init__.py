"""Measuring: the device, memory, and what token times mean. Imports only `config` and `values`."""
