"""The benchmark: what to measure, running it through the client, figures with their spread, reports and history."""
