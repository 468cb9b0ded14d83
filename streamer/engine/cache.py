"""Decoded rows of one partition, bounded in bytes by two generations. Not for: rows that are not yet durable (``rows``).

Reading moves a row to the young generation; a full young one becomes the old one, and the old one is forgotten.
"""

from __future__ import annotations

from typing import Final

#: What a decoded row costs beyond its encoded bytes: object headers, the dict's slot, the key.
ROW_OVERHEAD_BYTES: Final = 300
#: Decoded Python objects measured at about three times their msgpack bytes.
DECODED_FACTOR: Final = 3


class Cache:
    """``young`` and ``old`` map key → value; ``None`` is never stored."""

    __slots__ = ("_limit", "_old_cost", "cost", "old", "young")

    def __init__(self, limit_bytes: int) -> None:
        self._limit = max(1, limit_bytes // 2)
        self.young: dict[bytes, object] = {}
        self.old: dict[bytes, object] = {}
        self.cost = 0
        self._old_cost = ROW_OVERHEAD_BYTES

    def get(self, key: bytes) -> object | None:
        value = self.young.get(key)
        if value is None:
            value = self.old.get(key)
            if value is not None:
                self.young[key] = value
                self.cost += self._old_cost
        return value

    def loaded(self, key: bytes, value: object, encoded_bytes: int) -> None:
        """Keeps a row just read."""
        self.young[key] = value
        self.cost += encoded_bytes * DECODED_FACTOR + ROW_OVERHEAD_BYTES

    def changed(self, key: bytes, value: object, grown_bytes: int) -> None:
        """Keeps a row just written, which grew by about ``grown_bytes``."""
        self.cost += grown_bytes * DECODED_FACTOR + (0 if key in self.young else ROW_OVERHEAD_BYTES)
        self.young[key] = value

    def forget(self, key: bytes) -> None:
        self.young.pop(key, None)
        self.old.pop(key, None)

    def turn(self) -> None:
        """Between events: ages the generations when the young one is full."""
        if self.cost > self._limit:
            self._old_cost = max(1, self.cost // max(1, len(self.young)))
            self.old = self.young
            self.young = {}
            self.cost = 0
