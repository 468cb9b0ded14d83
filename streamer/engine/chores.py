"""The engine's own work on an owned partition between units: rows of an old schema, tombstones that are due. Not for: a role's
sweep (``lane``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.engine.partition import OwnedPartition
    from streamer.engine.unit import Unit
    from streamer.engine.upgrade import Upgrade


class Chores:
    """Of one partition in one assignment."""

    __slots__ = ("_now_ms", "_owned", "_upgrade")

    def __init__(self, owned: OwnedPartition, upgrade: Upgrade, now_ms: Callable[[], int]) -> None:
        self._owned = owned
        self._upgrade = upgrade
        self._now_ms = now_ms

    @property
    def pending(self) -> bool:
        """There is more to do at once."""
        return not self._upgrade.done

    def work(self, unit: Unit) -> None:
        """Puts a bounded piece of work into the open unit."""
        if not self._upgrade.done:
            self._upgrade.step(unit)
        if self._owned.marks.due(self._now_ms()):
            self._owned.booked = False  # any unit takes them along; this makes one
