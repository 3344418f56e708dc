"""Options of ``tamis curate dedup --by minhash``, and its parameters explained."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS: Final = ("shingle", "permutations", "bands", "rows", "bucket_limit", "seed", "scheme", "verify", "index")


class Explains(click.Command):
    """A command that needs neither input nor output when it only explains its parameters."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; what is required depends on what was asked."""
        explain = "--explain-parameters" in args
        for param in self.params:
            if param.name in ("source", "output", "by"):
                param.required = not explain
        return super().parse_args(ctx, args)


def neardup_options(command: F) -> F:
    """Add the options of MinHash."""
    chosen = "from the threshold: 21 and 6 at 0.8"
    for option in (
        click.option("--shingle", default=None, show_default="word:5", help="minhash: word:N, char:N or word-w:N."),
        click.option(
            "--permutations", type=int, default=None, show_default="128", help="minhash: length of a signature."
        ),
        click.option("--bands", type=int, default=None, show_default=chosen, help="minhash: bands of a signature."),
        click.option("--rows", type=int, default=None, show_default=chosen, help="minhash: rows of a band."),
        click.option(
            "--verify",
            type=click.Choice(["jaccard", "containment", "none"]),
            default=None,
            show_default="jaccard",
            help="minhash: what must reach the threshold; none: a shared bucket is enough.",
        ),
        click.option(
            "--bucket-limit", type=int, default=None, show_default="64", help="minhash: kept texts compared per bucket."
        ),
        click.option("--seed", type=int, default=None, show_default="1", help="minhash: seed of the permutations."),
        click.option(
            "--scheme",
            type=click.Choice(["affine32", "legacy"]),
            default=None,
            show_default="affine32",
            help="minhash: signatures as datasketch makes them from 2.0 on, or before.",
        ),
        click.option(
            "--index", metavar="DIR", default=None, help="minhash: compare with what earlier runs kept, and add to it."
        ),
        click.option("--explain-parameters", is_flag=True, help="minhash: show what bands and rows find, and end."),
    )[::-1]:
        command = option(command)
    return command


def explain(given: dict[str, Any]) -> int:
    """Write what the parameters find at which similarity to stdout."""
    from tamis.curate.dedup.minhash import MinhashDedup
    from tamis.curate.dedup.parameters import explain_parameters

    stage = MinhashDedup(**{name: given[name] for name in given if name in MinhashDedup.__slots__})
    lines = explain_parameters(stage.threshold, stage.permutations, stage.bands, stage.rows)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
