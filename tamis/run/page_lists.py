"""The long lists of a report page: alarms, sources by loss, input files, parameters; all of them bounded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tamis.run.page_markup import (
    bar,
    counted,
    fold,
    folded_table,
    more,
    name,
    number,
    share,
    size,
    table,
    tag,
    text,
)

FIRST: Final = 20
"""Rows of a list that are shown at once."""

THEN: Final = 200
"""Further rows that unfold; the rest is counted."""

MAX_ALARMS: Final = 8
MAX_DAMAGE: Final = 3
"""Damaged records of one file that are shown with their offset and reason."""

MAX_PARAMETERS: Final = 60
MAX_VALUE: Final = 2000
"""Characters of one parameter that are shown: the rules of a stage are one of them."""


def alarms(report: Mapping[str, Any]) -> str:
    """Return the sources that lost too much, worst first, or nothing."""
    count = report["alarm_count"]
    if not count:
        return ""
    listed = sorted(report["alarms"], key=lambda one: (-one["loss"], -one["in"], one["source"]))
    items = "".join(
        f"<li>{name(one['source'])} lost <b>{share(one['in'] - one['kept'], one['in'])}</b> of "
        f"{counted(one['in'], 'document')}"
        + (f", most of them at {name(one['stage'])}" if "stage" in one else "")
        + "</li>\n"
        for one in listed[:MAX_ALARMS]
    )
    bound = f"{100 * report['max_source_loss']:g}%"
    return (
        f'<section class="card alarm" aria-label="Alarms">\n<h2>{tag("alarm", "failed")} '
        f"{counted(count, 'source')} lost more than {bound} of their documents</h2>\n"
        f"<ul>\n{items}</ul>\n{more(count - min(len(listed), MAX_ALARMS), 'source')}</section>\n"
    )


def sources(report: Mapping[str, Any]) -> str:
    """Return the loss of every source after reading, worst first."""
    bound = f"{100 * report['max_source_loss']:g}%"
    loud = {one["source"] for one in report["alarms"]}
    ranked = sorted(
        ((source, one["in"], one["kept"]) for source, one in report["sources"].items()),
        key=lambda item: (-((item[1] - item[2]) / item[1] if item[1] else 0.0), -item[1], item[0]),
    )
    hint = f"Loss is the share of a source’s documents that left after reading. The alarm rings above {bound}"
    hint += "." if report["alarm_count"] else "; it did not ring."
    top = f'<section class="card"><h2>Loss by source</h2>\n<p class="hint">{hint}</p>\n'
    if not ranked:
        return top + '<p class="quiet">No source.</p></section>\n'
    rows = [
        [
            name(source) + (f" {tag('alarm', 'failed')}" if source in loud else ""),
            _loss(source, came, kept),
            number(came),
            number(kept),
            number(came - kept),
            share(came - kept, came),
        ]
        for source, came, kept in ranked[: FIRST + THEN]
    ]
    heads = ["Source", "", "#In", "#Kept", "#Lost", "#Loss"]
    caption = f"{counted(len(ranked), 'source')}, worst first"
    if all(came == kept for _, came, kept in ranked):
        listed = table(caption, heads, rows, "losses") + more(len(ranked) - len(rows), "source")
        return f"{top}{fold(counted(len(ranked), 'source') + ' without loss', listed)}</section>\n"
    listed = folded_table(rows, FIRST, len(ranked), "source", caption=caption, heads=heads, kind="losses")
    return f"{top}{_spread(ranked)}{listed}</section>\n"


def _loss(source: str, came: int, kept: int) -> str:
    """Return what a source kept and lost as a bar."""
    told = f"{source}: {number(kept)} of {number(came)} kept"
    return bar([("kept", kept), ("dropped", came - kept)], came, told, across=260)


def _spread(ranked: Sequence[tuple[str, int, int]]) -> str:
    """Return how many sources lost how much, in ten columns."""
    if len(ranked) < 5:
        return ""
    bins = [0] * 10
    for _, came, kept in ranked:
        bins[min((came - kept) * 10 // came, 9) if came else 0] += 1
    highest = max(bins)
    told = "Sources by loss: " + ", ".join(f"{10 * at} to {10 * at + 10}%: {n}" for at, n in enumerate(bins))
    drawn = []
    for at, count in enumerate(bins):
        tall = max(round(70 * count / highest), 2) if count else 0
        middle = f'x="{10 * at + 5}%"'
        if count:
            drawn.append(
                f'<rect class="dropped" x="{10 * at + 0.5}%" width="9%" y="{88 - tall}" height="{tall}"/>'
                f'<text {middle} y="{82 - tall}">{number(count)}</text>'
            )
        drawn.append(f'<text class="axis" {middle} y="104">{10 * at}–{10 * at + 10}%</text>')
    drawn.append('<line class="axis" x1="0" x2="100%" y1="88.5" y2="88.5"/>')
    return (
        f'<figure><svg role="img" class="spread" width="100%" height="110"><title>{told}</title>'
        f"{''.join(drawn)}</svg>\n"
        "<figcaption>Number of sources by the share of documents they lost</figcaption></figure>\n"
    )


def inputs(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return how the input files fared: trouble first, those without trouble folded."""
    order = {"rejected": 0, "partial": 1}
    trouble = sorted(
        (one for one in entries if one["status"] != "ok"),
        key=lambda one: (order.get(one["status"], 2), -one.get("failed", 0), one["name"]),
    )
    good = sorted((one for one in entries if one["status"] == "ok"), key=lambda one: one["name"])
    states = [one["status"] for one in entries]
    marks = {"ok": "kept", "partial": "dropped", "rejected": "failed"}
    counts = "".join(f"<li>{tag(state, kind)} {number(states.count(state))}</li>" for state, kind in marks.items())
    out = f'<section class="card"><h2>Input files</h2>\n<ul class="legend">{counts}</ul>\n'
    if trouble:
        rows = [
            [
                name(one["name"]),
                tag(text(one["status"]), marks.get(one["status"], "failed")),
                _maybe(one, "records"),
                _maybe(one, "documents"),
                _maybe(one, "failed"),
                _damage(one),
            ]
            for one in trouble[: FIRST + THEN]
        ]
        caption = f"{counted(len(trouble), 'file')} with trouble"
        heads = ["File", "State", "#Records", "#Documents", "#Failed", "Where and why"]
        out += folded_table(rows, FIRST, len(trouble), "file", caption=caption, heads=heads, kind="files")
    elif entries:
        out += '<p class="quiet">Every file was read whole.</p>\n'
    if good:
        fine = [
            [name(one["name"]), text(one["kind"]), _maybe(one, "records"), _maybe(one, "documents"), size(one["bytes"])]
            for one in good[:THEN]
        ]
        heads = ["File", "Kind", "#Records", "#Documents", "#Size"]
        listed = table("Files read whole", heads, fine, "files") + more(len(good) - THEN, "file")
        out += fold(f"{counted(len(good), 'file')} read whole", listed)
    return out + "</section>\n"


