"""Options shared by the commands that write a corpus folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("parquet", "jsonl", "jsonl.gz", "jsonl.zst")
ENGINES = ("local", "ray")


def quiet_options(command: F) -> F:
    """Add -v, -q and --debug."""
    command = click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")(command)
    command = click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but errors.")(command)
    return click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")(command)


def corpus_options(command: F) -> F:
    """Add what every command that writes a corpus folder takes."""
    command = quiet_options(command)
    command = click.option("--fresh", is_flag=True, help="Do finished shards again.")(command)
    command = click.option(
        "--max-source-loss",
        type=click.FloatRange(0, 1),
        default=0.99,
        show_default=True,
        help="Raise an alarm when an input file loses a larger share of its documents than this.",
    )(command)
    command = click.option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        default="parquet",
        show_default=True,
        help="Format of the parts.",
    )(command)
    command = engine_options(command)
    return click.option(
        "-o", "--output", required=True, metavar="DIR", help="Corpus folder to write (path, URL, or - for JSON lines)."
    )(command)


def engine_options(command: F) -> F:
    """Add where the tasks of a command run."""
    command = click.option(
        "--ray-address",
        default=None,
        metavar="ADDRESS",
        show_default="RAY_ADDRESS, a running cluster, or one of its own",
        help="ray: HOST:PORT, ray://HOST:PORT, auto or local.",
    )(command)
    command = click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default="local",
        show_default=True,
        help="Where tasks run: processes of this machine, or a Ray cluster (an extra).",
    )(command)
    return click.option(
        "--workers", type=click.IntRange(min=1), default=None, show_default="all cores", help="Tasks at one time."
    )(command)


class Size(click.ParamType[int]):
    """A number of bytes: 2GiB, 512MiB, 4G, 1073741824."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes; a wrong size is a usage error."""
        from tamis.errors import UsageError
        from tamis.run.memory import parse_size

        try:
            return parse_size(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


def memory_option(command: F) -> F:
    """Add --memory, for the commands whose stages size themselves by it."""
    return click.option(
        "--memory",
        "budget",
        type=Size(),
        default="2GiB",
        show_default=True,
        metavar="SIZE",
        help="Memory of all processes together; at least 256MiB. On Ray: of the workers on one node.",
    )(command)


def notes_wanted(quiet: bool) -> Callable[[str], None]:
    """Return a function that writes notes to stderr, or nothing if quiet."""

    def say(line: str) -> None:
        if not quiet:
            sys.stderr.write(line + "\n")

    return say


def form_option(command: F) -> F:
    """Add --format for commands that show something."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="For people or programs.",
    )(command)
