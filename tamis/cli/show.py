"""A report as a table for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def summary(report: Mapping[str, Any], say: Callable[[str], None], verbose: bool = False) -> None:
    """Write a report line by line: per stage what came, stayed and left for which reason, and the sum."""
    for stage in report["stages"]:
        _stage(stage, say)
    total = report["total"]
    say("")
    say(f"{'total':<24}{'in':>12}{'kept':>12}{'dropped':>12}{'failed':>12}")
    say(f"{'':<24}" + "".join(f"{total[key]:>12,}" for key in ("in", "kept", "dropped", "failed")))
    check = "adds up" if total["balanced"] else "DOES NOT ADD UP"
    parts = " + ".join(f"{total[key]:,}" for key in ("kept", "dropped", "failed"))
    say(f"in = kept + dropped + failed: {total['in']:,} = {parts} ({check})")
    size = total["kept_size"]
    say(f"kept {size['bytes']:,} bytes, {size['characters']:,} characters, {size['tokens']:,} word tokens")
    _inputs(report["inputs"], say, verbose)
    for alarm in report["alarms"]:
        most = f", most of them at {alarm['stage']} ({alarm['taken']:,})" if "stage" in alarm else ""
        say(f"ALARM: {alarm['source']} lost {alarm['loss']:.1%} of its {alarm['in']:,} documents{most}")


def _stage(stage: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Write one stage."""
    came, kept = stage["in"]["documents"], stage["kept"]["documents"]
    say(f"{stage['stage']:<24}{came:>12,} in{kept:>12,} kept")
    for outcome in ("dropped", "failed"):
        for reason, size in sorted(stage[outcome].items(), key=lambda item: (-item[1]["documents"], item[0])):
            say(f"    {outcome:<8}{size['documents']:>10,}  {reason}")
    for name, value in stage["notes"].items():
        say(f"    note    {value:>10,}  {name}")


def _inputs(inputs: list[Mapping[str, Any]], say: Callable[[str], None], verbose: bool) -> None:
    """Write how the input files fared; those without trouble by name only if asked."""
    states = [entry["status"] for entry in inputs]
    counts = ", ".join(f"{states.count(state):,} {state}" for state in ("ok", "partial", "rejected") if state in states)
    say(f"inputs: {counts}")
    for entry in inputs:
        if entry["status"] == "rejected":
            say(f"    rejected {entry['name']}: {entry['reason']}")
        elif entry["status"] == "partial":
            first = entry["failures"][0]
            where = f"first at {first['offset']:,} ({first['reason']})"
            cut = f", {entry['cut']:,} kept cut short" if entry["cut"] else ""
            say(f"    partial  {entry['name']}: {entry['failed']:,} failed{cut}, {where}")
        elif verbose:
            say(f"    ok       {entry['name']}: {entry['records']:,} records, {entry['documents']:,} documents")
