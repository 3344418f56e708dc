"""What ``tamis curate explain`` and ``dedup --audit`` tell people of documents and their differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

LONGEST: Final = 300
"""Characters of a change that are shown; the middle of a longer one is left out."""


def told(entry: Mapping[str, Any], changes: int) -> str:
    """Return one document's way; colours are for ``click.echo``, which takes them out where no terminal is."""
    lines = [f"{entry['id']}  {entry['url'] or ''}".rstrip(), f"  from     {entry['source']}"]
    lines.append(f"  {_fate(entry)}")
    if entry["outcome"] != "kept":
        lines += _reasons(entry)
    if "keeper" in entry:
        lines += _keeper(entry["keeper"], entry["evidence"], changes)
    elif entry["detail"]:
        lines.append(f"  detail   {entry['detail']}")
    if "before" in entry:
        lines.append(f"  before   another text in {entry['before']['file']}")
        lines += difference_lines(entry["before"]["difference"], changes)
    if entry["text"]:
        lines.append(f"  text     {entry['text'][:200]!r}")
    return "\n".join(lines)


def _fate(entry: Mapping[str, Any]) -> str:
    """Say where a document is now."""
    if entry["outcome"] == "kept":
        return f"kept     in {entry['file']}"
    return f"{entry['outcome']:<8} at {entry['stage']}: {entry['reason']}"


def _reasons(entry: Mapping[str, Any]) -> list[str]:
    """Say by which value and threshold a document left."""
    bound = "" if entry["threshold"] is None else f", threshold {entry['threshold']:g}"
    value = "" if entry["value"] is None else f"{entry['value']:g}{bound}"
    if entry["rule"]:
        return [f"  rule     {entry['rule']}" + (f": {value}" if value else "")]
    return [f"  value    {value}"] if value else []


def _keeper(keeper: Mapping[str, Any], evidence: Mapping[str, Any] | None, changes: int) -> list[str]:
    """Say which document stayed, where it is now, and how the two differ."""
    lines: list[str] = []
    if evidence:
        parameters = ", ".join(f"{key} {value}" for key, value in evidence["parameters"].items())
        lines.append(f"  method   {evidence['method']}" + (f" ({parameters})" if parameters else ""))
    if not keeper["found"]:
        lines.append(f"  keeper   {keeper['id']}")
        lines.append("           neither in this corpus nor in those it was made from: it came from an index of other")
        lines.append("           documents, or the folder that holds it was moved or deleted")
        return lines
    lines.append(f"  keeper   {keeper['id']}  {keeper['url'] or ''}".rstrip())
    lines.append(f"    from     {keeper['source']}")
    lines.append(f"    {_fate(keeper)}" + ("" if keeper["outcome"] == "kept" else f", in {keeper['file']}"))
    return lines + difference_lines(keeper["difference"], changes)


def difference_lines(difference: Mapping[str, Any], most: int) -> list[str]:
    """Return a line per change, ``[-from-]{+to+}`` between what both texts have, and what was left out."""
    count = difference["changes"]
    if not count:
        return ["  differs  nowhere: the two texts are equal"]
    lines = [f"  differs  in {count:,} place{'s' if count > 1 else ''}: [-this text-], {{+the other+}}"]
    if difference["cut"]:
        lines.append("           the texts are long and unlike: changes are shown coarser than they are")
    for hunk in difference["hunks"][:most]:
        lines.append(f"    {one_line(hunk['before'])}{excerpt(hunk)}{one_line(hunk['after'])}")
    if count > most:
        lines.append(f"    … and {count - most:,} more")
    return lines


def excerpt(hunk: Mapping[str, Any], longest: int = LONGEST) -> str:
    """Return one change as ``[-from-]{+to+}``."""
    gone, come = _short(hunk["from"]["text"], longest), _short(hunk["to"]["text"], longest)
    return (click.style(f"[-{gone}-]", fg="red") if gone else "") + (
        click.style(f"{{+{come}+}}", fg="green") if come else ""
    )


def one_line(text: str) -> str:
    """Make line ends visible, and other control characters harmless to a terminal."""
    return "".join("⏎" if c == "\n" else c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)


def _short(text: str, longest: int) -> str:
    """Shorten a stretch in the middle."""
    if len(text) > longest:
        half = longest // 2
        text = f"{text[:half]} … {len(text) - 2 * half:,} characters … {text[-half:]}"
    return one_line(text)
