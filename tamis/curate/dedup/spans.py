"""The tasks of deduplication below the document: runs of units, where they repeat, what is cut or dropped for it.

Out of core: each shard writes the hashes of its runs; each range of hashes is grouped by itself; each shard reads what
was found of it. Nothing depends on the order of shards, on workers or on memory: the best document keeps its copy, the
best by ``records.keeper_order``, and in it the first place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from tamis.curate.dedup.cover import Verdicts, decide, settle, write_cover
from tamis.curate.dedup.grain import GATHERED, Grain, grain_runs, marked_runs
from tamis.curate.dedup.layout import Layout, Numbering
from tamis.curate.dedup.repeats import ITEM_BYTES, link_range, range_bits
from tamis.curate.dedup.runs import PART_ITEMS
from tamis.run.ledger import task_key
from tamis.stage import Done, Engine, ShardView, Task
from tamis.text.kinds import identity

ROOM_BYTES: Final = 100
"""Memory of a task that writes or reads the runs of a shard, per run held; a single document may take more."""

LITTLE_ROOM: Final = PART_ITEMS >> 3
"""Runs held where a task's share of memory has no room for ``PART_ITEMS``."""


def reduce_spans(
    kind: str, grain: Grain, verdicts: Verdicts, shards: Sequence[ShardView], engine: Engine
) -> list[Done]:
    """Run the tasks; see ``ReduceStage.reduce``. Notes: ``documents_cut``, ``spans_cut``, ``bytes_cut``."""
    return _Flow(kind, grain, verdicts, shards, engine).run() if shards else []


class _Flow:
    """The tasks of one run of a stage, in the order in which they depend on each other."""

    def __init__(
        self, kind: str, grain: Grain, verdicts: Verdicts, shards: Sequence[ShardView], engine: Engine
    ) -> None:
        self._label, self._grain, self._verdicts, self._engine = kind + ": ", grain, verdicts, engine
        self._numbers = Numbering.of(shards)
        self._views = [shards[i] for i in self._numbers.order]
        self._share = engine.memory // engine.workers
        self._room = PART_ITEMS if self._share >= 2 * PART_ITEMS * ROOM_BYTES else LITTLE_ROOM
        self._content = task_key("content", [view.key for view in self._views])

    def run(self) -> list[Done]:
        """Run all steps; return the folders of the removals in the order in which the shards were given."""
        bases = self._numbers.bases
        runs = self._engine.run([self._runs(view) for view in self._views])
        layout = Layout(self._numbers, tuple(done.folder for done in runs))
        if self._grain.gram:
            grams = self._links(layout, runs, "repeated grams", True)
            records = [done.folder for done in runs]
            runs = self._engine.run(
                [
                    self._task(
                        "marked runs", marked_runs, (view, self._grain, records[i], (grams, i, bases[i]), self._room), i
                    )
                    for i, view in enumerate(self._views)
                ]
            )
        links = self._links(layout, runs, "repeats", False)
        decided = self._engine.run(
            [
                self._task(
                    "spans", decide, (view, self._grain, self._verdicts, (runs[i].folder, links, i, bases[i])), i
                )
                for i, view in enumerate(self._views)
            ]
        )
        folders = [done.folder for done in decided]
        [settled] = self._engine.run([self._task("keepers", settle, (folders,), 0)])
        removals = self._engine.run(
            [
                self._task("removals", write_cover, (layout, self._verdicts, folder, settled.folder, i), i)
                for i, folder in enumerate(folders)
            ]
        )
        done = [
            replace(one, result={**one.result, "notes": source.result["notes"]})
            for one, source in zip(removals, decided, strict=True)
        ]
        return self._numbers.given(done)

    def _runs(self, view: ShardView) -> Task:
        key = task_key(identity(), asdict(self._grain), "runs", self._room, view.key)
        return Task(key, self._label + "runs", grain_runs, (view, self._grain, self._room), self._memory)

    def _task(self, step: str, call: Any, args: tuple[Any, ...], part: int, memory: int | None = None) -> Task:
        rules = asdict(self._verdicts) if step in ("spans", "keepers", "removals") else {}
        key = task_key(identity(), asdict(self._grain), rules, step, self._room, self._content, part)
        return Task(key, self._label + step, call, args, self._memory if memory is None else memory)

    @property
    def _memory(self) -> int:
        return self._room * ROOM_BYTES + 4 * GATHERED

    def _links(self, layout: Layout, runs: Sequence[Done], step: str, every: bool) -> list[Path]:
        """Group the runs of all shards; return the folder of each range of hashes."""
        total = sum(done.result["items"] for done in runs)
        bits = range_bits(total, self._share)
        folders = [done.folder for done in runs]
        memory = (total >> bits) * ITEM_BYTES
        tasks = [
            self._task(f"{step}/{bits}", link_range, (layout, folders, (part, bits), every), part, memory)
            for part in range(1 << bits)
        ]
        tasks = [replace(task, label=self._label + step) for task in tasks]
        return [done.folder for done in self._engine.run(tasks)]
