"""The packaged app: what can be known of it on the machine that runs the tests."""
