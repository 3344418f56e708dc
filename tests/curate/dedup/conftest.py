"""A shard in memory, and an engine that runs tasks one after the other."""

import json
import pickle
import random
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash

from tamis.stage import REMOVAL_SCHEMA, Done, ReduceStage, Task

Row = dict[str, Any]


@dataclass(frozen=True)
class MemoryShard:
    """Rows in memory, given out a few at a time."""

    table: pa.Table
    index: int
    step: int = 3

    @property
    def key(self) -> str:
        return xxhash.xxh3_128_hexdigest(json.dumps(self.table.to_pylist()).encode())

    @property
    def rows(self) -> int:
        return int(self.table.num_rows)

    def has(self, column: str) -> bool:
        return column in self.table.schema.names

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        for start in range(0, self.rows, self.step):
            yield self.table.select(columns).slice(start, self.step)


class HereEngine:
    """Runs each key once, in this process, through pickle as another one would get it, and checks what it returns."""

    def __init__(self, root: Path, memory: int = 1 << 30, workers: int = 2) -> None:
        self.root, self.memory, self.workers = root, memory, workers
        self.finished: dict[str, Done] = {}
        self.said: list[str] = []

    def run(self, tasks: Sequence[Task]) -> list[Done]:
        for task in tasks:
            if task.key in self.finished:
                continue
            out = self.root / task.key
            out.mkdir(parents=True)
            call, args = pickle.loads(pickle.dumps((task.call, task.args)))
            result = call(*args, out)
            self.finished[task.key] = Done(out, json.loads(json.dumps(result)))
        return [self.finished[task.key] for task in tasks]

    def say(self, line: str) -> None:
        self.said.append(line)


SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "text", "url", "source", "date")])


def shards_of(rows: Sequence[Row], count: int, seed: int | None = None, step: int = 3) -> list[MemoryShard]:
    """Split rows into ``count`` shards, shuffled and of unlike sizes where there is a seed."""
    rows = list(rows)
    cuts = [len(rows) * i // count for i in range(count + 1)]
    if seed is not None:
        draw = random.Random(seed)
        draw.shuffle(rows)
        cuts = [0, *sorted(draw.randint(0, len(rows)) for _ in range(count - 1)), len(rows)]
    return [
        MemoryShard(pa.Table.from_pylist(rows[cuts[i] : cuts[i + 1]], schema=SCHEMA), i, step) for i in range(count)
    ]


@dataclass(frozen=True)
class Outcome:
    """What a stage removed, by id, checked against the contract."""

    removed: dict[str, tuple[str, float]]
    """Removed id: (id of its keeper, similarity)."""
    rows: list[Row]
    notes: dict[str, int]
    files: list[bytes]

    def rows_by_id(self) -> dict[str, str]:
        """Keepers and similarities as text: what was not measured is equal to itself."""
        return {name: repr(pair) for name, pair in self.removed.items()}


def apply(
    stage: ReduceStage,
    shards: Sequence[MemoryShard],
    root: Path | HereEngine,
    memory: int = 1 << 30,
    known: Set[str] = frozenset(),
) -> Outcome:
    done = stage.reduce(shards, root if isinstance(root, HereEngine) else HereEngine(root, memory))
    assert len(done) == len(shards)
    removed: dict[str, tuple[str, float]] = {}
    notes: dict[str, int] = {}
    rows: list[Row] = []
    kept: set[str] = set()
    for shard, one in zip(shards, done, strict=True):
        table = pq.read_table(one.folder / "removed.parquet")
        assert table.schema.equals(REMOVAL_SCHEMA)
        numbers = table["row"].to_pylist()
        assert numbers == sorted(set(numbers))
        assert all(number < shard.rows for number in numbers)
        ids = shard.table["id"].to_pylist()
        kept |= {one for number, one in enumerate(ids) if number not in set(numbers)}
        for row in table.to_pylist():
            removed[ids[row["row"]]] = (json.loads(row["detail"])["keeper"], row["value"])
            rows.append(row)
        for name, count in one.result.get("notes", {}).items():
            notes[name] = notes.get(name, 0) + count
    assert {keeper for keeper, _ in removed.values()} <= kept | known, "a keeper was removed"
    return Outcome(removed, rows, notes, [(one.folder / "removed.parquet").read_bytes() for one in done])


@pytest.fixture
def dedup(tmp_path: Path) -> Callable[..., Outcome]:
    """Return a function that runs a stage over rows or shards."""
    runs = iter(range(1000))

    def call(
        stage: ReduceStage,
        data: Sequence[Any],
        count: int = 2,
        seed: int | None = None,
        memory: int = 1 << 30,
        known: Set[str] = frozenset(),
    ) -> Outcome:
        given = data if data and isinstance(data[0], MemoryShard) else shards_of(data, count, seed)
        return apply(stage, given, tmp_path / str(next(runs)), memory, known)

    return call
