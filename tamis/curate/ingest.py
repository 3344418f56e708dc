"""Ingest: records of one shard into rows; what is no document is kept track of with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import orjson
import pyarrow as pa

from tamis.document import REMOVED_SCHEMA, SCHEMA, document_id
from tamis.errors import RecipeError
from tamis.recipe import unknown
from tamis.run.counts import Counts
from tamis.run.measure import MEASURE_FIELDS, MEASURES, measure
from tamis.stage import NotPage, Page, Slice, SourceFile
from tamis.storage import TableWriter

BATCH_PAGES: Final = 64
BATCH_BYTES: Final = 8 << 20
"""Pages of one exchange with the extraction process: enough to hide the pipe, little enough to hold."""

MAX_LISTED_FAILURES: Final = 20
"""Damaged records of one file that the report lists with their offsets; all are counted."""

BASE_SCHEMA: Final = pa.schema([*SCHEMA, *MEASURE_FIELDS])


@dataclass(frozen=True, slots=True)
class Ingest:
    """How records become documents.

    ``timeout`` (seconds) and ``memory`` (MiB) bound the extraction of one page; a page beyond them is counted as
    ``extract_timeout`` or ``extract_crash`` and costs nothing but itself. ``shard_size`` (bytes as stored) decides
    where inputs are cut and so how many parts the output has.
    """

    kind: ClassVar[str] = "ingest"
    extractor: str = "resiliparse"
    timeout: float = 20.0
    memory: int = 2048
    shard_size: int = 64 << 20

    def __post_init__(self) -> None:
        from tamis.curate.extract import EXTRACTORS

        if self.extractor not in EXTRACTORS:
            raise RecipeError(unknown("extractor", self.extractor, EXTRACTORS))
        if self.timeout <= 0 or self.memory < 256 or self.shard_size < 1024:
            raise RecipeError("ingest needs timeout > 0 s, memory >= 256 MiB and shard_size >= 1024 bytes")

    def signature(self) -> dict[str, Any]:
        """Return what the rows depend on besides the input."""
        return {**asdict(self), "extractor_version": extractor_version(self.extractor)}


def extractor_version(name: str) -> str:
    """Return the installed version of an extraction library."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def ingest_slices(slices: Sequence[Slice], options: Ingest, out: Path) -> dict[str, Any]:
    """Read and extract the records of some slices into ``base.parquet`` and ``removed.parquet``; a task."""
    from tamis.curate.extract.isolate import Isolated

    counts = Counts()
    files: dict[str, FileTally] = {part.file.name: FileTally(part.file.kind) for part in slices}
    with (
        Isolated(options.extractor, options.timeout, options.memory) as extractor,
        TableWriter(out / "base.parquet", BASE_SCHEMA, compression="lz4") as base,
        TableWriter(out / "removed.parquet", REMOVED_SCHEMA, compression="lz4") as removed,
    ):
        for records in _batches(_records(slices)):
            rows, gone = _rows(records, extractor)
            _count(counts, rows, gone)
            for source in rows.column("source").to_pylist():
                files[source.rsplit("#", 1)[0]].document()
            for row in gone:
                files[row["source"].rsplit("#", 1)[0]].removed(row)
            base.write(rows)
            removed.write(pa.Table.from_pylist(gone, schema=REMOVED_SCHEMA))
    plain = {name: tally.plain() for name, tally in files.items()}
    return {"rows": base.rows, "counts": counts.plain(), "files": plain}


Record = tuple[SourceFile, Page | NotPage]


def _records(slices: Sequence[Slice]) -> Iterator[Record]:
    """Yield the records of some slices, each with its file."""
    from tamis.curate.readers import READERS

    for part in slices:
        for record in READERS[part.file.kind].read(part):
            yield part.file, record


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Group records by number and size."""
    held: list[Record] = []
    size = 0
    for file, record in records:
        held.append((file, record))
        if isinstance(record, Page):
            size += len(record.html or record.text or b"")
        if len(held) >= BATCH_PAGES or size >= BATCH_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _rows(records: Sequence[Record], extractor: Any) -> tuple[pa.Table, list[dict[str, Any]]]:
    """Turn records into rows of the base and rows that go at once, both in the order of the records."""
    from tamis.curate.extract.isolate import ExtractFailure

    html = [page for _, page in records if isinstance(page, Page) and page.html is not None]
    answers = iter(extractor.extract_many([(page.html, page.url, page.charset) for page in html]))
    rows: list[dict[str, Any]] = []
    gone: list[dict[str, Any]] = []
    for file, record in records:
        row = _blank(record, file)
        if isinstance(record, NotPage):
            gone.append(row | _why(record.outcome, record.reason, record.detail))
            continue
        meta = dict(record.meta)
        text = record.text
        if record.html is not None:
            answer = next(answers)
            if isinstance(answer, ExtractFailure):
                gone.append(row | _why("failed", answer.reason, answer.detail))
                continue
            text = answer.text
            meta |= {key: value for key, value in (("title", answer.title), ("published", answer.date)) if value}
        row["meta"] = orjson.dumps(meta, option=orjson.OPT_SORT_KEYS).decode() if meta else None
        if not text or text.isspace():
            gone.append(row | _why("dropped", "no_text", None))
        else:
            rows.append(row | {"text": text})
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    for name, column in measure(table.column("text")).items():
        table = table.append_column(name, column)
    return table, gone


def _blank(record: Page | NotPage, file: SourceFile) -> dict[str, Any]:
    """Return the row of a record without its text."""
    return {
        "id": document_id(file.content, file.copy, record.position),
        "text": "",
        "url": record.url,
        "source": f"{file.name}#{record.position}",
        "date": record.date,
        "language": record.language if isinstance(record, Page) else None,
    }


def _why(outcome: str, reason: str, detail: str | None) -> dict[str, Any]:
    """Return the columns that say why a row left at once."""
    return {"stage": "ingest", "outcome": outcome, "reason": reason, "detail": detail}


def _count(counts: Counts, rows: pa.Table, gone: Sequence[dict[str, Any]]) -> None:
    """Add a batch of records to the bill: what is no document has no size."""
    sizes = [int(sum(rows.column(name).to_pylist())) for name in MEASURES]
    for into in (counts.came, counts.kept):
        for number, value in enumerate((rows.num_rows, *sizes)):
            into[number] += value
    counts.came[0] += len(gone)
    for row in gone:
        counts.gone[row["outcome"]].setdefault(row["reason"], [0, 0, 0, 0])[0] += 1
    counts.add_sources(rows.column("source").to_pylist(), [True] * rows.num_rows)


class FileTally:
    """What one input file gave: records, documents, and the damage with its offsets."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.records = self.documents = self.failed = 0
        self.failures: list[dict[str, Any]] = []

    def document(self) -> None:
        """Count a record that became a document."""
        self.records += 1
        self.documents += 1

    def removed(self, row: dict[str, Any]) -> None:
        """Count a record that did not, and list damage."""
        self.records += 1
        if row["outcome"] == "failed":
            self.failed += 1
            if len(self.failures) < MAX_LISTED_FAILURES:
                offset = int(row["source"].rsplit("#", 1)[1])
                self.failures.append({"offset": offset, "reason": row["reason"], "detail": row["detail"]})

    def plain(self) -> dict[str, Any]:
        """Return the tally as a JSON-able dict."""
        return {
            "kind": self.kind,
            "records": self.records,
            "documents": self.documents,
            "failed": self.failed,
            "failures": self.failures,
        }
