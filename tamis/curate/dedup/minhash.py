"""One document per near-duplicate family: MinHash finds candidates, exact Jaccard decides.

Every removed document is verified against a document that stays; there are no chains. The result is the greedy
independent set of the graph "share a bucket and Jaccard >= threshold" in keeper order, so it depends on texts, ids and
parameters alone: not on workers, shards or their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tamis.curate.dedup.bands import BATCH_SHINGLES, RANGE_KEYS, band_buckets, band_groups, batches_of
from tamis.curate.dedup.equal import collapse_tasks, merge_pairs
from tamis.curate.dedup.flow import Numbering, check_keeper, range_bits, write_removals
from tamis.curate.dedup.records import RecordWriter
from tamis.curate.dedup.sieve import candidate_sets, final_pairs, sieve_batch
from tamis.errors import UsageError
from tamis.run.ledger import task_key
from tamis.stage import Done, Engine, ShardView, Task
from tamis.text import TextBatch
from tamis.text.minhash import MinHasher
from tamis.text.shingles import Shingling
from tamis.text.words import count_chars


@dataclass(frozen=True, slots=True)
class MinhashDedup:
    """Removes documents whose shingles overlap a kept document's by ``threshold`` (Jaccard) or more."""

    kind: ClassVar[str] = "minhash"

    permutations: int = 128
    bands: int = 21
    rows: int = 6
    """21 bands of 6 find a pair at 0.8 with probability 0.998; 16 of 8 only with 0.947."""
    threshold: float = 0.8
    shingle: str = "word:5"
    """``word:N``, ``word-w:N`` or ``char:N``; see ``tamis.text.shingles``."""
    seed: int = 1
    keeper: str = "longest"
    """Longest text in code points; between equals the hash of the id decides."""
    bucket_limit: int = 64
    """Kept documents that a bucket remembers; keeps a template with a million fillings linear. What finds no room is
    counted as ``bucket_overflow``: only pairs of such documents can be missed for it."""
    verify: str = "jaccard"
    """Exact Jaccard on the sets of 64-bit shingle hashes."""

    def __post_init__(self) -> None:
        check_keeper(self.keeper)
        if not 0 < self.threshold <= 1:
            raise UsageError(f"threshold is {self.threshold}, expected above 0 and at most 1")
        if self.bands < 1 or self.rows < 1 or self.bands * self.rows > self.permutations:
            raise UsageError(
                f"bands x rows is {self.bands} x {self.rows}, expected at least 1 x 1 and a product of at most"
                f" {self.permutations}, the number of permutations"
            )
        if self.bucket_limit < 1:
            raise UsageError(f"bucket_limit is {self.bucket_limit}, expected at least 1")
        if self.verify != "jaccard":
            raise UsageError(f"verify {self.verify!r} is not known; use jaccard")
        self.hasher()

    def hasher(self) -> MinHasher:
        """Return what makes the signatures."""
        return MinHasher(Shingling.parse(self.shingle), self.permutations, self.seed)

    def signature(self) -> dict[str, Any]:
        """Return what the result depends on besides the rows."""
        return {"stage": self.kind, **asdict(self), "signatures": self.hasher().identity}

    def reduce(self, shards: Sequence[ShardView], engine: Engine) -> list[Done]:
        """Run the stage as tasks; see ``ReduceStage.reduce``.

        Notes: ``bucket_overflow``, ``candidates`` (documents that shared a bucket), ``comparisons`` (exact ones).
        """
        return _Flow(self, shards, engine).run() if shards else []


