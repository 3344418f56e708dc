"""Writing a corpus folder without a pipeline: parts as ``tamis curate ingest`` would leave them, and their manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis import __version__
from tamis.document import FORMAT_VERSION, REMOVED_SCHEMA, SCHEMA
from tamis.run.corpus import DROPPED, SIZES
from tamis.run.ledger import code_version
from tamis.run.measure import measure, write_sizes
from tamis.run.publish import write_json
from tamis.storage import TableWriter, content_hash

PART_BYTES: Final = 70_000_000
"""Text of one part; ingest cuts its input at 64 MiB."""


def rows_table(ids: pa.Array, texts: pa.Array, name: str, first: int) -> pa.Table:
    """Return corpus rows; ``source`` is name#position, as ingest writes it."""
    n = len(ids)
    numbers = pc.cast(pa.array(range(first, first + n)), pa.string())
    columns: dict[str, Any] = {"id": ids, "text": texts}
    columns["source"] = pc.binary_join_element_wise(name, numbers, "#")
    for field in SCHEMA:
        columns.setdefault(field.name, pa.nulls(n, field.type))
    return pa.table([columns[field.name] for field in SCHEMA], schema=SCHEMA)


def write_part(folder: Path, index: int, tables: Iterable[pa.Table]) -> list[dict[str, Any]]:
    """Write one part, its empty list of dropped rows and its sizes; return their manifest entries."""
    name = f"part-{index:05}.parquet"
    for place in (DROPPED, SIZES):
        (folder / place).mkdir(parents=True, exist_ok=True)
    sizes = []
    with TableWriter(folder / name, SCHEMA) as out:
        for table in tables:
            out.write(table)
            sizes.append(pa.table(measure(table.column("text"))))
    with TableWriter(folder / DROPPED / name, REMOVED_SCHEMA):
        pass
    write_sizes(folder / SIZES / name, sizes)
    return [
        _entry(folder, file, rows) for file, rows in ((DROPPED + name, 0), (name, out.rows), (SIZES + name, out.rows))
    ]


def _entry(folder: Path, file: str, rows: int) -> dict[str, Any]:
    """Return what the manifest says of a file."""
    path = folder / file
    return {"file": file, "rows": rows, "bytes": path.stat().st_size, "content": content_hash(str(path))}


def finish(folder: Path, entries: Iterable[dict[str, Any]], made: dict[str, Any]) -> None:
    """Write the manifest: from here on it is a corpus folder."""
    manifest = {
        "version": FORMAT_VERSION,
        "tamis": __version__,
        "code": code_version(),
        "format": "parquet",
        "signals": [],
        "recipe": [made],
        "inputs": [],
        "outputs": sorted(entries, key=lambda entry: str(entry["file"])),
    }
    write_json(folder / "manifest.json", manifest)


def from_parquet(source: str, folder: Path) -> None:
    """Make a corpus folder of a Parquet file with id and text: same rows, same order, ``source`` = corpus#row."""
    entries: list[dict[str, Any]] = []
    for index, tables in enumerate(_parts(_rows(source))):
        entries += write_part(folder, index, tables)
    finish(folder, entries, {"benchmark": {"from": Path(source).name}})


def _rows(source: str) -> Iterator[pa.Table]:
    first = 0
    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches(1000, columns=["id", "text"]):
            ids, texts = (batch.column(name).cast(pa.string()) for name in ("id", "text"))
            yield rows_table(ids, texts, "corpus", first)
            first += batch.num_rows


def _parts(tables: Iterator[pa.Table]) -> Iterator[list[pa.Table]]:
    held, size = [], 0
    for table in tables:
        held.append(table)
        size += pc.sum(pc.binary_length(table.column("text"))).as_py() or 0
        if size >= PART_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held
