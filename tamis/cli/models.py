"""``tamis models list | fetch``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tamis.cli.options import form_option, notes_wanted, quiet_options
from tamis.cli.root import SETTINGS


@click.command("list", context_settings=SETTINGS)
@form_option
@quiet_options
def list_(form: str, **_: Any) -> int:
    """List known models and whether they are here.

    Example: tamis models list
    """
    from dataclasses import asdict

    import orjson

    from tamis.models import list_models

    found = list_models()
    if form == "json":
        rows = [
            {key: str(value) if isinstance(value, Path) else value for key, value in asdict(m).items()} for m in found
        ]
        sys.stdout.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        for model in found:
            sys.stdout.write(f"{model}\n")
    return 0


@click.command(context_settings=SETTINGS)
@click.argument("name", metavar="NAME")
@click.option(
    "--from", "source", type=click.Path(path_type=Path), default=None, help="Use this file instead of fetching."
)
@quiet_options
def fetch(name: str, source: Path | None, quiet: bool, **_: Any) -> int:
    """Fetch a model once, verify it, and keep it for offline use.

    Example: tamis models fetch lid.176
    """
    from tamis.models import fetch as fetch_model

    path = fetch_model(name, source)
    notes_wanted(quiet)(f"{name} is ready: {path}")
    return 0
