"""A report as one self-contained web page: the sum, the flow through the stages, reasons, sources and input files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

from tamis.errors import InputError
from tamis.run.page_lists import alarms, inputs, signatures, sources
from tamis.run.page_markup import bar, counted, more, name, number, share, size, table, tag, text

VERSION: Final = 1
"""Of report.json."""

MAX_STAGES: Final = 60
MAX_REASONS: Final = 15
MAX_NOTES: Final = 20
"""What is drawn of each; the rest is added up in one line."""

OUTCOMES: Final = ("kept", "dropped", "failed")

_HEAD: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>{title} · tamis curation report</title>
<style>
{style}</style>
</head>
<body>
<main>
"""


def render(report: Mapping[str, Any], title: str) -> str:
    """Return the page of a report: HTML that loads nothing, the same bytes for the same report.

    Args:
        report: what report.json holds (tamis.run.report).
        title: what the page is about, such as the name of the corpus folder; any text.

    Raises:
        InputError: the report is of another version or not a report at all.
    """
    found = report.get("version") if isinstance(report, Mapping) else None
    if found != VERSION:
        raise InputError(f"a report of version {VERSION} is expected, not of {found!r}: run the job again")
    style = files("tamis.run").joinpath("page.css").read_text(encoding="utf-8")
    head = _HEAD.format(title=text(title), style=style)
    try:
        return head + _body(report, title)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"the report is damaged ({error!r}): run the job again to write it anew") from error


def _body(report: Mapping[str, Any], title: str) -> str:
    """Return everything below the head."""
    parts = [
        _headline(report, title),
        alarms(report),
        _flow(report["stages"]),
        _reasons(report["stages"]),
        sources(report),
        inputs(report["inputs"]),
        signatures(report),
        f"<footer>Made by tamis from report.json, version {text(report['version'])}. "
        "A document is one row; a token is one word as the word tokenizer of tamis splits it.</footer>\n",
        "</main>\n</body>\n</html>\n",
    ]
    return "".join(parts)


def _headline(report: Mapping[str, Any], title: str) -> str:
    """Return the title and the sum of the run."""
    total = report["total"]
    whole = total["in"]
    tiles = [_tile("in", "In", whole, "documents came in")]
    for sign, outcome in zip("=++", OUTCOMES, strict=True):
        tiles.append(f'<span class="sign" aria-hidden="true">{sign}</span>')
        below = f"{share(total[outcome], whole)} of all" if whole else "none"
        tiles.append(_tile(outcome, outcome.capitalize(), total[outcome], below))
    check = tag("adds up", "kept") if total["balanced"] else tag("does not add up", "failed")
    terms = " + ".join(number(total[outcome]) for outcome in OUTCOMES)
    told = f"Of {number(whole)} documents " + ", ".join(f"{number(total[kind])} were {kind}" for kind in OUTCOMES)
    kept = total["kept_size"]
    facts = [
        (number(kept["tokens"]), "word tokens kept"),
        (number(kept["characters"]), "characters kept"),
        (number(kept["bytes"]), f"bytes kept ({size(kept['bytes'])})" if kept["bytes"] >= 1000 else "bytes kept"),
        (number(len(report["stages"])), "stage" if len(report["stages"]) == 1 else "stages"),
        (number(len(report["inputs"])), "input file" if len(report["inputs"]) == 1 else "input files"),
    ]
    cells = "".join(f"<div><dd>{value}</dd><dt>{label}</dt></div>" for value, label in facts)
    return (
        f'<header>\n<p class="eyebrow">Curation report</p>\n<h1><bdi>{text(title)}</bdi></h1>\n</header>\n'
        f'<section class="card sum" aria-label="The sum">\n<div class="tiles">{"".join(tiles)}</div>\n'
        f"{bar([(kind, total[kind]) for kind in OUTCOMES], whole, told, across=1070, height=14)}\n"
        f"<p>in = kept + dropped + failed: <b>{number(whole)} = {terms}</b> {check}</p>\n"
        f'<dl class="facts">{cells}</dl>\n</section>\n'
    )


def _tile(kind: str, label: str, value: int, below: str) -> str:
    """Return one term of the sum."""
    return (
        f'<div class="tile {kind}"><span class="label">{label}</span>'
        f'<span class="big">{number(value)}</span><span class="below">{below}</span></div>'
    )


def _flow(stages: Sequence[Mapping[str, Any]]) -> str:
    """Return what came into each stage and what became of it, in documents and in tokens."""
    if not stages:
        return '<section class="card"><h2>Through the stages</h2><p>No stage has run.</p></section>\n'
    legend = "".join(f'<li><span class="tag {kind}">{kind}</span></li>' for kind in OUTCOMES)
    cut = any(_parts(stage, "tokens")[3][1] for stage in stages)
    if cut:
        legend += '<li><span class="tag cut">cut</span> taken out of texts that are kept</li>'
    hint = "Parts too thin to see are drawn two pixels wide."
    if stages[0]["kind"] == "ingest":
        hint = f"A record that never became a document is counted in documents and has no tokens. {hint}"
    return (
        f'<section class="card"><h2>Through the stages</h2>\n<ul class="legend">{legend}</ul>\n'
        + _funnel(stages, "documents", cut=False)
        + _funnel(stages, "tokens", cut=cut)
        + f'<p class="hint">{hint}</p>\n</section>\n'
    )


