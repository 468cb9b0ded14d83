"""Measurements beside others that do the same work. Not for: the product, which never imports this."""