def _maybe(entry: Mapping[str, Any], key: str) -> str:
    """Return a number that a file may not have."""
    return number(entry[key]) if key in entry else "–"


def _damage(entry: Mapping[str, Any]) -> str:
    """Return why a file was rejected, or its first damaged records with their offsets."""
    if "reason" in entry:
        return text(entry["reason"])
    listed = entry.get("failures", [])
    lines = []
    for one in listed[:MAX_DAMAGE]:
        detail = f" <small>{text(one['detail'], 160)}</small>" if one.get("detail") else ""
        lines.append(f"<li>offset {number(one['offset'])}: {name(one['reason'])}{detail}</li>")
    rest = entry.get("failed", 0) + entry.get("cut", 0) - len(lines)
    if rest > 0:
        lines.append(f"<li>and {counted(rest, 'more record')}</li>")
    return f"<ul>{''.join(lines)}</ul>"


def signatures(report: Mapping[str, Any]) -> str:
    """Return the parameters of every stage, folded: what the numbers depend on."""
    order = {stage["stage"]: at for at, stage in enumerate(report["stages"])}
    ranked = sorted(report["signatures"].items(), key=lambda item: (order.get(item[0], len(order)), item[0]))
    tables = []
    for stage, values in ranked[:MAX_PARAMETERS]:
        listed = sorted(values.items())
        rows = [[name(key), f"<code>{text(_plain(value), MAX_VALUE)}</code>"] for key, value in listed[:MAX_PARAMETERS]]
        tables.append(table(name(stage), ["Parameter", "Value"], rows, "params"))
        tables.append(more(len(listed) - MAX_PARAMETERS, "parameter"))
    tables.append(more(len(ranked) - MAX_PARAMETERS, "stage"))
    body = "".join(tables) or '<p class="quiet">None.</p>\n'
    return f'<section class="card"><h2>Parameters</h2>\n{fold("What the numbers depend on", body)}</section>\n'


def _plain(value: object) -> str:
    """Return a value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
