"""Reading a corpus folder: its manifest, its parts as shards, its kept and dropped rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.document import FORMAT_VERSION, REMOVED_SCHEMA, SCHEMA, SIGNAL_PREFIX
from tamis.errors import InputError
from tamis.run.measure import MEASURE_FIELDS, MEASURES, measure, sizes_hold, write_sizes
from tamis.run.shard import REMOVED_ROWS_SCHEMA
from tamis.storage import TableWriter, content_hash, link_or_copy, read_jsonl, row_groups, write_table

DROPPED: Final = "dropped/"
EVIDENCE: Final = "evidence/"
SIZES: Final = "sizes/"
"""Folders of outputs that are no parts."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus folder that was checked: version known, every part there and as long as the manifest says."""

    folder: Path
    name: str
    """The path as the user gave it."""
    manifest: dict[str, Any]

    @property
    def parts(self) -> list[dict[str, Any]]:
        """Manifest entries of the parts, in order."""
        others = (DROPPED, EVIDENCE, SIZES)
        return [entry for entry in self.manifest["outputs"] if not entry["file"].startswith(others)]

    @property
    def dropped(self) -> list[dict[str, Any]]:
        """Manifest entries of the files with removed rows, in order."""
        return [entry for entry in self.manifest["outputs"] if entry["file"].startswith(DROPPED)]

    @property
    def evidence(self) -> list[dict[str, Any]]:
        """Manifest entries of the evidence files, in order; none where no stage gave evidence."""
        return [entry for entry in self.manifest["outputs"] if entry["file"].startswith(EVIDENCE)]

    @property
    def sizes(self) -> dict[str, str]:
        """Content hashes of the files of sizes, by the part they belong to; nobody promises that they are there."""
        return {
            entry["file"].removeprefix(SIZES): entry["content"]
            for entry in self.manifest["outputs"]
            if entry["file"].startswith(SIZES)
        }

    @property
    def form(self) -> str:
        """Format of the parts."""
        return str(self.manifest["format"])

    def tables(self, dropped: bool = False, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield kept (or dropped) rows, part by part."""
        schema = REMOVED_SCHEMA if dropped else part_schema(self.manifest)
        for entry in self.dropped if dropped else self.parts:
            yield from part_tables(self.folder / entry["file"], schema, columns)


def is_corpus(path: str | Path) -> bool:
    """Tell whether a path looks like a corpus folder (finished or not)."""
    return (Path(path) / "manifest.json").is_file()


def part_schema(manifest: dict[str, Any]) -> pa.Schema:
    """Return the schema of the parts of a corpus."""
    return pa.schema([*SCHEMA, *(pa.field(name, pa.float64()) for name in manifest.get("signals", []))])


def part_tables(path: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the rows of one part in batches; raise InputError where it cannot be read."""
    if not path.name.endswith(".parquet"):
        for table in read_jsonl(str(path), schema):
            yield table.select(columns) if columns else table
        return
    try:
        yield from row_groups(path, columns)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {path}: {error}") from None


def open_corpus(given: str) -> Corpus:
    """Read and check the manifest of a corpus folder. Raises InputError."""
    folder = Path(given)
    path = folder / "manifest.json"
    try:
        manifest = orjson.loads(path.read_bytes())
        version = manifest["version"]
    except FileNotFoundError:
        hint = "; its run has not finished: run the same command again" if (folder / ".work").is_dir() else ""
        raise InputError(f"{given} is not a corpus folder: it has no manifest.json{hint}") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"cannot read {path}: not a corpus manifest ({error})") from None
    if version != FORMAT_VERSION:
        raise InputError(
            f"{given} is a corpus folder of format version {version}; this tamis reads version {FORMAT_VERSION}: "
            "make it again with this version, or read it with the one that made it"
        )
    for entry in manifest["outputs"]:
        if entry["file"].startswith(SIZES):
            continue  # a convenience: what is missing is measured again
        part = folder / entry["file"]
        if not part.is_file() or part.stat().st_size != entry["bytes"]:
            raise InputError(
                f"{part} is missing or not the file the manifest names: run the command that made it again"
            )
    return Corpus(folder, given, manifest)


def load_part(path: str, signals: Sequence[str], content: str, sizes: str | None, out: Path) -> dict[str, Any]:
    """Make one part of a corpus ready to be judged; a task. Raises InputError if its bytes are not ``content``.

    Parquet parts stay where they are and get a layer with the measured columns: the file beside them, where its bytes
    have the hash ``sizes``, else measured now. JSON lines become base rows.
    """
    part = Path(path)
    if content_hash(path) != content:
        raise InputError(f"{path} was changed after it was written: run the command that made it again")
    schema = pa.schema([*SCHEMA, *(pa.field(name, pa.float64()) for name in signals)])
    if part.name.endswith(".parquet"):
        beside, layer = part.parent / SIZES / part.name, out / "layer.parquet"
        if sizes and sizes_hold(beside, sizes, part):
            link_or_copy(beside, layer)
        else:
            texts = (table.column("text") for table in part_tables(part, schema, ["text"]))
            write_sizes(layer, (pa.table(measure(column)) for column in texts))
        write_table(out / "removed.parquet", REMOVED_ROWS_SCHEMA.empty_table())
        return {"rows": pq.read_metadata(layer).num_rows, "base": None, "columns": list(MEASURES)}
    with TableWriter(out / "base.parquet", pa.schema([*schema, *MEASURE_FIELDS]), compression="lz4") as base:
        for table in part_tables(part, schema):
            for name, column in measure(table.column("text")).items():
                table = table.append_column(name, column)
            base.write(table)
    return {"rows": base.rows, "base": "base.parquet", "columns": []}


def signal_columns(names: Sequence[str]) -> list[str]:
    """Return the ``signal.*`` names in order, each once."""
    return sorted({name for name in names if name.startswith(SIGNAL_PREFIX)})
