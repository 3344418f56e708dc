"""How many bands of how many rows: what banded MinHash finds at which similarity.

Two documents of Jaccard similarity s agree in a band of r rows with probability s**r, and share a bucket with
1 - (1 - s**r)**b: an S-curve over s (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4).
"""

from __future__ import annotations

from typing import Any, Final

from tamis.errors import UsageError

RECALL: Final = 0.99
"""Part of the pairs at the threshold that must share a bucket."""

_STEPS: Final = 1000
_BAR: Final = 40


def probability(similarity: float, bands: int, rows: int) -> float:
    """Return the probability that two documents of this Jaccard similarity share a bucket."""
    return float(1 - (1 - similarity**rows) ** bands)


def choose_bands(
    threshold: float, permutations: int, bands: int | None = None, rows: int | None = None, recall: float = RECALL
) -> tuple[int, int]:
    """Return bands and rows for this threshold; what is given stays, and if both are, ``recall`` is not asked for.

    The most rows that reach ``recall``, since they make the fewest false candidates, and then all bands that fit,
    since they cost little: 21 bands of 6 for 0.8 and 128 permutations.

    Raises:
        UsageError: Where nothing reaches the recall, or what is given does not fit.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"threshold is {threshold}, expected above 0 and at most 1")
    if bands is not None and rows is not None:
        if bands < 1 or rows < 1 or bands * rows > permutations:
            raise UsageError(
                f"bands x rows is {bands} x {rows}, expected at least 1 x 1 and a product of at most {permutations},"
                " the number of permutations"
            )
        return bands, rows
    for name, value in (("bands", bands), ("rows", rows)):
        if value is not None and not 1 <= value <= permutations:
            raise UsageError(f"{name} is {value}, expected 1 to {permutations}, the number of permutations")
    most = permutations // (bands or 1)
    for count in [rows] if rows is not None else range(most, 0, -1):
        fitting = bands or permutations // count
        if probability(threshold, fitting, count) >= recall:
            return fitting, count
    raise UsageError(_out_of_reach(threshold, permutations, (bands, rows), recall))


def _out_of_reach(threshold: float, permutations: int, given: tuple[int | None, int | None], recall: float) -> str:
    bands, rows = given
    best = (bands or permutations // (rows or 1), rows or 1)
    found = probability(threshold, *best)
    asked = f"bands {bands}" if bands else f"rows {rows}" if rows else ""
    return (
        f"at best {found:.3f} of the pairs at {threshold:g} are found with {permutations} permutations"
        f"{asked and ' and ' + asked} ({best[0]} x {best[1]}), expected {recall:g} or more;"
        f" {asked and f'leave out {asked}, '}raise permutations or the threshold, or give both bands and rows"
    )


def describe_parameters(
    threshold: float, permutations: int, bands: int | None = None, rows: int | None = None
) -> dict[str, Any]:
    """Return what these parameters find, as plain numbers.

    ``curve``: probability at similarities 0.1 to 1.0 and at the threshold. ``false_candidates`` and ``missed``: part
    of the pairs below and from the threshold on that are compared in vain or not found, were pairs spread evenly over
    similarities (in a crawl nearly all are at 0, where next to none is a candidate). ``alternatives``: the same for
    other rows with all bands that fit; ``bytes``: of band keys for a document.
    """
    bands, rows = choose_bands(threshold, permutations, bands, rows)
    points = sorted({round(step / 10, 1) for step in range(1, 11)} | {threshold})
    others = {count: permutations // count for count in range(max(1, rows - 3), min(permutations, rows + 3) + 1)}
    shapes = sorted({(others[count], count) for count in others} | {(bands, rows)}, key=lambda shape: shape[::-1])
    return {
        "threshold": threshold,
        "permutations": permutations,
        **_judged(threshold, bands, rows),
        "curve": [{"similarity": point, "probability": probability(point, bands, rows)} for point in points],
        "alternatives": [_judged(threshold, *shape) for shape in shapes if shape != (bands, rows)],
    }


def _judged(threshold: float, bands: int, rows: int) -> dict[str, Any]:
    missed = 1 - _mean(threshold, 1.0, bands, rows) if threshold < 1 else 0.0
    return {
        "bands": bands,
        "rows": rows,
        "recall": probability(threshold, bands, rows),
        "false_candidates": _mean(0.0, threshold, bands, rows),
        "missed": missed,
        "bytes": 8 * bands,
    }


def _mean(low: float, high: float, bands: int, rows: int) -> float:
    """Return the mean probability between two similarities, by the midpoint rule."""
    width = (high - low) / _STEPS
    return sum(probability(low + (i + 0.5) * width, bands, rows) for i in range(_STEPS)) / _STEPS


def explain_parameters(
    threshold: float, permutations: int, bands: int | None = None, rows: int | None = None
) -> list[str]:
    """Return lines that show the S-curve of these parameters, and what others would give."""
    told = describe_parameters(threshold, permutations, bands, rows)
    values = told["bands"] * told["rows"]
    lines = [
        f"{told['bands']} bands of {told['rows']} rows ({values} of {permutations} permutations):",
        f"{told['recall']:.4f} of the pairs at {threshold:g} share a bucket and are compared.",
        "",
        "similarity  share a bucket",
    ]
    for point in told["curve"]:
        bar = "#" * round(point["probability"] * _BAR)
        mark = "  <- threshold" if point["similarity"] == threshold else ""
        lines.append(f"{point['similarity']:10.4g}  {point['probability']:14.6f}  {bar.ljust(_BAR)}{mark}".rstrip())
    lines += [
        "",
        "Were pairs spread evenly over similarities, of those below the threshold"
        f" {told['false_candidates']:.1%} would be",
        f"compared in vain, of those from it on {told['missed']:.2%} missed. In a crawl nearly all pairs are near 0.",
        "",
        "bands x rows  at threshold  in vain  missed  key bytes per document",
    ]
    every = sorted([told, *told["alternatives"]], key=lambda one: (one["rows"], one["bands"]))
    for one in every:
        shape = f"{one['bands']} x {one['rows']}"
        mark = "  <- used" if (one["bands"], one["rows"]) == (told["bands"], told["rows"]) else ""
        lines.append(
            f"{shape:>12}  {one['recall']:12.4f}  {one['false_candidates']:7.1%}  {one['missed']:6.2%}"
            f"  {one['bytes']:22}{mark}"
        )
    return lines
