"""The model control in the toolbar: which model answers, loading and unloading."""
