"""Small pieces of a report page: escaped text, numbers, shares, bars as inline SVG, tables and folds."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any, Final

Segment = tuple[str, int]
"""One part of a bar: its name (``kept``, ``dropped``, ``failed``, ``cut``) and its size."""

SEEN: Final = 2
"""Pixels that the smallest part of a bar gets, so that one document in a million can still be seen."""

MAX_TEXT: Final = 300
"""Characters of one name, reason or value that are shown."""


def text(value: object, limit: int = MAX_TEXT) -> str:
    """Return a value as HTML text that cannot be markup.

    What cannot be printed (controls, half surrogates, marks that turn the direction of writing) is shown by its code
    point; beyond ``limit`` characters the middle is left out, because names differ at their ends.
    """
    whole = str(value)
    if len(whole) > limit:
        half = limit // 2
        whole = f"{whole[:half]} … {whole[-half:]}"
    return html.escape("".join(char if _printable(char) else f"\\u{ord(char):04x}" for char in whole))


def _printable(char: str) -> bool:
    """Tell if a character is safe to show; the wide and the no-break space are."""
    return char.isprintable() or char in "\u3000\u00a0"


def name(value: object) -> str:
    """Return a file name or key as HTML in code type, its direction of writing kept from its surroundings."""
    return f"<bdi><code>{text(value)}</code></bdi>"


def number(value: int) -> str:
    """Return a whole number with thousands separators."""
    return f"{value:,}"


def share(part: int, whole: int) -> str:
    """Return a part of a whole in percent; what rounds to none or all but is not says so."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.05:
        return "&lt;0.1%"
    if 99.95 <= percent < 100:
        return "&gt;99.9%"
    return f"{percent:.1f}%"


def counted(value: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def size(bytes_: int) -> str:
    """Return a number of bytes in a unit for people (powers of 1,000)."""
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if bytes_ >= 1000**power:
            return f"{bytes_ / 1000**power:.1f} {unit}"
    return counted(bytes_, "byte")


def widths(parts: Sequence[Segment], whole: int, across: int) -> list[float]:
    """Return the widths of the parts of a bar in percent of ``whole``.

    A part that is not zero is never too thin to see in a bar about ``across`` pixels wide; what it gains the widest
    part gives.
    """
    if whole <= 0:
        return [0.0 for _ in parts]
    least = 100 * SEEN / across
    true = [100 * max(value, 0) / whole for _, value in parts]
    shown = [max(width, least) if width else 0.0 for width in true]
    if shown:
        widest = max(range(len(shown)), key=shown.__getitem__)
        shown[widest] = max(shown[widest] - (sum(shown) - sum(true)), least if true[widest] else 0.0)
    return shown


def bar(parts: Sequence[Segment], whole: int, told: str, *, across: int, height: int = 10, link: int = 0) -> str:
    """Return a stacked bar as inline SVG, as wide as its surroundings.

    Args:
        parts: the parts from left to right; their names are the CSS classes of their colours.
        whole: the size that fills the full width.
        told: the text for those who do not see the picture.
        across: about how wide the bar is on a screen, in pixels.
        height: of the bar in pixels.
        link: pixels below the bar through which its first part flows on to the next bar.
    """
    drawn = []
    left = 0.0
    shown = widths(parts, whole, across)
    for (kind, value), width in zip(parts, shown, strict=True):
        if width:
            place = f'x="{left:.3f}%" width="{width:.3f}%"'
            title = f"<title>{kind} {number(value)}</title>"
            drawn.append(f'<rect class="{kind}" {place} y="0" height="{height}">{title}</rect>')
        left += width
    if link and shown and shown[0]:
        drawn.append(f'<rect class="link" x="0" width="{shown[0]:.3f}%" y="{height}" height="{link}"/>')
    inside = f"<title>{text(told)}</title>" + "".join(drawn)
    return f'<svg role="img" class="bar" width="100%" height="{height + link}">{inside}</svg>'


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """Return a table; a head that starts with ``#`` is of a column of numbers, set to the right.

    Caption, heads and cells are HTML. The first cell of a row is its head.
    """
    classes = ["num" if head.startswith("#") else "" for head in heads]
    top = "".join(_cell("th", head.lstrip("#"), of, "col") for head, of in zip(heads, classes, strict=True))
    body = []
    for row in rows:
        cells = [_cell("td" if at else "th", cell, classes[at], "" if at else "row") for at, cell in enumerate(row)]
        body.append(f"<tr>{''.join(cells)}</tr>\n")
    return (
        f'<div class="wide"><table class="{kind}"><caption>{caption}</caption>\n'
        f"<thead><tr>{top}</tr></thead>\n<tbody>\n{''.join(body)}</tbody></table></div>\n"
    )


def _cell(tag: str, inside: str, kind: str, scope: str) -> str:
    """Return a cell of a table."""
    marks = (f' class="{kind}"' if kind else "") + (f' scope="{scope}"' if scope else "")
    return f"<{tag}{marks}>{inside}</{tag}>"


def fold(label: str, inside: str) -> str:
    """Return a section that opens on a click."""
    return f"<details><summary>{label}</summary>\n{inside}</details>\n"


def more(left: int, one: str, many: str | None = None) -> str:
    """Return the line that says how much is not shown, or nothing."""
    return (
        f'<p class="more">and {counted(left, "more " + one, "more " + (many or one + "s"))}</p>\n' if left > 0 else ""
    )


def tag(word: str, kind: str) -> str:
    """Return a word as a small mark in the colour of its kind."""
    return f'<span class="tag {kind}">{word}</span>'


def folded_table(rows: Sequence[Sequence[str]], first: int, all_: int, noun: str, **make: Any) -> str:
    """Return a table of the ``first`` rows, the other rows folded below it, and the number of those not among them.

    ``all_`` is how many rows there would be; ``make`` holds what table() takes besides the rows.
    """
    out = table(rows=rows[:first], **make)
    if len(rows) > first:
        rest = table(rows=rows[first:], **make) + more(all_ - len(rows), noun)
        out += fold(f"and {counted(all_ - first, 'more ' + noun, 'more ' + noun + 's')}", rest)
    return out
