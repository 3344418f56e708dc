"""The tasks of one near-duplicate run, in the order in which they depend on each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tamis.curate.dedup.bands import KEY_BYTES, band_buckets, band_groups, bucket_files, range_size
from tamis.curate.dedup.components import (
    Weights,
    batches,
    components,
    least_agreement,
    sketches,
    without_weak_links,
)
from tamis.curate.dedup.equal import collapse, removal_tasks
from tamis.curate.dedup.index import Index, index_records, index_sets, index_sketches
from tamis.curate.dedup.keys import range_bits
from tamis.curate.dedup.layout import Layout, Numbering
from tamis.curate.dedup.minhash import MinhashDedup
from tamis.curate.dedup.pairs import Resolved, merge_pairs
from tamis.curate.dedup.rounds import blocks, compare_block, sieve_block
from tamis.curate.dedup.sets import HELD, Sections, candidate_sets, members
from tamis.curate.dedup.sieve import Rule, sieve_batch
from tamis.curate.dedup.signing import signature_records
from tamis.run.ledger import task_key
from tamis.stage import Done, Engine, ShardView, Task

MEMBER_BYTES: Final = 48
"""What a document's membership of one bucket takes in the sieve."""

DOCUMENT_BYTES: Final = 250
"""What a document takes there besides its sets and memberships."""

MOST_BATCH: Final = 128 << 20
"""Bytes of a batch where there is memory for more: enough to be worth a task, small enough to share out."""


