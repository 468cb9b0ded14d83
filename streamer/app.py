"""The roles as processes: which agent, which table, which topics, with what settings. ``python -m streamer.app ROLE`` runs one.

Not for: restarting (``streamer worker`` supervises) or deciding anything. Each role is its own Faust app, consumer group, state
folder and process, so that one role's trouble is its own.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from streamer.agents import dossier, intake, sink
from streamer.agents.books_metrics import BooksCollector
from streamer.agents.rulebooks import Rulebooks
from streamer.domain.sealing import Sealer
from streamer.engine import EngineApp, EngineSettings, run
from streamer.engine.orphan import follow
from streamer.errors import ConfigurationError
from streamer.rulebook import open_domains, sources
from streamer.settings import Settings

#: A supervised process waits so long for its state folder: the orphan of a supervisor that was killed ends within that.
LOCK_WAIT_S: Final = 12.0
ROLES: Final = ("intake", "dossier", "sink")
#: From a hand-over of few records to the next: what people read in PostgreSQL may wait longer than an alert.
FETCH_GAP_S: Final = {"intake": 0.025, "dossier": 0.025, "sink": 0.2}


def engine_settings(settings: Settings, role: str) -> EngineSettings:
    """The engine's settings of a role's process."""
    return EngineSettings(
        app_id=settings.app_id(role),
        bootstrap_servers=settings.require_bootstrap(),
        state_dir=settings.state_dir(role),
        instance_id=f"{role}-{settings.instance}" if settings.instance else None,
        session_timeout_s=settings.session_timeout_s,
        fetch_gap_s=FETCH_GAP_S[role],
        num_standby_replicas=settings.standbys,
        metrics_port=settings.metrics_port,
        accept_loss=settings.accept_loss,
        memory_budget_bytes=settings.memory_mb << 20,
        tombstone_after_s=settings.tombstone_after_h * 3600.0,
        log_level=settings.log_level,
        lock_wait_s=LOCK_WAIT_S if settings.supervisor_pid else 0.0,
    )


def build(role: str, settings: Settings) -> EngineApp:
    """The app of a role, ready to run. Raises ConfigurationError for what a restart cannot mend."""
    if role not in ROLES:
        raise ConfigurationError(f"no role {role!r}", todo=f"use one of {', '.join(ROLES)}")
    app = EngineApp(engine_settings(settings, role))
    known = sources(settings.sources)
    names, domains = [source.id for source in known], open_domains()
    if role == "intake":
        intake.register(
            app,
            sources=known,
            sealer=Sealer(settings.seal_key()),
            dossier_group=settings.app_id("dossier"),
            backfill_max_lag_records=settings.backfill_max_lag_records,
        )
    elif role == "dossier":
        rulebooks = Rulebooks(settings.require_bootstrap())
        asyncio.run(rulebooks.load())
        dossier.register(
            app,
            rulebooks=rulebooks,
            sealer=Sealer(settings.seal_key()),
            sources=names,
            domains=domains,
            partitions=settings.partitions,
            observe=BooksCollector(app.metrics.registry, app.owned_partitions).observe,
        )
    else:
        sink.register(app, dsn=settings.require_database(), sources=names, domains=domains)
    return app


def main(argv: list[str]) -> None:
    """Run one role until it is told to stop; exits with the engine's codes."""
    role = argv[0] if argv else ""
    try:
        settings = Settings.from_env()
        follow(settings.supervisor_pid)
        app = build(role, settings)
    except ConfigurationError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    run(app)


if __name__ == "__main__":
    main(sys.argv[1:])
