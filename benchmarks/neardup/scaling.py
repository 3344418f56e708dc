"""How the job grows with the corpus, and inputs made to hurt: CPU, wall, memory and disk of the whole process tree."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from . import tree, truth
from .folder import PART_BYTES, finish, rows_table, write_part
from .generate import MEAN_BYTES, Plan, generate, planted
from .language import language

CHECKED: Final = 1_000_000
"""Documents up to which the result is held against exact pairs."""

SAMPLED: Final = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one job cost and left."""

    name: str
    documents: int
    cost: tree.Cost
    kept: int
    notes: dict[str, Any]
    steps: list[tuple[str, float]]
    """Label and CPU seconds of each kind of task, as ``timing.json`` has them, largest first."""

    def plain(self) -> dict[str, Any]:
        """Return it for JSON."""
        figures = {name: getattr(self.cost, name) for name in ("cpu", "wall", "rss", "disk")}
        return {
            "name": self.name,
            "documents": self.documents,
            **figures,
            "kept": self.kept,
            "notes": self.notes,
            "cpu_by_task": dict(self.steps),
        }


def dedup(name: str, corpus: Path, out: Path, options: Sequence[str]) -> Outcome | None:
    """Run the MinHash job on a corpus folder; None if it fails, with its last words on stderr."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "tamis", "curate", "dedup", str(corpus), "-o", str(out), "--by", "minhash"]
    cost = tree.run([*command, "-q", *options], out)
    if cost.code:
        print(f"{name}: exit code {cost.code}\n{cost.log[-2000:]}", file=sys.stderr)
        return None
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (corpus, out)]
    before, after = (_rows(manifest) for manifest in manifests)
    report = json.loads((out / "report.json").read_text())
    return Outcome(name, before, cost, after, _notes(report), _steps(out))


def _rows(manifest: dict[str, Any]) -> int:
    return sum(int(one["rows"]) for one in manifest["outputs"] if one["file"].startswith("part-"))


def _notes(report: Any) -> dict[str, Any]:
    """Return the notes of the report, wherever in it they lie."""
    found: dict[str, Any] = {}
    if isinstance(report, dict):
        for key, value in report.items():
            if key == "notes" and isinstance(value, dict):
                found |= value
            else:
                found |= _notes(value)
    elif isinstance(report, list):
        for value in report:
            found |= _notes(value)
    return found


def _steps(out: Path) -> list[tuple[str, float]]:
    """Return CPU seconds by label from timing.json."""
    stages = json.loads((out / "timing.json").read_text())["stages"]
    return sorted(((label, float(one["cpu_s"])) for label, one in stages.items()), key=lambda pair: -pair[1])


def warm(scratch: Path, options: Sequence[str]) -> None:
    """Run a small job, so that no kernel is compiled inside a timed one."""
    corpus = scratch / "warm"
    shutil.rmtree(corpus, ignore_errors=True)
    generate(Plan(3000), corpus)
    dedup("warm-up", corpus, scratch / "out", options)


def scale(sizes: Sequence[int], plan: Plan, scratch: Path, options: Sequence[str]) -> list[dict[str, Any]]:
    """Make and deduplicate a corpus of each size; print a line of each and the exponents."""
    rows: list[dict[str, Any]] = []
    warm(scratch, options)
    print(
        "| documents | text GB | CPU s | wall s | RSS MiB | disk GB | kept | removed | planted >= 0.8"
        " | removed / planted |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for size in sizes:
        one = Plan(size, plan.copies, plan.seed)
        corpus = scratch / f"made-{size}"
        if not (corpus / "manifest.json").is_file():
            shutil.rmtree(corpus, ignore_errors=True)
            generate(one, corpus)
        outcome = dedup(f"{size:,} documents", corpus, scratch / "out", options)
        if outcome is None:
            continue
        wanted = _planted_pairs(one)
        removed = outcome.documents - outcome.kept
        row = outcome.plain() | {"planted": wanted, "removed": removed}
        if size <= CHECKED:
            exact = truth.exact(corpus, SAMPLED)
            row["truth"] = asdict(truth.score(exact, truth.kept_rows(scratch / "out", size)))
        rows.append(row)
        print(
            f"| {size:,} | {size * MEAN_BYTES / 1e9:.2f} | {row['cpu']:.1f} | {row['wall']:.1f}"
            f" | {row['rss'] / 2**20:.0f} | {row['disk'] / 1e9:.2f} | {row['kept']:,} | {removed:,} | {wanted:,}"
            f" | {removed / max(wanted, 1):.4f} |",
            flush=True,
        )
        shutil.rmtree(scratch / "out", ignore_errors=True)
    for smaller, larger in pairwise(rows):
        _exponent(smaller, larger)
    if len(rows) > 2:
        _exponent(rows[0], rows[-1])
    for row in rows:
        print(f"{row['name']}: notes {row['notes']}; CPU by task {_largest(row)}")
        if score := row.get("truth"):
            print(
                f"  {score['sampled']:,} documents have {score['pairs']:,} exact pairs: both kept {score['left']:,};"
                f" {score['lost']:,} went with no kept one at 0.8"
            )
    return rows


def _exponent(smaller: dict[str, Any], larger: dict[str, Any]) -> None:
    ratio = math.log(larger["documents"] / smaller["documents"])
    value = math.log(larger["cpu"] / smaller["cpu"]) / ratio
    print(f"CPU exponent {smaller['documents']:,} to {larger['documents']:,}: {value:.3f}")


def _largest(row: dict[str, Any]) -> str:
    return ", ".join(f"{label} {seconds:.1f}" for label, seconds in list(row["cpu_by_task"].items())[:12])


def _planted_pairs(plan: Plan, step: int = 500_000) -> int:
    """Return how many copies are at 0.8 or above to their original."""
    total = 0
    for first in range(0, plan.documents, step):
        found = planted(plan, first, min(first + step, plan.documents))
        total += int(((found.kinds >= 0) & (found.values >= 0.8)).sum())
    return total


def _same(text: str, documents: int) -> Iterator[pa.Table]:
    """Yield rows with one text and ids of their own."""
    for first in range(0, documents, 5000):
        n = min(5000, documents - first)
        ids = pa.array([f"{i:032x}" for i in range(first, first + n)])
        yield rows_table(ids, pa.repeat(text, n).cast(pa.string()), "made", first)


def _save(folder: Path, tables: Iterable[pa.Table], rows_a_part: int) -> None:
    """Write tables as a corpus folder, so many rows a part at least."""
    entries: list[dict[str, Any]] = []
    parts = 0
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(one.num_rows for one in held) >= rows_a_part:
            entries += write_part(folder, parts, held)
            parts, held = parts + 1, []
    if held:
        entries += write_part(folder, parts, held)
    finish(folder, entries, {"benchmark": {"worst": folder.name}})


def _long_text(megabytes: int, seed: int, share: float) -> str:
    """Return one text of so many MB; ``share`` of its words are others, drawn by ``seed``."""
    lang = language(1)
    words = [bytes(row[:size]).decode() for row, size in zip(lang.letters, lang.sizes, strict=True)]
    lengths = lang.sizes + 1
    draw = np.random.default_rng(1)
    count = int(megabytes * 1e6 / lengths[lang.draw_word].mean())
    numbers = lang.draw_word[draw.integers(0, len(lang.draw_word), count)]
    other = np.random.default_rng(seed)
    edited = other.random(count) < share
    numbers = np.where(edited, lang.draw_word[other.integers(0, len(lang.draw_word), count)], numbers)
    return " ".join([words[i] for i in numbers.tolist()])


def _one_long(megabytes: int) -> Iterator[pa.Table]:
    """Yield one huge document, a near-copy of it, and small ones."""
    for row, (seed, share) in enumerate(((2, 0.0), (3, 0.005))):
        yield rows_table(pa.array([f"{row:032x}"]), pa.array([_long_text(megabytes, seed, share)]), "made", row)
    small = [f"small document number {i} about {i * 7919 % 1000} things and {i * 104729 % 997} more" for i in range(20)]
    yield rows_table(pa.array([f"{i + 2:032x}" for i in range(20)]), pa.array(small), "made", 2)


CASES: Final = ("identical", "empty", "template", "template2", "long", "identical10")

LIMITS: Final = {"identical": 10.0, "empty": 5.0, "template": 120.0}
"""Seconds of wall clock."""


def make_case(case: str, folder: Path, documents: int) -> None:
    """Write one of the cases as a corpus folder."""
    text = "All copies are equal: the same sentence in every document, of a length that is usual for a short page. " * 8
    if case.startswith("identical"):
        many = documents * (10 if case.endswith("10") else 1)
        _save(folder, _same(text, many), PART_BYTES // len(text))
    elif case == "empty":
        _save(folder, _same("", documents), 250_000)
    elif case == "long":
        _save(folder, _one_long(max(documents // 2000, 1)), 1)
    else:
        rate = 0.02 if case == "template2" else 0.01
        generate(Plan(documents, 1.0, 1, (rate,), 1, 1.0, least_edits=1), folder)


def worst(cases: Sequence[str], documents: int, scratch: Path, options: Sequence[str]) -> list[dict[str, Any]]:
    """Run the cases; print a line of each."""
    rows = []
    warm(scratch, options)
    print("| case | documents | CPU s | wall s | limit | RSS MiB | disk GB | kept | overflow | comparisons |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in cases:
        corpus = scratch / f"worst-{case}-{documents}"
        if not (corpus / "manifest.json").is_file():
            shutil.rmtree(corpus, ignore_errors=True)
            make_case(case, corpus, documents)
        outcome = dedup(case, corpus, scratch / "out", options)
        if outcome is None:
            continue
        row = outcome.plain()
        rows.append(row)
        notes = row["notes"]
        limit = f"{LIMITS[case]:g} s" if case in LIMITS and documents >= 1_000_000 else ""
        print(
            f"| {case} | {row['documents']:,} | {row['cpu']:.1f} | {row['wall']:.1f} | {limit}"
            f" | {row['rss'] / 2**20:.0f} | {row['disk'] / 1e9:.2f} | {row['kept']:,}"
            f" | {notes.get('bucket_overflow', 0):,} | {notes.get('comparisons', 0):,} |",
            flush=True,
        )
        shutil.rmtree(scratch / "out", ignore_errors=True)
    for row in rows:
        print(f"{row['name']}: notes {row['notes']}; CPU by task {_largest(row)}")
    return rows