class Flow:
    """One run of the stage over shards and, where there is one, an index."""

    def __init__(self, stage: MinhashDedup, shards: Sequence[ShardView], engine: Engine, index: Index | None) -> None:
        self.stage, self.engine, self.index = stage, engine, index
        signature = stage.signature()
        order = Numbering.of(shards).order
        self.views = [shards[i] for i in order]
        self.before = index.before(self.views, engine) if index else ()
        self.numbers = Numbering.of(shards, [one.rows for one in self.before])
        self.content = task_key(signature, [one.key for one in self.before], [view.key for view in self.views])
        self.share = engine.memory // max(1, engine.workers)
        self.notes: dict[str, int] = {}

    def _task(self, step: str, call: Any, args: tuple[Any, ...], *parts: object, memory: int = 0) -> Task:
        return Task(task_key(step, self.content, *parts), f"minhash: {step}", call, args, memory)

    def _one(self, task: Task) -> Done:
        [done] = self.engine.run([task])
        return done

    def run(self) -> list[Done]:
        """Run all steps; return the folders of the removals in the order in which the shards were given."""
        if self.index:
            self.index.check(self.engine, [one.key for one in self.before])
        layout = self._signatures()
        bands, _ = self.stage.banding
        equal = collapse(layout, bands, (self.content, self.content, "minhash: "), self.engine)
        buckets = self._buckets(layout, equal)
        parent = self._components(layout, buckets)
        near = self._sieve(layout, buckets, parent)
        resolved = Resolved(equal, near)
        why = ("near_duplicate", self.stage.threshold)
        done = self.engine.run(removal_tasks(layout, resolved, (self.content, "minhash: "), why, self.engine))
        if self.index:
            self._remember(done)
            self.notes["index_documents"] = layout.n_fixed
        done[0] = replace(done[0], result={**done[0].result, "notes": self.notes})
        return self.numbers.given(done)

    def _signatures(self) -> Layout:
        stage = self.stage
        width = 0 if stage.verify == "none" else self.numbers.width
        # Only what the keys depend on: another threshold signs nothing again.
        identity = [stage.identity(), stage.keeper, width]
        tasks = [
            Task(
                task_key("signatures", identity, view.key),
                "minhash: signatures",
                signature_records,
                (view, stage, width),
            )
            for view in self.views
        ]
        folders = [done.folder for done in self.engine.run(tasks)]
        return Layout(self.numbers, (*(one.folder for one in self.before), *folders), width == 0)

    @property
    def _range_bits(self) -> int:
        return range_bits(self.numbers.total, range_size(self.share))

    def _buckets(self, layout: Layout, equal: Path) -> tuple[Path, ...]:
        size = range_size(self.share)
        bits = self._range_bits
        bands, _ = self.stage.banding
        tasks = [
            self._task(
                "bands",
                band_buckets,
                (layout, equal, (group, part, bits)),
                (group, part, bits),
                memory=min(self.numbers.total, size) * KEY_BYTES,
            )
            for group in band_groups(self.numbers.total, bands)
            for part in range(1 << bits)
        ]
        return bucket_files(self.engine.run(tasks))

    def _components(self, layout: Layout, buckets: tuple[Path, ...]) -> Path:
        memory = 5 * self.numbers.total + (64 << 20)
        found = self._one(self._task("components", components, (layout, buckets), len(buckets), memory=memory))
        if found.result["big"] and self.stage.verify == "jaccard":
            hasher, bases = self.stage.hasher(), layout.bases
            first = len(self.before)
            tasks = [
                self._task("sketches", index_sketches, (one.folder, found.folder, bases[i]), i)
                for i, one in enumerate(self.before)
            ] + [
                self._task("sketches", sketches, (view, hasher, found.folder, bases[first + i]), first + i)
                for i, view in enumerate(self.views)
            ]
            made = self.engine.run(tasks)
            rule = (least_agreement(self.stage.threshold, self.stage.permutations), self.stage.permutations)
            args = (layout, buckets, (found.folder, [one.folder for one in made]), rule)
            memory += sum(one.result["sketches"] for one in made) * 2 * rule[1]
            found = self._one(self._task("weak links", without_weak_links, args, memory=memory))
        self.notes["candidates"] = found.result["candidates"]
        return found.folder

    def _sieve(self, layout: Layout, buckets: tuple[Path, ...], parent: Path) -> Path:
        """Sieve all batches, and in rounds what is too large for one; return the folder of all pairs."""
        bands, _ = self.stage.banding
        each = bands * MEMBER_BYTES + DOCUMENT_BYTES
        limit = min(self.share * 6 // 10, MOST_BATCH)
        weights = Weights(each, 0 if self.stage.verify == "none" else 8, limit)
        # What buckets are called depends on the ranges they were found in: a run that goes on with more memory or less
        # must not mix them.
        cut = (limit, self._range_bits)
        memory = 5 * self.numbers.total + (64 << 20)
        packed = self._one(self._task("batches", batches, (layout, parent, weights), cut, memory=memory))
        giants, count = packed.result["giants"], packed.result["batches"]
        sections, chains = Sections(parent, packed.folder), []
        if giants:
            half = replace(weights, limit=limit // 2)
            plan = ((parent, packed.folder), (giants, count, half))
            made = self._one(self._task("blocks", blocks, (layout, *plan), cut, memory=memory))
            sections, chains = replace(sections, blocks=made.folder), made.result["chains"]
        split = [
            self._task("members", members, (layout, folder, sections), cut, folder.name, memory=4 * layout.bases[-1])
            for folder in buckets
        ]
        sources = (self._sets(layout, sections, cut), [done.folder for done in self.engine.run(split)])
        rule = Rule(float(self.stage.threshold), self.stage.bucket_limit, self.stage.verify, layout.n_fixed)
        tasks = [
            self._task("sieve", sieve_batch, (sources, section, rule), cut, section, memory=limit * 3 // 2)
            for section in range(count)
            if section not in set(giants)
        ]
        done = [*self.engine.run(tasks), *self._rounds(sources, chains, rule, cut)]
        self.notes["bucket_overflow"] = sum(one.result["overflow"] for one in done)
        self.notes["comparisons"] = sum(one.result["compared"] for one in done)
        folders = [one.folder for one in done if one.result["removed"]]
        return self._one(self._task("pairs", merge_pairs, (folders, layout.bases), cut)).folder

    def _sets(self, layout: Layout, sections: Sections, cut: tuple[int, int]) -> list[Path]:
        shingling = None if self.stage.verify == "none" else self.stage.hasher().shingling
        first, room = len(self.before), min(HELD, self.share // 4)
        tasks = [
            self._task("sets", index_sets, ((one.folder, layout.bases[i], one.rows), sections, room), cut, i)
            for i, one in enumerate(self.before)
        ] + [
            self._task(
                "sets",
                candidate_sets,
                (view, shingling, (layout.folders[first + i], layout.bases[first + i]), sections, room),
                cut,
                first + i,
            )
            for i, view in enumerate(self.views)
        ]
        return [done.folder for done in self.engine.run(tasks)]

    def _rounds(self, sources: Any, chains: list[list[int]], rule: Rule, cut: tuple[int, int]) -> list[Done]:
        """Sieve the blocks of large components round by round; see ``tamis.curate.dedup.rounds``."""
        limit = cut[0]
        sieved: dict[int, Done] = {}
        compared: dict[int, list[Done]] = {section: [] for chain in chains for section in chain}
        for turn in range(max(map(len, chains), default=0)):
            now = [chain[turn] for chain in chains if turn < len(chain)]
            tasks = []
            for chain in (chain for chain in chains if turn < len(chain)):
                better = [sieved[section].folder for section in chain[:turn]]
                mine = [one.folder for one in compared[chain[turn]]]
                args = (sources, chain[turn], (better, mine), rule)
                tasks.append(self._task("sieve", sieve_block, args, cut, chain[turn], memory=limit))
            sieved.update(zip(now, self.engine.run(tasks), strict=True))
            later = [(chain[turn], section) for chain in chains for section in chain[turn + 1 :]]
            tasks = [
                self._task(
                    "rounds",
                    compare_block,
                    (sources, section, (sieved[best].folder, [one.folder for one in compared[section]]), rule),
                    cut,
                    best,
                    section,
                    memory=limit * 3 // 2,
                )
                for best, section in later
            ]
            for (_, section), done in zip(later, self.engine.run(tasks), strict=True):
                compared[section].append(done)
        return [*sieved.values(), *(one for found in compared.values() for one in found)]

    def _remember(self, removals: Sequence[Done]) -> None:
        """Add what stays to the index."""
        assert self.index is not None
        tasks = [
            self._task("index", index_records, (view, self.stage, removed.folder), i)
            for i, (view, removed) in enumerate(zip(self.views, removals, strict=True))
        ]
        self.index.add(self.engine.run(tasks))
