"""The benchmark: the engine next to its peers and to plain loops, in one run. Not for: production, and not in the wheel.

``python -m bench`` measures, writes results.json, docs/performance.md and its chart. ``streamer bench`` is the quick one.
"""
