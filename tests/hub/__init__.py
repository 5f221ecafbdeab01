"""A Hub of the tests' own: a real HTTP server that speaks the Hub's API, and can be told to misbehave."""
