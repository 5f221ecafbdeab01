"""Tests of `runtime.kv_store`: real files, real damage, real processes."""