def _parts(stage: Mapping[str, Any], unit: str) -> list[tuple[str, int]]:
    """Return how the input of a stage splits; what is in no bill was cut out of texts that stayed."""
    sums = [sum(one[unit] for one in stage[outcome].values()) for outcome in ("dropped", "failed")]
    kept = stage["kept"][unit]
    return [("kept", kept), ("dropped", sums[0]), ("failed", sums[1]), ("cut", stage["in"][unit] - kept - sum(sums))]


def _funnel(stages: Sequence[Mapping[str, Any]], unit: str, *, cut: bool) -> str:
    """Return one unit's way through the stages as a table with bars, all drawn to one scale."""
    whole = max(stage["in"][unit] for stage in stages)
    rows = []
    for stage in stages[:MAX_STAGES]:
        came, parts = stage["in"][unit], _parts(stage, unit)
        parts = parts if cut else parts[:3]
        told = f"{stage['stage']}: {number(came)} {unit} in, " + ", ".join(f"{number(v)} {kind}" for kind, v in parts)
        picture = bar(parts, whole, told, across=400, height=26, link=14)
        cells = [_amount(value) for _, value in parts]
        rows.append([name(stage["stage"]), picture, number(came), *cells, share(parts[0][1], came)])
    last = stages[-1]["kept"][unit]
    blank = [""] * (3 if cut else 2)
    final = bar([("kept", last)], whole, f"{number(last)} {unit} in the corpus", across=400, height=26)
    first = stages[0]["in"][unit]
    rows.append(["<b>corpus</b>", final, "", f"<b>{number(last)}</b>", *blank, f"<b>{share(last, first)}</b>"])
    heads = ["Stage", "", "#In", "#Kept", "#Dropped", "#Failed", *(["#Cut"] if cut else []), "#Kept, %"]
    caption = f"{unit.capitalize()} <small>full width: {number(whole)}</small>"
    return table(caption, heads, rows, "flow") + more(len(stages) - MAX_STAGES, "stage")


def _amount(value: int) -> str:
    """Return a number, a zero in grey."""
    return number(value) if value else '<span class="zero">0</span>'


def _reasons(stages: Sequence[Mapping[str, Any]]) -> str:
    """Return why documents left, a card for each stage."""
    if not stages:
        return ""
    cards = "".join(_stage_reasons(stage) for stage in stages[:MAX_STAGES])
    return (
        '<section class="reasons"><h2>Why documents left</h2>\n<p class="hint">Shares are of the documents that came '
        f"into the stage; in each stage the longest bar is its most frequent reason.</p>\n"
        f'<div class="cards">\n{cards}</div>\n{more(len(stages) - MAX_STAGES, "stage")}</section>\n'
    )


def _stage_reasons(stage: Mapping[str, Any]) -> str:
    """Return the reasons of one stage, most frequent first, and its notes."""
    found = [(kind, reason, amount) for kind in OUTCOMES[1:] for reason, amount in stage[kind].items()]
    found.sort(key=lambda item: (-item[2]["documents"], item[0], item[1]))
    came = stage["in"]["documents"]
    longest = found[0][2]["documents"] if found else 0
    rows = []
    for kind, reason, amount in found[:MAX_REASONS]:
        lost = amount["documents"]
        told = f"{reason}: {number(lost)} {kind}"
        mark = f" {tag('failed', 'failed')}" if kind == "failed" else ""
        picture = bar([(kind, lost)], longest, told, across=260, height=6)
        rows.append([name(reason) + mark + picture, number(lost), share(lost, came), _amount(amount["tokens"])])
    gone = sum(amount["documents"] for _, _, amount in found)
    body = '<p class="quiet">Nothing left here.</p>\n'
    if found:
        caption = f"{number(gone)} of {number(came)} documents left <small>{share(gone, came)}</small>"
        body = table(caption, ["Reason", "#Documents", "#Share", "#Tokens"], rows, "why")
    hidden = found[MAX_REASONS:]
    if hidden:
        rest = sum(amount["documents"] for _, _, amount in hidden)
        body += f'<p class="more">and {counted(len(hidden), "more reason")} with {counted(rest, "document")}</p>\n'
    return f'<article class="card"><h3>{name(stage["stage"])}</h3>\n{body}{_notes(stage["notes"])}</article>\n'


def _notes(notes: Mapping[str, int]) -> str:
    """Return what a stage noted besides."""
    if not notes:
        return ""
    listed = sorted(notes.items())
    rows = [[name(key), number(value)] for key, value in listed[:MAX_NOTES]]
    return table("Notes", ["Note", "#Count"], rows, "notes") + more(len(listed) - MAX_NOTES, "note")
