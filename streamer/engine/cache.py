"""Decoded rows of one partition, bounded in bytes by two generations. Not for: rows that are not yet durable (``rows``).

Reading moves a row to the young generation; a full young one becomes the old one, and the old one is forgotten.
"""

from __future__ import annotations

from typing import Final

#: What a decoded row costs beyond its fields: the object, the key, slots in two dicts. Resident memory of 100,000 rows,
#: less DECODED_FACTOR times their encoded bytes: 200 to 420 for the rows of a dossier.
ROW_OVERHEAD_BYTES: Final = 400
#: Decoded fields by their msgpack bytes: 5.0 (events) to 6.0 (facts) measured; a body kept as bytes costs less.
DECODED_FACTOR: Final = 6


class Cache:
    """``young`` and ``old`` map key → value; ``None`` is never stored. Each generation knows what its rows cost."""

    __slots__ = ("_costs", "_limit", "_old_cost", "_old_costs", "cost", "old", "young")

    def __init__(self, limit_bytes: int) -> None:
        self._limit = max(1, limit_bytes // 2)
        self._old_cost = 0
        self.young: dict[bytes, object] = {}
        self.old: dict[bytes, object] = {}
        self._costs: dict[bytes, int] = {}
        self._old_costs: dict[bytes, int] = {}
        self.cost = 0

    def get(self, key: bytes) -> object | None:
        value = self.young.get(key)
        if value is None:
            value = self.old.get(key)
            if value is not None:
                self._keep(key, value, self._old_costs.get(key, ROW_OVERHEAD_BYTES))
        return value

    def loaded(self, key: bytes, value: object, encoded_bytes: int) -> None:
        """Keeps a row just read."""
        self._keep(key, value, encoded_bytes * DECODED_FACTOR + ROW_OVERHEAD_BYTES)

    def changed(self, key: bytes, value: object, encoded_bytes: int) -> None:
        """Keeps a row just written, of about ``encoded_bytes``."""
        self._keep(key, value, encoded_bytes * DECODED_FACTOR + ROW_OVERHEAD_BYTES)

    def _keep(self, key: bytes, value: object, cost: int) -> None:
        self.young[key] = value
        known = self._costs.get(key, 0)
        if cost > known:
            self._costs[key] = cost
            self.cost += cost - known

    def forget(self, key: bytes) -> None:
        if self.young.pop(key, None) is not None:
            self.cost -= self._costs.pop(key, 0)
        if self.old.pop(key, None) is not None:
            self._old_cost -= self._old_costs.pop(key, 0)

    def turn(self) -> None:
        """Between events: ages the generations when the young one is full."""
        if self.cost > self._limit:
            self.old, self.young = self.young, {}
            self._old_costs, self._costs = self._costs, {}
            self._old_cost, self.cost = self.cost, 0

    @property
    def held_bytes(self) -> int:
        """What both generations cost, estimated; rows that are in both count twice."""
        return self.cost + self._old_cost
