"""``streamer worker``: run roles as processes, start them again when they end, stop on what a restart cannot mend.

Not for: what a role does (``streamer.app``) or how restarts are paced (``streamer.engine.supervisor``).
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import click

from streamer.app import ROLES
from streamer.engine.supervisor import Program, Supervisor
from streamer.settings import Settings


@click.command()
@click.option(
    "--role", "roles", multiple=True, type=click.Choice(ROLES), help="A role to run; repeat it. Default: all."
)
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Go on although records were deleted unread; the loss is written into the books.",
)
def worker(roles: tuple[str, ...], *, accept_loss: bool) -> int:
    """Run one process for each role and supervise them."""
    settings = Settings.from_env()
    settings.require_bootstrap()
    environment = {**os.environ, "STREAMER_HOME": str(settings.home)}
    if accept_loss:
        environment["STREAMER_ACCEPT_LOSS"] = "1"
    ports = {role: settings.metrics_port + n if settings.metrics_port else 0 for n, role in enumerate(ROLES)}
    programs = [
        Program(
            name=role,
            argv=[sys.executable, "-m", "streamer.app", role],
            env={**environment, "STREAMER_METRICS_PORT": str(ports[role])},
        )
        for role in dict.fromkeys(roles or ROLES)
    ]
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    return asyncio.run(_supervise(programs))


async def _supervise(programs: list[Program]) -> int:
    supervisor = Supervisor(programs)
    supervisor.install_signals()
    return await supervisor.run()
