"""The async side of the pipe: all that the GUI, the benchmark and the command line ever hold."""