class _Flow:
    """The tasks of one run of the stage, in the order in which they depend on each other."""

    def __init__(self, stage: MinhashDedup, shards: Sequence[ShardView], engine: Engine) -> None:
        self.stage, self._engine = stage, engine
        self.numbers = Numbering.of(shards)
        self.views = [shards[i] for i in self.numbers.order]
        self.signature = stage.signature()
        self.bits = range_bits(self.numbers.total)
        # Everything after the first step depends on all shards in this order.
        self.content = task_key("content", [view.key for view in self.views])

    def _task(self, step: str, call: Any, args: tuple[Any, ...], *parts: object) -> Task:
        key = task_key(self.signature, step, self.content, *parts)
        return Task(key, f"minhash: {step}", call, args)

    def _one(self, task: Task) -> Done:
        [done] = self._engine.run([task])
        return done

    def run(self) -> list[Done]:
        """Run all steps; return the folders of the removals in the order in which the shards were given."""
        bases = self.numbers.bases
        folders = self._signatures()
        collapsed = self._collapse(folders)
        buckets = self._buckets(folders, collapsed)
        batches = self._one(self._task("batches", batches_of, (buckets, folders, bases, BATCH_SHINGLES)))
        sets = self._sets(batches.folder)
        sieved = self._sieve(batches, list(zip(folders, sets, strict=True)))
        final = self._one(self._task("keepers", final_pairs, (collapsed, [done.folder for done in sieved])))
        why = ("near_duplicate", self.stage.threshold)
        removals = [
            self._task("removals", write_removals, (final.folder, i, bases, folders, why), i)
            for i in range(len(self.views))
        ]
        notes = {
            "bucket_overflow": sum(done.result["overflow"] for done in sieved),
            "candidates": batches.result["candidates"],
            "comparisons": sum(done.result["compared"] for done in sieved),
        }
        done = self.numbers.given(self._engine.run(removals))
        done[0] = replace(done[0], result={**done[0].result, "notes": notes})
        return done

    def _signatures(self) -> list[Path]:
        stage = self.stage
        # Only what the keys depend on: another threshold signs nothing again.
        identity = {"signatures": stage.hasher().identity, "bands": stage.bands, "rows": stage.rows}
        tasks = [
            Task(
                task_key(identity, "signatures", view.key, self.bits),
                "minhash: signatures",
                signature_records,
                (view, stage, self.bits),
            )
            for view in self.views
        ]
        return [done.folder for done in self._engine.run(tasks)]

    def _collapse(self, folders: list[Path]) -> Path:
        """Equal token streams have Jaccard 1: no need for bands, and copies by the million stay linear."""
        tasks = collapse_tasks(self.signature, self.stage.kind, [self.content], folders, self.numbers, self.bits)
        pairs = [done.folder for done in self._engine.run(tasks)]
        return self._one(self._task("equal texts", merge_pairs, (pairs,))).folder

    def _buckets(self, folders: list[Path], collapsed: Path) -> list[Path]:
        bits = range_bits(self.numbers.total, RANGE_KEYS)
        tasks = [
            self._task(
                "bands", band_buckets, (folders, collapsed, self.numbers.bases, (group, part, bits)), group, part
            )
            for group in band_groups(self.numbers.total, self.stage.bands)
            for part in range(1 << bits)
        ]
        return [done.folder for done in self._engine.run(tasks)]

    def _sets(self, batches: Path) -> list[Path]:
        shingling = self.stage.hasher().shingling
        tasks = [
            self._task("sets", candidate_sets, (view, shingling, batches, self.numbers.bases[i]), i)
            for i, view in enumerate(self.views)
        ]
        return [done.folder for done in self._engine.run(tasks)]

    def _sieve(self, batches: Done, sources: list[tuple[Path, Path]]) -> list[Done]:
        settings = (float(self.stage.threshold), self.stage.bucket_limit)
        return self._engine.run(
            [
                self._task("sieve", sieve_batch, (batches.folder, which, sources, self.numbers.bases, settings), which)
                for which in range(batches.result["batches"])
            ]
        )


def signature_records(view: ShardView, stage: MinhashDedup, bits: int, out: Path) -> dict[str, Any]:
    """Write the record files of one shard, the hash of the token stream as key, and the keys of all bands.

    ``keys.npy`` has shape (bands, rows): a band is read in one piece.
    """
    hasher = stage.hasher()
    keys = np.lib.format.open_memmap(out / "keys.npy", "w+", np.uint64, (stage.bands, view.rows))
    with RecordWriter(out, view.rows) as writer:
        for table in view.batches(["id", "text"]):
            batch = TextBatch(table["text"])
            found = hasher.band_keys(batch, stage.bands, stage.rows)
            rows = writer.add(table["id"], found.streams, count_chars(batch), found.tokens)
            keys[:, rows] = found.keys
        writer.finish(bits)
    keys.flush()
    return {"rows": view.rows}
