"""What a run is to do: the input files, how they are cut into shards, the stages in order."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tamis.curate.ingest import Ingest
from tamis.errors import InputError
from tamis.run.corpus import Corpus
from tamis.stage import MapStage, ReduceStage, Slice, SourceFile
from tamis.storage import is_remote

Stage = MapStage | ReduceStage


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: where rows come from, the stages in order, and how the output is written."""

    stages: tuple[Stage, ...]
    files: tuple[SourceFile, ...] = ()
    rejected: tuple[Mapping[str, str], ...] = ()
    """Inputs that no reader takes: name and reason."""
    corpus: Corpus | None = None
    ingest: Ingest = field(default_factory=Ingest)
    form: str = "parquet"
    max_source_loss: float = 0.99


def group_slices(files: Sequence[SourceFile], target: int) -> list[list[Slice]]:
    """Cut files into slices and group these into shards of about ``target`` stored bytes, all about as large.

    A function of the files alone: not of workers, so that part numbers and resume keys stay the same.
    """
    from tamis.curate.readers import READERS

    total = sum(file.size for file in files)
    target = -(-total // max(1, -(-total // target)))
    groups: list[list[Slice]] = []
    held: list[Slice] = []
    room = target
    for file in files:
        cuts = list(READERS[file.kind].cuts(file, target))
        span = max(cuts[-1] - cuts[0], 1)
        for start, end in itertools.pairwise(cuts):
            if start == end:  # an empty file
                continue
            held.append(Slice(file, start, end))
            room -= file.size * (end - start) // span
            if room <= 0:
                groups.append(held)
                held, room = [], target
    if held:
        groups.append(held)
    return groups


def input_entries(files: Sequence[SourceFile], tallies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one entry per input file: ok, or partial with the damage found in it."""
    entries = []
    for file in files:
        mine = [tally[file.name] for tally in tallies if file.name in tally]
        failed = sum(tally["failed"] for tally in mine)
        cut = sum(tally["cut"] for tally in mine)
        entry: dict[str, Any] = {
            "name": file.name,
            "kind": file.kind,
            "bytes": file.size,
            "content": file.content,
            "status": "partial" if failed or cut else "ok",
            "records": sum(tally["records"] for tally in mine),
            "documents": sum(tally["documents"] for tally in mine),
        }
        if failed or cut:
            entry["failed"] = failed
            entry["cut"] = cut
            entry["failures"] = [failure for tally in mine for failure in tally["failures"]][:20]
        entries.append(entry)
    return entries


def plan_files(paths: Sequence[str], base: Path | None = None) -> tuple[list[SourceFile], list[dict[str, str]]]:
    """Find the input files below some paths; ``base`` is the folder that relative paths start from.

    Names stay as the user wrote them. Raises InputError when a path is missing or nothing is readable.
    """
    from tamis.curate.readers import plan_sources

    opened = {_from(base, path): path for path in sorted(set(paths))}
    files, rejected = plan_sources(list(opened))
    if not files:
        reasons = "; ".join(f"{item.name}: {item.reason}" for item in rejected[:3])
        raise InputError(f"nothing readable in {', '.join(paths)}" + (f" ({reasons})" if reasons else ""))

    def as_given(name: str) -> str:
        for path, given in sorted(opened.items(), key=lambda item: -len(item[0])):
            if name.startswith(path):
                return given + name[len(path) :]
        return name

    named = [replace(file, name=as_given(file.name)) for file in files]
    refused = [{"name": as_given(item.name), "status": "rejected", "reason": item.reason} for item in rejected]
    return sorted(named, key=lambda file: (file.name, file.content)), refused


def _from(base: Path | None, path: str) -> str:
    """Return a path that opens from here."""
    if base is None or is_remote(path) or Path(path).is_absolute() or str(base) in ("", "."):
        return path
    return str(base / path)
