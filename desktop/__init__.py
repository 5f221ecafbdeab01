"""The window: everything that Qt draws, and the composition root that wires it to a worker.

May import `runtime.values`, `runtime.metrics`, `runtime.config`, `runtime.library`, `runtime.store` and
`runtime.client`. Never reaches an inference library, `runtime.engine` or `runtime.worker.host`, not even through
another module: models run in a process of their own.
"""
