"""``streamer status``: what runs and how far it is; with an ENTITY, what stands about it. Not for: health checks (``/healthz``)."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any, Final

import asyncpg
import click
import orjson

from sinks.sql import query
from streamer import kafka_io
from streamer.domain.identity import Resolved, resolve
from streamer.errors import EXIT_OK, EXIT_PROBLEM, StreamerError
from streamer.settings import Settings

ROLES: Final = ("intake", "dossier", "sink")
RECORDS_SHOWN: Final = 20


@click.command()
@click.argument("entity", required=False)
@click.option("--json", "as_json", is_flag=True)
def status(entity: str | None, *, as_json: bool) -> int:
    """Show each role's lag; or, for ENTITY (unified social credit code or organization code), what stands about it."""
    settings = Settings.from_env()
    if entity is None:
        found = asyncio.run(_roles(settings))
        click.echo(orjson.dumps(found).decode() if as_json else _roles_in_words(found))
        return EXIT_OK if all(role["lag"] == 0 for role in found.values()) else EXIT_PROBLEM
    about = asyncio.run(_entity(settings, _org_code(entity)))
    click.echo(orjson.dumps(about, default=str).decode() if as_json else _entity_in_words(about))
    return EXIT_OK


def _org_code(text: str) -> str:
    kind = "uscc" if len(text.replace("-", "")) > 9 else "organization_code"
    found = resolve("organisation", {kind: text})
    if not isinstance(found, Resolved):
        raise StreamerError(
            "that is no valid code", todo="give a unified social credit code (18) or an organization code (9)"
        )
    return found.org_code


async def _roles(settings: Settings) -> dict[str, dict[str, int]]:
    bootstrap = settings.require_bootstrap()
    found = {}
    for role in ROLES:
        done = await kafka_io.committed(bootstrap, settings.app_id(role))
        begin, end = await kafka_io.bounds(bootstrap, sorted({topic for topic, _ in done}))
        lag = sum(max(0, offset - max(done.get(key, 0), begin.get(key, 0))) for key, offset in end.items())
        found[role] = {"partitions": len(done), "lag": lag}
    return found


def _roles_in_words(found: dict[str, dict[str, int]]) -> str:
    lines = [f"{'role':<10}{'partitions':>12}{'messages to go':>16}"]
    lines += [f"{role:<10}{row['partitions']:>12}{row['lag']:>16,}" for role, row in found.items()]
    return "\n".join(lines)


async def _entity(settings: Settings, org_code: str) -> dict[str, Any]:
    connection = await asyncpg.connect(settings.require_database())
    try:
        standing = await connection.fetchval(query("entity_status"), org_code)
        alerts = await connection.fetch(query("entity_open_alerts"), org_code)
        records = await connection.fetch(query("entity_records"), org_code, RECORDS_SHOWN)
    finally:
        await connection.close()
    return {
        "org_code": org_code,
        "status": orjson.loads(standing) if standing else None,
        "open_alerts": [orjson.loads(row["data"]) for row in alerts],
        "records": [dict(row) for row in records],
    }


def _entity_in_words(about: dict[str, Any]) -> str:
    standing = about["status"] or {}
    lines = [f"{about['org_code']}  {standing.get('name', '')}".rstrip()]
    for entry in standing.get("open_entries", []):
        until = entry.get("until", "no end stated")
        lines.append(
            f"  on {entry['list']}: {entry['document_number']} of {entry['authority']}, {entry['from']} to {until}"
        )
    for alert in about["open_alerts"]:
        measure = alert.get("data", alert)["measure"]
        lines.append(
            f"  alert {alert.get('data', alert)['alert_id']}: {measure['action_zh']} ({measure['rule_id']}, {measure['class']})"
        )
    if len(lines) == 1:
        lines.append("  nothing stands")
    lines.append(f"last {len(about['records'])} records")
    lines += [
        f"  {day_or_none(r['decided_on']):<12}{r['type']:<20}{r['document_number']}  ({r['source']})"
        for r in about["records"]
    ]
    return "\n".join(lines)


def day_or_none(value: date | None) -> str:
    return value.isoformat() if value else "no date"
