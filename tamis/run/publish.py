"""From layers to a corpus folder: parts, dropped rows, manifest; earlier output stays whole until the new one is."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.document import REMOVED_FIELDS, REMOVED_SCHEMA, SCHEMA
from tamis.run.corpus import DROPPED, EVIDENCE, SIZES
from tamis.run.evidence import EvidenceWriter
from tamis.run.measure import MEASURES, write_sizes
from tamis.run.rows import ROW
from tamis.run.shard import Layer, Shard
from tamis.stage import Done
from tamis.storage import TableWriter, content_hash, link_or_copy, write_text, writing

PLACES: Final = {"part": "", "dropped": DROPPED, "evidence": EVIDENCE, "sizes": SIZES}
"""Where in a corpus folder the files of a shard lie."""

TABLES: Final = {"evidence", "sizes"}
"""Those that are Parquet whatever the parts are, and not there for every run."""

PART: Final = re.compile(r"part-\d{5,}\.(parquet|jsonl|jsonl\.gz|jsonl\.zst)")


def publish_shard(
    shard: Shard, signals: Sequence[str], form: str, removed_before: str | None, out: Path
) -> dict[str, Any]:
    """Write one part and its dropped rows into ``out``; a task. Returns rows, bytes and content hashes.

    ``signals`` are the ``signal.*`` columns that all parts have; ``removed_before`` is a Parquet file of rows that
    never became base rows (``document.REMOVED_SCHEMA``). Where a stage names keepers there is a third file, with
    ``document.EVIDENCE_SCHEMA``: always Parquet.
    """
    schema = pa.schema([*SCHEMA, *(pa.field(name, pa.float64()) for name in signals)])
    part, dropped = out / f"part.{form}", out / f"dropped.{form}"
    rows, whole = shard.rows, _is_whole(shard, schema, form)
    if whole:
        shutil.copyfile(shard.base, part)
    proofs = out / "evidence.parquet" if any(layer.evidence for layer in shard.layers) else None
    with (
        contextlib.nullcontext() if whole else TableWriter(part, schema, form) as kept,
        TableWriter(dropped, REMOVED_SCHEMA, form) as gone,
        EvidenceWriter(proofs) if proofs else contextlib.nullcontext() as proof,
    ):
        if removed_before:
            _copy_rows(removed_before, gone)
        present = [name for name in schema.names if name in SCHEMA.names or shard.has(name)]
        losing = _losing(shard)
        if kept and len(losing) == 1 and not _changed(shard, schema):
            _write_at_once(shard, losing[0], present, (kept, gone, proof))
        else:
            if kept:
                for table in shard.batches(present):
                    kept.write(_complete(table, schema))
            for number in losing:
                _write_removed(shard, number, gone, proof)
    if kept:
        rows = kept.rows
    result = {"part": _entry(part, rows), "dropped": _entry(dropped, gone.rows)}
    if proofs and proof:
        result["evidence"] = _entry(proofs, proof.rows)
    if form == "parquet":  # JSON lines have to be read anyway
        sizes = out / "sizes.parquet"
        result["sizes"] = _entry(sizes, write_sizes(sizes, shard.batches(MEASURES)))
    return result


def _copy_rows(path: str, target: TableWriter) -> None:
    """Write the rows of a Parquet file."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(1024):
            target.write(pa.Table.from_batches([batch]))


def _entry(path: Path, rows: int) -> dict[str, Any]:
    """Return what the manifest says of a file."""
    return {"rows": rows, "bytes": path.stat().st_size, "content": content_hash(str(path))}


def _is_whole(shard: Shard, schema: pa.Schema, form: str) -> bool:
    """Tell whether the base of a shard is, byte for byte, the part that writing its rows again would give.

    So it is where this version of tamis published it, with this version of Arrow and these columns, and no stage took
    a row or changed a column since.
    """
    if form != "parquet" or not shard.published or shard.rows != shard.base_rows or _changed(shard, schema):
        return False
    with pq.ParquetFile(shard.base) as file:
        made_by = str(file.metadata.created_by)
        return made_by == f"parquet-cpp-arrow version {pa.__version__}" and file.schema_arrow.equals(schema)


def _changed(shard: Shard, schema: pa.Schema) -> set[str]:
    """Return the published columns that some stage made or replaced."""
    return {name for layer in shard.layers for name in layer.columns} & set(schema.names)


