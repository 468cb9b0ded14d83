"""Contiguous offsets of one assigned source partition. Not for: when to commit (``lane``), or what (``commit``)."""

from __future__ import annotations

from streamer.engine.exits import Exit, Refusal


class Ledger:
    """Three marks on one partition, in order: ``committed`` ≤ ``done`` ≤ ``next``.

    ``next`` is the first offset not yet handed over, ``done`` the first not yet durable, ``committed`` what the broker holds.
    A hand-over or an end out of order raises Refusal(GAP): the caller ends the process.
    """

    __slots__ = ("committed", "done", "name", "next", "strict")

    def __init__(self, name: str, start: int, committed: int | None, *, strict: bool = True) -> None:
        self.name = name
        self.next = start
        self.done = start
        self.committed = committed
        #: Every offset holds a record (own topics); else the consumer's position alone counts (markers, aborted records).
        self.strict = strict

    def hand_over(self, first: int, following: int, records: int) -> None:
        """Takes [first, following), of which ``records`` were visible."""
        if first != self.next or following < first:
            raise Refusal(Exit.GAP, f"{self.name}: expected offset {self.next}, was handed [{first}, {following})")
        if self.strict and records != following - first:
            raise Refusal(Exit.GAP, f"{self.name}: {records} records in [{first}, {following})")
        self.next = following

    def finish(self, first: int, following: int) -> None:
        """[first, following) is durable."""
        if first != self.done or not first <= following <= self.next:
            raise Refusal(
                Exit.GAP, f"{self.name}: [{first}, {following}) ended out of order, [{self.done}, {self.next}) is open"
            )
        self.done = following

    @property
    def uncommitted(self) -> int | None:
        """The offset to commit, or None when the broker has it."""
        return self.done if self.committed is None or self.done > self.committed else None
