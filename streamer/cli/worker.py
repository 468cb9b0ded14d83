"""``streamer worker``: run roles as processes, start them again when they end, stop on what a restart cannot mend.

Not for: what a role does (``streamer.app``) or how restarts are paced (``streamer.engine.supervisor``).
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click

from streamer.app import ROLES
from streamer.engine.supervisor import Program, Supervisor
from streamer.errors import ConfigurationError
from streamer.settings import Settings

MAX_PROCESSES: Final = 64  # of a role, under one supervisor
LAST_PORT: Final = 65_535


@click.command()
@click.option(
    "--role", "roles", multiple=True, type=click.Choice(ROLES), help="A role to run; repeat it. Default: all."
)
@click.option(
    "--processes",
    type=click.IntRange(1, MAX_PROCESSES),
    default=1,
    show_default=True,
    help="Processes of each role; they share its partitions. More than one need STREAMER_INSTANCE.",
)
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Go on although records were deleted unread; the loss is written into the books.",
)
def worker(roles: tuple[str, ...], processes: int, *, accept_loss: bool) -> int:
    """Run processes of each role and supervise them."""
    settings = Settings.from_env()
    settings.require_bootstrap()
    environment = {**os.environ, "STREAMER_SUPERVISOR_PID": str(os.getpid())}
    if accept_loss:
        environment["STREAMER_ACCEPT_LOSS"] = "1"
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    return asyncio.run(_supervise(programs(settings, roles or ROLES, processes, environment)))


def programs(settings: Settings, roles: Sequence[str], processes: int, environment: Mapping[str, str]) -> list[Program]:
    """Process i of role r: instance ``<instance>-i`` (one alone keeps the instance's name), metrics port ``first + r + 3 i``.

    Raises ConfigurationError when several would have no name of their own, or no port.
    """
    if processes > 1 and not settings.instance:
        raise ConfigurationError(
            "several processes of a role need names of their own",
            todo=f"name this worker: STREAMER_INSTANCE=a streamer worker --processes {processes}",
        )
    if settings.metrics_port + len(ROLES) * processes - 1 > LAST_PORT:
        raise ConfigurationError(
            f"{len(ROLES) * processes} ports from {settings.metrics_port} on end above {LAST_PORT}",
            todo="set a lower STREAMER_METRICS_PORT, or 0 for free ports",
        )
    found = []
    for role in dict.fromkeys(roles):
        for number in range(processes):
            port = settings.metrics_port + ROLES.index(role) + len(ROLES) * number if settings.metrics_port else 0
            own = {**environment, "STREAMER_HOME": str(settings.home), "STREAMER_METRICS_PORT": str(port)}
            if processes > 1:
                own["STREAMER_INSTANCE"] = f"{settings.instance}-{number}"
            name = role if processes == 1 else f"{role}-{number}"
            found.append(Program(name=name, argv=[sys.executable, "-m", "streamer.app", role], env=own))
    return found


async def _supervise(programs: list[Program]) -> int:
    supervisor = Supervisor(programs)
    supervisor.install_signals()
    return await supervisor.run()
