"""The worker process: protocol and framing, starting and stopping it, and the loop that steps the engine."""
