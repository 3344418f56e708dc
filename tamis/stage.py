"""The contracts between the engine and the units it runs: records, verdicts, stages, tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import pyarrow as pa

from tamis.document import REMOVED_FIELDS

Outcome = Literal["dropped", "failed"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One input file: where to open it, what the user called it, and what is in it."""

    path: str
    """Openable path or fsspec URL."""
    name: str
    """The path as given by the user, plus the path below it for a folder; no part of an id."""
    kind: str
    """Name of the reader, a key of ``tamis.curate.readers.READERS``."""
    size: int
    content: str
    """xxh3-128 hex digest of the bytes."""
    copy: int = 0
    """Number of this file among input files with equal bytes."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The records of a file that *start* in ``[start, end)``; bytes, or rows where the reader says so."""

    file: SourceFile
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Page:
    """One record that may become a document: either ``html`` bytes still to be extracted, or ready ``text``."""

    position: int
    """Where the record starts: byte offset in the file, or row number where the reader says so."""
    html: bytes | None = None
    text: str | None = None
    url: str | None = None
    date: str | None = None
    """ISO 8601 date or time of capture."""
    charset: str | None = None
    """Charset the server declared, if it did."""
    language: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotPage:
    """A record that is no document: dropped (a revisit, an image …) or failed (damaged), always with its reason."""

    position: int
    outcome: Outcome
    reason: str
    """snake_case; part of the report, so from a small fixed set."""
    detail: str | None = None
    url: str | None = None
    date: str | None = None


class Reader(Protocol):
    """Locates the records of one kind of file. One unreadable record is a ``NotPage``, never the end of the file."""

    kind: ClassVar[str]

    def sniff(self, head: bytes, name: str) -> bool:
        """Tell from the first 64 KiB (as stored; compressed if the file is) and the name whether this reader fits."""

    def cuts(self, file: SourceFile, target: int) -> Sequence[int]:
        """Return where the file may be cut: rising positions from 0 to its end, about ``target`` bytes apart.

        Two neighbours bound a slice. A file that cannot be cut gives its two ends.
        """

    def read(self, part: Slice) -> Iterator[Page | NotPage]:
        """Yield the records of a slice in order; together the slices of a file give each record exactly once."""


REMOVAL_SCHEMA = pa.schema([pa.field("row", pa.uint32(), nullable=False), *REMOVED_FIELDS[1:]])
"""Rows a stage takes out of a batch: row number in the batch, outcome, reason, rule, value, threshold, detail."""


EDIT_SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (("row", pa.uint32()), ("start", pa.int64()), ("end", pa.int64()))
    ]
)
"""Spans to cut from texts: row of the view, first byte and last + 1 of its UTF-8; rising, none touching the next."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a map stage says of one batch: rows to take out, and columns to replace or add (one value per row)."""

    removed: pa.Table
    """Of ``REMOVAL_SCHEMA``; each row number at most once, rising."""
    columns: Mapping[str, pa.Array] = field(default_factory=dict)
    """The same names for every batch of a stage, whether or not a batch has changes."""
    notes: Mapping[str, int] = field(default_factory=dict)
    """Counts for the report, summed over batches (lines removed, overflows …)."""


class Worker(Protocol):
    """A map stage made ready in one worker process: models loaded, kernels compiled."""

    def judge(self, batch: pa.Table) -> Verdict:
        """Judge one batch of rows (``document.SCHEMA`` plus whatever earlier stages added)."""


@dataclass(frozen=True, slots=True)
class Task:
    """One unit of work and of resume: a module-level function and its picklable arguments.

    ``call(*args, out)`` writes its files into the fresh folder ``out`` and returns a JSON-able dict. The engine makes
    the folder appear under its final name only when the call returned, and never calls a finished key again.
    """

    key: str
    """Hash of everything the result depends on: input content, configuration, code version, model."""
    label: str
    call: Callable[..., dict[str, Any]]
    args: tuple[Any, ...]
    memory: int = 0
    """Bytes it takes beside what a worker takes anyway; an engine runs together only what fits its memory."""


@dataclass(frozen=True, slots=True)
class Done:
    """A finished task: the folder with its files and the dict it returned."""

    folder: Path
    result: dict[str, Any]


class Engine(Protocol):
    """Runs tasks, on this machine or on many."""

    @property
    def workers(self) -> int:
        """How many tasks run at one time."""

    @property
    def memory(self) -> int:
        """Bytes that the tasks running at one time may take, beside what workers take anyway; a worker's share each."""

    def run(self, tasks: Sequence[Task]) -> list[Done]:
        """Run tasks and return their results in the order of the tasks; equal keys are run once."""

    def say(self, line: str) -> None:
        """Tell the user something before it takes long."""


class ShardView(Protocol):
    """One shard as a stage sees it: the rows still in, with every change made so far. Picklable."""

    @property
    def key(self) -> str:
        """Hash of the content: equal keys, equal rows."""

    @property
    def index(self) -> int:
        """Number of the shard; also that of the output part."""

    @property
    def rows(self) -> int:
        """Rows still in."""

    def has(self, column: str) -> bool:
        """Tell whether the rows have this column; a shard without rows may not know of those that stages add."""

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield the rows still in, in order, as tables of bounded size, with just these columns."""


class MapStage(Protocol):
    """Judges each row by itself. A frozen dataclass: its fields are the recipe keys and the command's defaults."""

    kind: ClassVar[str]
    reads: ClassVar[tuple[str, ...]]
    """Columns that ``Worker.judge`` needs."""

    def signature(self) -> dict[str, Any]:
        """Return what the result depends on besides the rows: fields, model hashes, table versions."""

    def open(self) -> Worker:
        """Load models and compile kernels in this process."""


class ReduceStage(Protocol):
    """Judges rows by comparing them across all shards.

    One whose removals name keepers (``detail`` with ``{"keeper": id}``) may also have ``evidence() -> dict``: what
    ``evidence/`` says of all its removals. ``method`` is a few words, ``parameters`` a JSON-able dict of all that
    defines it, ``measured`` (true where left out) whether ``value`` is a similarity of the two texts.
    """

    kind: ClassVar[str]

    def signature(self) -> dict[str, Any]:
        """Return what the result depends on besides the rows."""

    def reduce(self, shards: Sequence[ShardView], engine: Engine) -> list[Done]:
        """Run the stage as tasks; return, per shard and in order, a folder with ``removed.parquet``.

        That file has ``REMOVAL_SCHEMA`` with ``row`` counted over the rows of the whole view. Beside it,
        ``edits.parquet`` (``EDIT_SCHEMA``) may name spans to be cut from texts that stay. ``result`` may hold ``notes``
        (counts for the report).
        """


def no_removals() -> pa.Table:
    """Return an empty table of ``REMOVAL_SCHEMA``."""
    return REMOVAL_SCHEMA.empty_table()
