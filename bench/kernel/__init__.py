"""The kernel workload and the programs that are measured on it: ours, plain loops, peers. Not for: credit.

Whatever runs in a peer's own environment imports nothing but ``core`` and that environment's packages.
"""
