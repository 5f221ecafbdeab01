"""The benchmark panel: how fast models run here, at what cost in memory and quality, and how near to the limit."""
