"""Exports of ``credit.records`` with their rulebooks, as JSON Lines: the input of replay (format: ``streamer.domain.replay``).

Not for: moving data between clusters. A record's value is repeated byte for byte.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from streamer import kafka_io
from streamer.agents.rulebooks import read_rulebooks
from streamer.domain.records import HEADER_HASH, HEADER_ORIGIN
from streamer.domain.replay import ExportedRecord, ExportedRulebook

RECORDS: Final = "credit.records"
_encode = msgspec.json.Encoder().encode


async def export(bootstrap: str) -> AsyncIterator[bytes]:
    """Lines without their line ends: rulebooks, then every record up to the end at this moment."""
    for key, rulebook in sorted((await read_rulebooks(bootstrap)).items()):
        yield _encode(ExportedRulebook(rulebook=key, body=rulebook))
    async for message in kafka_io.read_all(bootstrap, [RECORDS], committed_only=False):
        yield _encode(
            ExportedRecord(
                partition=message.partition,
                offset=message.offset,
                append_ms=message.timestamp,
                origin=(message.header(HEADER_ORIGIN) or b"").decode() or None,
                content=(message.header(HEADER_HASH) or b"").hex(),
                value=msgspec.Raw(message.value or b"null"),
            )
        )
