"""The model picker: finding, judging, downloading and keeping models, and the memory planner. A panel of its own."""
