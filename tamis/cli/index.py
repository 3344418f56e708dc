"""``tamis curate index``: what an index of near-duplicates holds, and its export."""

from __future__ import annotations

import sys
from typing import Any

import click

from tamis.cli.options import form_option, notes_wanted, quiet_options
from tamis.cli.root import SETTINGS


@click.command(context_settings=SETTINGS)
@click.argument("folder", metavar="INDEX")
@click.option(
    "--export",
    "target",
    metavar="FILE",
    help="Write .pickle (a datasketch MinHashLSH) or .parquet (ids and signatures).",
)
@form_option
@quiet_options
def index(folder: str, target: str | None, form: str, quiet: bool, **_: Any) -> int:
    """Show the parameters and generations of an index of dedup --index, or export its signatures.

    Example: tamis curate index seen --export seen.parquet
    """
    import orjson

    from tamis.curate.dedup.export import export_index
    from tamis.curate.dedup.index import read_index

    found = read_index(folder)
    rows = [one["rows"] for one in found.generations]
    state = {"signatures": found.identity, "documents": sum(rows), "generations": rows}
    if target is not None:
        count = export_index(found, target)
        notes_wanted(quiet)(f"{count:,} signatures written to {target}")
    elif form == "json":
        sys.stdout.write(orjson.dumps(state, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        lines = [f"{name:<14}{value}" for name, value in found.identity.items()]
        lines += [f"{sum(rows):,} documents in {len(rows):,} generations: {', '.join(f'{one:,}' for one in rows)}"]
        sys.stdout.write("\n".join(lines) + "\n")
    return 0
