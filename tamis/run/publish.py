"""From layers to a corpus folder: parts, dropped rows, manifest; earlier output stays whole until the new one is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.document import REMOVED_FIELDS, REMOVED_SCHEMA, SCHEMA
from tamis.run.shard import ROW, Shard
from tamis.stage import Done
from tamis.storage import TableWriter, content_hash, link_or_copy, write_text, writing

PART: Final = re.compile(r"part-\d{5,}\.(parquet|jsonl|jsonl\.gz|jsonl\.zst)")


def publish_shard(
    shard: Shard, signals: Sequence[str], form: str, removed_before: str | None, out: Path
) -> dict[str, Any]:
    """Write one part and its dropped rows into ``out``; a task. Returns rows, bytes and content hashes.

    ``signals`` are the ``signal.*`` columns that all parts have; ``removed_before`` is a Parquet file of rows that
    never became base rows (``document.REMOVED_SCHEMA``).
    """
    schema = pa.schema([*SCHEMA, *(pa.field(name, pa.float64()) for name in signals)])
    part, dropped = out / f"part.{form}", out / f"dropped.{form}"
    with TableWriter(part, schema, form) as kept:
        present = [name for name in schema.names if name in SCHEMA.names or shard.has(name)]
        for table in shard.batches(present):
            kept.write(_complete(table, schema))
    with TableWriter(dropped, REMOVED_SCHEMA, form) as gone:
        if removed_before:
            with pq.ParquetFile(removed_before) as file:
                for batch in file.iter_batches(1024):
                    gone.write(pa.Table.from_batches([batch]))
        for number in range(len(shard.layers)):
            _write_removed(shard, number, gone)
    return {
        "part": {"rows": kept.rows, "bytes": part.stat().st_size, "content": content_hash(str(part))},
        "dropped": {"rows": gone.rows, "bytes": dropped.stat().st_size, "content": content_hash(str(dropped))},
    }


def _complete(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Add the columns a shard does not have as nulls."""
    for field in schema:
        if field.name not in table.schema.names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table


def _write_removed(shard: Shard, number: int, gone: TableWriter) -> None:
    """Write the rows that one layer removed, as they were when they reached it."""
    layer = shard.layers[number]
    removed = pq.read_table(Path(layer.folder) / "removed.parquet")
    if not removed.num_rows:
        return
    rows = np.asarray(removed.column(ROW).to_numpy(), np.uint32)
    before = replace(shard, layers=shard.layers[:number])
    done = 0
    for numbers, table in before.numbered(SCHEMA.names, rows):
        why = removed.slice(done, len(numbers))
        done += len(numbers)
        columns = {name: table.column(name) for name in SCHEMA.names}
        columns["stage"] = pa.array([layer.label] * len(numbers), pa.string())
        columns |= {field.name: why.column(field.name) for field in REMOVED_FIELDS[1:]}
        gone.write(pa.table(columns))


def publish(folder: Path, shards: Sequence[Shard], done: Sequence[Done], form: str) -> list[dict[str, Any]]:
    """Make the written parts visible in ``folder`` and remove those of an earlier run. Returns the manifest entries."""
    entries: list[dict[str, Any]] = []
    with writing(folder):
        (folder / "dropped").mkdir(parents=True, exist_ok=True)
        # Without a manifest the folder is no corpus: nobody reads a mix of old and new parts.
        (folder / "manifest.json").unlink(missing_ok=True)
        for shard, task in zip(shards, done, strict=True):
            name = f"part-{shard.index:05}.{form}"
            for source, target in (("part", name), ("dropped", f"dropped/{name}")):
                link_or_copy(task.folder / f"{source}.{form}", folder / target)
                entries.append({"file": target, **task.result[source]})
        wanted = {entry["file"] for entry in entries}
        for path in [*folder.iterdir(), *(folder / "dropped").iterdir()]:
            if PART.fullmatch(path.name) and path.relative_to(folder).as_posix() not in wanted:
                path.unlink()
    return sorted(entries, key=lambda entry: str(entry["file"]))


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file with sorted keys, indented, in one step."""
    write_text(path, orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2).decode() + "\n")
