"""The ``streamer`` command: a table of sub-commands, loaded when asked for, and one place where errors become exit codes.

Not for: what a command does; each has its own module in ``streamer.cli``.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
import traceback
from typing import Final, NamedTuple, cast

import click

from streamer.errors import EXIT_PROBLEM, StreamerError

EXIT_INTERNAL: Final = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it


class Command(NamedTuple):
    """Where a sub-command lives (``module:attribute``) and its line in the help."""

    target: str
    summary: str


COMMANDS: Final[dict[str, Command]] = {
    "demo": Command(
        "streamer.cli.demo:demo", "Everything end to end on generated events, checked against their truth."
    ),
    "local": Command("streamer.cli.local:local", "Kafka and PostgreSQL on this machine: up, down, status."),
    "topics": Command("streamer.cli.topics:topics", "The topics of the contract: plan, apply."),
    "rules": Command("streamer.cli.rules:rules", "The rulebook: check, show."),
    "db": Command("streamer.cli.db:db", "The PostgreSQL schemas: migrate, status."),
    "worker": Command("streamer.cli.worker:worker", "Run roles: intake, dossier, sink."),
    "publish": Command("streamer.cli.publish:publish", "Send events from a file of JSON Lines."),
    "tick": Command("streamer.cli.tick:tick", "Move the clock of every partition to a date."),
    "status": Command("streamer.cli.status:status", "What runs, how far it is, what stands."),
    "audit": Command("streamer.cli.audit:audit", "Account for every event: the residual is zero."),
    "replay": Command("streamer.cli.replay:replay", "Decide an export again without Kafka."),
    "bench": Command("streamer.cli.bench:bench", "Events a second and CPU an event of each role."),
}


class LazyGroup(click.Group):
    """A group whose sub-commands are imported when they are called, so that ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [name for name, command in COMMANDS.items() if _exists(command)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        command = COMMANDS.get(cmd_name)
        if command is None or not _exists(command):
            return None
        module, _, attribute = command.target.partition(":")
        return cast("click.Command", getattr(importlib.import_module(module), attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].summary) for name in self.list_commands(ctx)])


def _exists(command: Command) -> bool:
    return importlib.util.find_spec(command.target.partition(":")[0]) is not None


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="credit-streamer", prog_name="streamer")
def cli() -> None:
    """Joint credit: decisions of departments in, advisory alerts out.

    Exit codes: 0 fine, 1 a problem was found or met, 2 wrong usage, 70 a fault of the program, 78 configuration.
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit. ``args`` default to the process's own."""
    if os.environ.get("STREAMER_DEBUG") != "1":  # the client reports what it retries; what stays is raised
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        code = cli.main(args=args, prog_name="streamer", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except StreamerError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:  # the reader (head, less) went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_PROBLEM)
    except Exception as error:  # noqa: BLE001 - the last place that can say it without values
        _report(error)
        sys.exit(EXIT_INTERNAL)


def _report(error: Exception) -> None:
    """Print where it broke, not what it held: an exception's text may quote an event."""
    click.echo(
        f"internal error: {type(error).__name__} (a fault of the program; STREAMER_DEBUG=1 shows all of it)", err=True
    )
    if os.environ.get("STREAMER_DEBUG") == "1":
        traceback.print_exception(error)
        return
    for frame in traceback.extract_tb(error.__traceback__):
        click.echo(f"  {frame.filename}:{frame.lineno} {frame.name}", err=True)