def _losing(shard: Shard) -> list[int]:
    """Return the numbers of the layers that removed rows."""
    before = [shard.base_rows, *(layer.rows for layer in shard.layers)]
    return [number for number, layer in enumerate(shard.layers) if layer.rows < before[number]]


def _complete(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Add the columns a shard does not have as nulls."""
    for field in schema:
        if field.name not in table.schema.names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table


def _write_removed(shard: Shard, number: int, gone: TableWriter, proof: EvidenceWriter | None) -> None:
    """Write the rows that one layer removed, as they were when they reached it, and the evidence it gives."""
    layer = shard.layers[number]
    removed, rows = _removed(layer)
    before = replace(shard, layers=shard.layers[:number])
    done = 0
    for numbers, table in before.numbered(SCHEMA.names, rows):
        _write_why(layer, table, removed.slice(done, len(numbers)), gone, proof)
        done += len(numbers)


def _write_at_once(
    shard: Shard, number: int, present: Sequence[str], writers: tuple[TableWriter, TableWriter, EvidenceWriter | None]
) -> None:
    """Write the rows that stay and those that one layer removed, reading the texts once.

    For shards of which no other layer lost a row and no layer changed a published column: what is written is the same.
    """
    kept, gone, proof = writers
    layer = shard.layers[number]
    removed, rows = _removed(layer)
    for numbers, table in replace(shard, layers=shard.layers[:number]).numbered(present):
        start, end = np.searchsorted(rows, [numbers[0], numbers[-1] + 1]).tolist()
        stays = np.ones(len(numbers), np.bool_)
        stays[np.searchsorted(numbers, rows[start:end])] = False
        kept.write(_complete(table.filter(pa.array(stays)) if end > start else table, kept.schema))
        if end > start:
            _write_why(layer, table.filter(pa.array(~stays)), removed.slice(start, end - start), gone, proof)


def _removed(layer: Layer) -> tuple[pa.Table, NDArray[np.uint32]]:
    """Return what a layer removed, and the rows."""
    removed = pq.read_table(Path(layer.folder) / "removed.parquet")
    return removed, np.asarray(removed.column(ROW).to_numpy(), np.uint32)


def _write_why(layer: Layer, table: pa.Table, why: pa.Table, gone: TableWriter, proof: EvidenceWriter | None) -> None:
    """Write removed rows with the reasons of a layer, and its evidence."""
    columns = {name: table.column(name) for name in SCHEMA.names}
    columns["stage"] = pa.array([layer.label] * table.num_rows, pa.string())
    columns |= {field.name: why.column(field.name) for field in REMOVED_FIELDS[1:]}
    gone.write(pa.table(columns))
    if proof and layer.evidence:
        proof.add(layer.label, layer.evidence, table, why)


def publish(folder: Path, shards: Sequence[Shard], done: Sequence[Done], form: str) -> list[dict[str, Any]]:
    """Make the written parts visible in ``folder`` and remove those of an earlier run. Returns the manifest entries."""
    entries: list[dict[str, Any]] = []
    with writing(folder):
        for kind in ("dropped", *{kind: 0 for task in done for kind in task.result}):
            (folder / PLACES[kind]).mkdir(parents=True, exist_ok=True)
        # Without a manifest the folder is no corpus: nobody reads a mix of old and new parts.
        (folder / "manifest.json").unlink(missing_ok=True)
        for shard, task in zip(shards, done, strict=True):
            for kind, entry in task.result.items():
                suffix = "parquet" if kind in TABLES else form
                target = f"{PLACES[kind]}part-{shard.index:05}.{suffix}"
                link_or_copy(task.folder / f"{kind}.{suffix}", folder / target)
                entries.append({"file": target, **entry})
        _remove_others(folder, {entry["file"] for entry in entries})
    return sorted(entries, key=lambda entry: str(entry["file"]))


def _remove_others(folder: Path, wanted: Set[str]) -> None:
    """Remove the parts of an earlier run that are none of this one, and folders of tables left empty by that."""
    for place in (folder, *(folder / name for name in PLACES.values() if name)):
        if not place.is_dir():
            continue
        for path in place.iterdir():
            if PART.fullmatch(path.name) and path.relative_to(folder).as_posix() not in wanted:
                path.unlink()
        if place.name in TABLES and not any(place.iterdir()):
            place.rmdir()


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file with sorted keys, indented, in one step."""
    write_text(path, orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2).decode() + "\n")
