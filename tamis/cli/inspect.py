"""``tamis curate explain`` and ``tamis curate report``: look into a corpus folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tamis.cli.options import form_option, quiet_options
from tamis.cli.root import SETTINGS


@click.command(context_settings=SETTINGS)
@click.argument("folder", metavar="DIR")
@click.argument("document", metavar="ID")
@click.option("--changes", type=click.IntRange(min=0), default=20, show_default=True, help="Differences to show.")
@form_option
@quiet_options
def explain(folder: str, document: str, changes: int, form: str, **_: Any) -> int:
    """Tell where one document went and why.

    ID: an id, the first characters of one, a URL, or a source as in the source column. For a duplicate also which
    document stayed for it, where that one is now, and what differs: [-only in the removed one-], {+only in the one that
    stayed+}. Exit code 1 if DIR knows no such document.

    Example: tamis curate explain corpus https://example.com/page
    """
    import orjson

    from tamis.cli.explained import told
    from tamis.run.corpus import open_corpus
    from tamis.run.explain import explain as explained

    found = explained(open_corpus(folder), document)
    if form == "json":
        sys.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        for entry in found:
            click.echo(told(entry, changes))
    if not found:
        sys.stderr.write(f"{folder} knows no document {document!r} (an id, its beginning, a URL or a source)\n")
        return 1
    return 0


@click.command(context_settings=SETTINGS)
@click.argument("folder", metavar="DIR")
@form_option
@click.option("--html", metavar="FILE", default=None, help="Write a self-contained page with pictures.")
@quiet_options
def report(folder: str, form: str, html: str | None, verbose: bool, **_: Any) -> int:
    """Show what went in, what stayed and what left for which reason.

    Example: tamis curate report corpus --html report.html
    """
    import orjson

    from tamis.cli.show import summary
    from tamis.errors import InputError
    from tamis.run.corpus import open_corpus
    from tamis.run.report import REPORT_VERSION

    open_corpus(folder)
    path = Path(folder) / "report.json"
    try:
        text = path.read_bytes()
        data = orjson.loads(text)
        version = data["version"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"cannot read {path}: not a report ({error})") from None
    if version != REPORT_VERSION:
        raise InputError(
            f"{path} is a report of version {version}; this tamis reads {REPORT_VERSION}: run the job again"
        )
    if html:
        from tamis.run.page import render
        from tamis.storage import write_text

        write_text(html, render(data, Path(folder).resolve().name))
    if form == "json":
        sys.stdout.buffer.write(text)
    else:
        summary(data, click.echo, verbose=verbose)
    return 0
