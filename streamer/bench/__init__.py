"""How fast the roles are, each on one core, next to a plain loop over the same events. Not for: production processes.

Nothing of the product imports this package.
"""
