"""Documents with equal keys: one is kept, the others point at it. Out of core, by ranges of the key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.curate.dedup.flow import (
    Numbering,
    load_pairs,
    range_bits,
    save_pairs,
    write_removals,
)
from tamis.curate.dedup.records import RECORD, Records, keeper_order
from tamis.run.ledger import task_key
from tamis.stage import Done, Engine, ReduceStage, ShardView, Task

MapCall = Callable[..., dict[str, Any]]


def reduce_equal(
    stage: ReduceStage, call: MapCall, reason: str, shards: Sequence[ShardView], engine: Engine
) -> list[Done]:
    """Keep one document per key.

    Args:
        stage: The stage; its signature goes into every task key, itself to ``call``.
        call: ``call(view, stage, bits, out)`` writes the record files of a shard and may return ``notes``.
        reason: Reason of every removal.
        shards: The shards.
        engine: Runs the tasks.
    """
    if not shards:
        return []
    numbers = Numbering.of(shards)
    views = [shards[i] for i in numbers.order]
    signature = stage.signature()
    bits = range_bits(numbers.total)
    maps = [
        Task(
            task_key(signature, "keys", view.key, bits),
            f"{stage.kind}: keys",
            call,
            (view, stage, bits),
        )
        for view in views
    ]
    mapped = engine.run(maps)
    folders = [done.folder for done in mapped]
    ranges = engine.run(collapse_tasks(signature, stage.kind, [task.key for task in maps], folders, numbers, bits))
    key = task_key(signature, "merge", [task.key for task in maps], bits)
    merge = Task(key, f"{stage.kind}: merge", merge_pairs, ([done.folder for done in ranges],))
    [merged] = engine.run([merge])
    removals = [
        Task(
            task_key(signature, "removals", key, position),
            f"{stage.kind}: removals",
            write_removals,
            (merged.folder, position, numbers.bases, folders, (reason, 1.0)),
        )
        for position in range(len(views))
    ]
    done = [
        replace(one, result={**one.result, "notes": source.result.get("notes", {})})
        for one, source in zip(engine.run(removals), mapped, strict=True)
    ]
    return numbers.given(done)


def collapse_tasks(
    signature: dict[str, Any], kind: str, keys: list[str], folders: list[Path], numbers: Numbering, bits: int
) -> list[Task]:
    """Return one task per range of the key, each finding the equal keys of its range in all shards."""
    return [
        Task(
            task_key(signature, "equal", keys, bits, part),
            f"{kind}: equal keys",
            collapse_range,
            (folders, numbers.bases, part),
        )
        for part in range(1 << bits)
    ]


def collapse_range(folders: Sequence[Path], bases: Sequence[int], part: int, out: Path) -> dict[str, Any]:
    """Write, for each document of the range whose key a better one has, the pair of the two."""
    found = [np.empty(0, RECORD)]
    docs = [np.empty(0, np.int64)]
    for folder, base in zip(folders, bases, strict=False):
        stored = Records(folder)
        rows = stored.rows_in(part)
        found.append(stored.all[rows])
        docs.append(rows + base)
    records, numbers = np.concatenate(found), np.concatenate(docs)
    shared = _not_alone(records["key"][:, 0])
    records, numbers = records[shared], numbers[shared]
    best = keeper_order(records)
    records, numbers = records[best], numbers[best]
    # Stable, so that within a key the order of the keepers stays.
    grouped = np.lexsort((records["key"][:, 1], records["key"][:, 0]))
    keys, numbers = records["key"][grouped], numbers[grouped]
    first = np.ones(len(keys), np.bool_)
    first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    keepers = numbers[np.flatnonzero(first)][np.cumsum(first) - 1]
    save_pairs(out, numbers[~first], keepers[~first], np.ones(int((~first).sum())))
    return {"removed": int((~first).sum())}


def _not_alone(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the positions, rising, of the values that occur more than once: mostly few, and only they need ranking."""
    order = np.argsort(values)
    same = values[order[1:]] == values[order[:-1]]
    shared = np.zeros(len(values), np.bool_)
    shared[order[1:][same]] = True
    shared[order[:-1][same]] = True
    return np.flatnonzero(shared)


def merge_pairs(folders: Sequence[Path], out: Path) -> dict[str, Any]:
    """Write the pairs of all ranges as one file by rising document number."""
    pairs = load_pairs(folders)
    save_pairs(out, pairs["doc"], pairs["keeper"], pairs["value"])
    return {"removed": len(pairs)}
