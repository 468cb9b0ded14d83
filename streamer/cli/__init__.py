"""The command line: one module a command. Not for: anything a worker needs."""
