"""Kill runs on real servers: everything that may die dies on the way, and nothing may be missing. Not for: `make test`."""
