"""The inference engines behind one stepped protocol. Lives only in a worker process, on one thread.

`base` is the protocol, `generation` what all engines share about one request, `registry` maps a name to its adapter.
"""
