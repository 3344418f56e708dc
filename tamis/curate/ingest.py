"""Ingest: records of one shard into rows; what is no document is kept track of with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from tamis.stage import NotPage, Outcome, Page, Slice, SourceFile
from tamis.storage import TableWriter

BATCH_PAGES: Final = 64
BATCH_BYTES: Final = 8 << 20
"""Pages of one exchange with the extraction process: enough to hide the pipe, little enough to hold."""

GONE_ROWS: Final = 4096
"""Records that are no documents are written this many at a time."""

MAX_LISTED_FAILURES: Final = 20
"""Damaged records of one file that the report lists with their offsets; all are counted."""

BASE_SCHEMA: Final = pa.schema([*SCHEMA, *MEASURE_FIELDS])


@dataclass(frozen=True, slots=True)
class Ingest:
    """How records become documents.

    ``timeout`` (seconds) and ``memory`` (MiB) bound the extraction of one page; a page beyond them is counted as
    ``extract_timeout`` or ``extract_crash`` and costs nothing but itself. ``shard_size`` (bytes as stored) decides
    where inputs are cut and so how many parts the output has. ``text_field`` names the column or key that holds the
    text of Parquet, CSV and JSON lines; without it ``text``, else ``content``.
    """

    kind: ClassVar[str] = "ingest"
    extractor: str = "resiliparse"
    timeout: float = 20.0
    memory: int = 2048
    shard_size: int = 64 << 20
    text_field: str | None = None

    def __post_init__(self) -> None:
        from tamis.curate.extract import EXTRACTORS

        if self.extractor not in EXTRACTORS:
            raise RecipeError(unknown("extractor", self.extractor, EXTRACTORS))
        if self.timeout <= 0 or self.memory < 256 or self.shard_size < 1024:
            raise RecipeError("ingest needs timeout > 0 s, memory >= 256 MiB and shard_size >= 1024 bytes")

    def signature(self) -> dict[str, Any]:
        """Return what the rows depend on besides the input."""
        from tamis.curate.extract import signature

        return {**asdict(self), "extract": signature(self.extractor)}


def ingest_slices(slices: Sequence[Slice], options: Ingest, out: Path) -> dict[str, Any]:
    """Read and extract the records of some slices into ``base.parquet`` and ``removed.parquet``; a task."""
    from tamis.curate.extract.isolate import Isolated

    files: dict[str, FileTally] = {part.file.name: FileTally(part.file.kind) for part in slices}
    limits = (options.extractor, options.timeout, options.memory)
    extractor = _EXTRACTORS.get(limits) or _EXTRACTORS.setdefault(limits, Isolated(*limits))
    with (
        TableWriter(out / "base.parquet", BASE_SCHEMA, compression="lz4") as base,
        TableWriter(out / "removed.parquet", REMOVED_SCHEMA, compression="lz4") as removed,
    ):
        kept, gone = Rows(base, SCHEMA.names), Rows(removed, REMOVED_SCHEMA.names)
        for records in _batches(_records(slices, options.text_field)):
            _sort_out(records, extractor, kept, gone, files)
            kept.flush(1)
            gone.flush(GONE_ROWS)
        gone.flush(1)
    counts = Counts()
    counts.came = [base.rows + removed.rows, *kept.sizes]
    counts.kept = [base.rows, *kept.sizes]
    for tally in files.values():
        tally.add_to(counts)
    plain = {name: tally.plain() for name, tally in files.items()}
    counts.sources = {name: [tally.documents] * 2 for name, tally in files.items() if tally.documents}
    return {"rows": base.rows, "counts": counts.plain(), "files": plain}


_EXTRACTORS: Final[dict[tuple[str, float, int], Any]] = {}
"""Extraction processes of this worker: kept from shard to shard, they end with it."""

Record = tuple[SourceFile, Page | NotPage]


def _records(slices: Sequence[Slice], text_field: str | None) -> Iterator[Record]:
    """Yield the records of some slices, each with its file."""
    from tamis.curate.readers import readers

    known = readers(text_field)
    for part in slices:
        for record in known[part.file.kind].read(part):
            yield part.file, record


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Group records so that each group has enough pages to be worth an exchange, and few enough to hold."""
    held: list[Record] = []
    pages = size = 0
    for file, record in records:
        held.append((file, record))
        if isinstance(record, Page):
            pages += 1
            size += len(record.html or record.text or b"")
        if pages >= BATCH_PAGES or size >= BATCH_BYTES or len(held) >= GONE_ROWS:
            yield held
            held, pages, size = [], 0, 0
    if held:
        yield held


