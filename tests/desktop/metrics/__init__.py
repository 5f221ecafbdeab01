"""The metrics panel over a real worker that plays a script."""
