"""``tamis``: the group of all commands; a command's module is imported when it is called, not before."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final

import click

from tamis import __version__

SETTINGS: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyGroup(click.Group):
    """A group that knows the one-line help of its commands without importing them."""

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in self.lazy:
            return None
        module, name = self.lazy[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.lazy.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one names the nearest."""
        if args and args[0] not in self.lazy and not args[0].startswith("-"):
            from tamis.recipe import unknown

            ctx.fail(unknown("command", args[0], self.lazy))
        return super().resolve_command(ctx, args)


CURATE: Final = {
    "ingest": ("tamis.cli.curate:ingest", "Read archives, pages and files into a corpus folder."),
    "filter": ("tamis.cli.curate:filter_", "Keep or drop documents by rules, each drop with its reason."),
    "dedup": ("tamis.cli.curate:dedup", "Remove duplicates; every removal names the document that stays for it."),
    "run": ("tamis.cli.curate:run", "Run all stages of a recipe; a repeated run goes on where it stopped."),
    "explain": ("tamis.cli.inspect:explain", "Tell where one document went and why."),
    "index": ("tamis.cli.index:index", "Show or export an index of dedup --index."),
    "report": ("tamis.cli.inspect:report", "Show what went in, what stayed and what left for which reason."),
}
MODELS: Final = {
    "list": ("tamis.cli.models:list_", "List known models and whether they are here."),
    "fetch": ("tamis.cli.models:fetch", "Fetch a model once; afterwards everything works offline."),
}


@click.group(
    cls=LazyGroup,
    context_settings=SETTINGS,
    lazy={
        "curate": ("tamis.cli.root:curate", "Crawl to corpus: ingest, filter, dedup, run, explain, report."),
        "models": ("tamis.cli.root:models", "List and fetch the models that stages need."),
        "doctor": ("tamis.cli.doctor:doctor", "Tell what is installed, which extras and models are present."),
    },
)
@click.version_option(__version__, "--version", prog_name="tamis")
def root() -> None:
    """Sift web crawls into training corpora: nothing lost without a reason, the same bytes however it ran.

    Exit codes: 0 done, 1 the data failed a check, 2 wrong usage, 3 could not run.
    """


@click.group(cls=LazyGroup, context_settings=SETTINGS, lazy=CURATE)
def curate() -> None:
    """Turn crawls and dumps into a clean, deduplicated corpus."""


@click.group(cls=LazyGroup, context_settings=SETTINGS, lazy=MODELS)
def models() -> None:
    """List and fetch the models that stages need."""
