"""The one table of a role: rows of any key within the partition of its one source topic. Not for: lookups by other keys.

Faust keeps the name, the changelog topic and the assignment; the store that Faust asks for is a husk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from faust.stores.base import Store as FaustStore
from faust.tables.table import Table
from faust.types import TP

from streamer.engine.cache import Cache
from streamer.engine.partition import OwnedPartition
from streamer.engine.restore import Restore
from streamer.engine.rows import Codec, Rows
from streamer.engine.slices import Sweep
from streamer.engine.store import NO_ID
from streamer.engine.unit import Headers

if TYPE_CHECKING:
    from streamer.engine.store import StoredPartition

#: The current version of a key of a compacted output, from state; None: there is none.
Restate = Callable[[Rows, bytes], "tuple[bytes, Headers] | None"]


#: Kafka's default of delete.retention.ms.
DELETE_RETENTION_MS: Final = 86_400_000


class HuskStore(FaustStore):
    """What Faust asks about a store; rows live in ``store.Store``."""

    def persisted_offset(self, tp: TP) -> int | None:  # noqa: ARG002 - Faust's signature
        return None

    def reset_state(self) -> None:
        """Nothing: assignments do it."""

    def _none(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("rows are reached through a slice")

    __getitem__ = __setitem__ = __delitem__ = __iter__ = __len__ = _none
    apply_changelog_batch = backup_partition = restore_backup = _none


class KeyedTable(Table):
    """A table with a codec, fed by ``source`` alone."""

    def __init__(self, app: Any, *, name: str = "", **options: Any) -> None:
        self.codec: Codec = options.pop("codec")
        self.source: str = options.pop("source")
        self.restate: Mapping[str, Restate] = options.pop("restate")
        self.sweep: Sweep | None = options.pop("sweep")
        #: Of the rows. (Faust's ``schema`` is something else.)
        self.rows_schema: int = options.pop("rows_schema")
        super().__init__(app, name=name, **options)
        #: The changelog's delete.retention.ms, as far as the broker tells.
        self.retention_ms = DELETE_RETENTION_MS
        #: Partition → what this process owns of it, since the last recovery.
        self.owned: dict[int, OwnedPartition] = {}

    def _new_store(self) -> HuskStore:
        return HuskStore("engine://", self.app, self, table_name=self.name, loop=self.loop)

    @property
    def changelog_name(self) -> str:
        return str(self.changelog_topic.get_topic_name())

    def stored(self, partition: int) -> StoredPartition:
        store = self.app.store
        stored: StoredPartition = store.partition(store.table_id(self.name), partition)
        return stored

    def restore(self, partition: int) -> Restore:
        """What reads this partition's changelog into the local store."""
        return Restore(
            f"{self.changelog_name}-{partition}",
            self.stored(partition),
            self.app.topic_ids.get(self.changelog_name, NO_ID),
            self.retention_ms,
            self.app.now_ms,
        )

    def own(self, partition: int, restore: Restore, cache_bytes: int) -> OwnedPartition:
        """Takes a recovered partition."""
        rows = Rows(self.codec, restore.stored, Cache(cache_bytes))
        owned = OwnedPartition(partition, restore.stored, rows, restore.position, self.app.settings.tombstone_after_s)
        self.owned[partition] = owned
        return owned

    def reset_state(self) -> None:
        """Nothing: assignments do it."""

    def _no_items(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("rows are reached through a slice")

    __getitem__ = __setitem__ = __delitem__ = _no_items
