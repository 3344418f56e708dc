"""report.json: the sum in = kept + dropped + failed at every stage and in total, per source and per input file."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from tamis.errors import TamisError
from tamis.run.counts import UNITS, Counts, Size

REPORT_VERSION: Final = 1

MIN_ALARM_DOCUMENTS: Final = 10
"""A source of fewer documents may well lose them all without anything being wrong."""

MAX_SOURCES: Final = 200
"""Sources listed by name; beyond that they are added up by folder."""


@dataclass(frozen=True, slots=True)
class StageCounts:
    """The bill of one stage of a run."""

    label: str
    kind: str
    counts: Counts
    signature: Mapping[str, Any] = field(default_factory=dict)


def build_report(
    stages: Sequence[StageCounts], inputs: Sequence[Mapping[str, Any]], max_source_loss: float
) -> dict[str, Any]:
    """Return the report of a run; raise TamisError if rows are unaccounted for (that would be a bug).

    A source raises an alarm when it loses a larger share of its documents than ``max_source_loss`` (0 to 1) in the
    stages after reading; files of a few documents are judged together, by folder. It names the stage that took most.
    """
    billed = [_stage(stage) for stage in stages]
    for earlier, later in itertools.pairwise(stages):
        if earlier.counts.kept[0] != later.counts.came[0]:
            raise TamisError(f"rows lost between {earlier.label} and {later.label}: this is a bug in tamis")
    total = _total(stages)
    sources = _sources(stages)
    alarms = [
        {"source": name, "in": came, "kept": kept, "loss": round(1 - kept / came, 6)}
        | _most_taken(name, sources, stages)
        for name, (came, kept) in _worth_an_alarm(sources).items()
        if 1 - kept / came > max_source_loss
    ]
    rolled = _roll_up(sources)
    return {
        "version": REPORT_VERSION,
        "stages": billed,
        "total": total,
        "sources": {
            name: {"in": came, "kept": kept, "loss": round(1 - kept / came, 6) if came else 0.0}
            for name, (came, kept) in rolled.items()
        },
        "max_source_loss": max_source_loss,
        "alarms": alarms[:MAX_SOURCES],
        "alarm_count": len(alarms),
        "inputs": list(inputs),
        "signatures": {stage.label: dict(stage.signature) for stage in stages},
    }


def _named(size: Iterable[int]) -> dict[str, int]:
    """Return a size with the names of its units."""
    return dict(zip(UNITS, size, strict=True))


def _stage(stage: StageCounts) -> dict[str, Any]:
    """Return the bill of a stage, its documents checked to add up."""
    counts = stage.counts
    bill: dict[str, Any] = {
        "stage": stage.label,
        "kind": stage.kind,
        "in": _named(counts.came),
        "kept": _named(counts.kept),
        "notes": dict(sorted(counts.notes.items())),
    }
    for outcome, reasons in counts.gone.items():
        bill[outcome] = {reason: _named(size) for reason, size in sorted(reasons.items())}
    gone = sum(size[0] for reasons in counts.gone.values() for size in reasons.values())
    if counts.came[0] != counts.kept[0] + gone:
        raise TamisError(f"{stage.label}: {counts.came[0]} rows in, {counts.kept[0]} kept, {gone} gone: a bug in tamis")
    return bill


def _total(stages: Sequence[StageCounts]) -> dict[str, Any]:
    """Return the bill of the whole run in documents, by stage and reason."""
    gone: dict[str, dict[str, int]] = {"dropped": {}, "failed": {}}
    for stage in stages:
        for outcome, reasons in stage.counts.gone.items():
            for reason, size in sorted(reasons.items()):
                gone[outcome][f"{stage.label}: {reason}"] = size[0]
    came: Size = stages[0].counts.came if stages else [0, 0, 0, 0]
    kept: Size = stages[-1].counts.kept if stages else [0, 0, 0, 0]
    dropped, failed = (sum(gone[outcome].values()) for outcome in ("dropped", "failed"))
    return {
        "in": came[0],
        "kept": kept[0],
        "dropped": dropped,
        "failed": failed,
        "balanced": came[0] == kept[0] + dropped + failed,
        "kept_size": _named(kept),
        "by_reason": gone,
    }


def _sources(stages: Sequence[StageCounts]) -> dict[str, tuple[int, int]]:
    """Return per source the documents that came out of reading and those kept at the end."""
    judged = [stage for stage in stages if stage.kind != "ingest"] or list(stages)
    if not judged:
        return {}
    first, last = judged[0].counts.sources, judged[-1].counts.sources
    names = sorted({*first, *last})
    return {name: (first.get(name, [0, 0])[0], last.get(name, [0, 0])[1]) for name in names}


def _worth_an_alarm(sources: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Return the sources large enough to judge, those too small added up by folder."""
    grouped: dict[str, tuple[int, int]] = {}
    for name, (came, kept) in sources.items():
        group = _group(name, came)
        old = grouped.get(group, (0, 0))
        grouped[group] = (old[0] + came, old[1] + kept)
    return {name: size for name, size in sorted(grouped.items()) if size[0] >= MIN_ALARM_DOCUMENTS}


def _group(name: str, came: int) -> str:
    """Return under which name a source is judged: its own, or its folder's where it has few documents."""
    return name if came >= MIN_ALARM_DOCUMENTS else f"{PurePosixPath(name).parent}/"


def _most_taken(
    group: str, sources: Mapping[str, tuple[int, int]], stages: Sequence[StageCounts]
) -> dict[str, str | int]:
    """Return which stage after reading took most of the documents of a source, the first of equals, and how many."""
    members = [name for name, (came, _) in sources.items() if _group(name, came) == group]
    lost = {}
    for stage in stages:
        if stage.kind != "ingest" or len(stages) == 1:
            pairs = [stage.counts.sources.get(name, [0, 0]) for name in members]
            lost[stage.label] = sum(came - kept for came, kept in pairs)
    worst = max(lost, key=lambda label: lost[label])
    return {"stage": worst, "taken": lost[worst]}


def _roll_up(sources: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Add sources up by folder until few enough are left to read."""
    rolled = dict(sources)
    while len(rolled) > MAX_SOURCES:
        depth = max(name.rstrip("/").count("/") for name in rolled)
        upper: dict[str, tuple[int, int]] = {}
        for name, (came, kept) in rolled.items():
            if name.rstrip("/").count("/") == depth:
                parent = str(PurePosixPath(name).parent)
                name = f"{parent}/" if parent != name.rstrip("/") else "(all)"
            old = upper.get(name, (0, 0))
            upper[name] = (old[0] + came, old[1] + kept)
        if len(upper) == len(rolled):
            break
        rolled = upper
    return dict(sorted(rolled.items()))