class Rows:
    """Rows on their way into a file; most records of an archive are no documents, so each must be cheap."""

    def __init__(self, writer: TableWriter, names: Sequence[str]) -> None:
        self._writer, self._names = writer, names
        self._held: list[tuple[Any, ...]] = []
        self.sizes = [0] * len(MEASURES)
        """Bytes, characters and tokens written, where the file has these columns."""

    def add(self, *values: Any) -> None:
        """Add a row: one value per column, those left out at the end are null."""
        self._held.append(values + (None,) * (len(self._names) - len(values)))

    def flush(self, least: int) -> None:
        """Write the rows if there are ``least`` or more."""
        if len(self._held) < least:
            return
        schema = self._writer.schema
        columns = dict(zip(self._names, zip(*self._held, strict=True), strict=True))
        made = {name: pa.array(values, schema.field(name).type) for name, values in columns.items()}
        if MEASURES[0] in schema.names:
            made |= measure(made["text"])
            for number, name in enumerate(MEASURES):
                self.sizes[number] += int(made[name].sum().as_py())
        self._writer.write(pa.table(made))
        self._held = []


def _sort_out(
    records: Sequence[Record], extractor: Any, kept: Rows, gone: Rows, files: Mapping[str, FileTally]
) -> None:
    """Turn records into rows of the base and rows that go at once, both in the order of the records."""
    from tamis.curate.extract import ExtractFailure

    html = [page for _, page in records if isinstance(page, Page) and page.html is not None]
    answers = iter(extractor.extract_many([(page.html, page.url, page.charset) for page in html]))
    for file, record in records:
        tally = files[file.name]
        identity = document_id(file.content, file.copy, record.position)
        source = f"{file.name}#{record.position}"
        if isinstance(record, NotPage):
            tally.removed(record.position, record.outcome, record.reason, record.detail)
            blank = (identity, "", record.url, source, record.date, None, None, None)
            gone.add(*blank, "ingest", record.outcome, record.reason, None, None, None, record.detail)
            continue
        meta, text = dict(record.meta), record.text
        why: tuple[Outcome, str, str | None] = ("dropped", "no_text", None)
        if record.html is not None:
            answer = next(answers)
            if isinstance(answer, ExtractFailure):
                text, why = None, ("failed", answer.reason, answer.detail)
            else:
                text = answer.text
                meta |= {key: value for key, value in (("title", answer.title), ("published", answer.date)) if value}
        told = orjson.dumps(meta, option=orjson.OPT_SORT_KEYS).decode() if meta else None
        row = (identity, text or "", record.url, source, record.date, record.language, None, told)
        if text and not text.isspace():
            tally.document(record.position, "damaged" in meta)
            kept.add(*row)
        else:
            tally.removed(record.position, *why)
            outcome, reason, detail = why
            gone.add(*row, "ingest", outcome, reason, None, None, None, detail)


class FileTally:
    """What one input file gave: records, documents, what went and why, and the damage with its offsets."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.records = self.documents = self.cut = 0
        self.gone: dict[tuple[Outcome, str], int] = {}
        self.failures: list[dict[str, Any]] = []

    def document(self, position: int, damaged: bool) -> None:
        """Count a record that became a document, and list those that are kept as far as they go."""
        self.records += 1
        self.documents += 1
        if damaged:
            self.cut += 1
            self._list(position, "truncated_record", "kept as far as it goes")

    def removed(self, position: int, outcome: Outcome, reason: str, detail: str | None) -> None:
        """Count a record that did not, and list damage."""
        self.records += 1
        self.gone[outcome, reason] = self.gone.get((outcome, reason), 0) + 1
        if outcome == "failed":
            self._list(position, reason, detail)

    def _list(self, position: int, reason: str, detail: str | None) -> None:
        """List damage, up to a bound."""
        if len(self.failures) < MAX_LISTED_FAILURES:
            self.failures.append({"offset": position, "reason": reason, "detail": detail})

    def add_to(self, counts: Counts) -> None:
        """Add what went to the bill: what is no document has no size."""
        for (outcome, reason), number in self.gone.items():
            counts.gone[outcome].setdefault(reason, [0, 0, 0, 0])[0] += number

    def plain(self) -> dict[str, Any]:
        """Return the tally as a JSON-able dict."""
        return {
            "kind": self.kind,
            "records": self.records,
            "documents": self.documents,
            "failed": sum(number for (outcome, _), number in self.gone.items() if outcome == "failed"),
            "cut": self.cut,
            "failures": self.failures,
        }
