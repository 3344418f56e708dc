"""Finding one document in a corpus folder, kept or removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tamis.document import REMOVED_FIELDS, REMOVED_SCHEMA
from tamis.run.corpus import Corpus, is_corpus, open_corpus, part_schema, part_tables

SHOWN = ("id", "url", "source", "date", "language", "language_score", "meta", "text")


def find(corpus: Corpus, asked: str) -> list[dict[str, Any]]:
    """Return every row whose id begins with ``asked`` or whose URL or source equals it, with its fate.

    Rows that an earlier command removed are looked for in the corpus folder this one was made from, where it lies.
    """
    found: list[dict[str, Any]] = []
    for entry in corpus.manifest["outputs"]:
        dropped = entry["file"].startswith("dropped/")
        schema = REMOVED_SCHEMA if dropped else part_schema(corpus.manifest)
        for table in part_tables(corpus.folder / entry["file"], schema):
            hits = table.filter(_matches(table, asked))
            for row in hits.to_pylist():
                fate = {field.name: row.get(field.name) for field in REMOVED_FIELDS}
                if not dropped:
                    fate["outcome"] = "kept"
                file = f"{corpus.name.rstrip('/')}/{entry['file']}"
                found.append({name: row.get(name) for name in SHOWN} | fate | {"file": file})
    if not found:
        for source in _made_from(corpus):
            found += find(source, asked)
    return found


def _matches(table: pa.Table, asked: str) -> pa.Array:
    """Tell which rows are asked for."""
    hit = pc.or_(pc.equal(table.column("source"), asked), pc.fill_null(pc.equal(table.column("url"), asked), False))
    if len(asked) >= 4:  # shorter beginnings would match by chance
        hit = pc.or_(hit, pc.starts_with(table.column("id"), asked))
    return hit


def _made_from(corpus: Corpus) -> list[Corpus]:
    """Return the corpus folders this one was made from, as far as they are still there."""
    parents = {str(Path(entry["name"]).parent) for entry in corpus.manifest["inputs"] if entry["kind"] == "corpus"}
    return [open_corpus(parent) for parent in sorted(parents) if is_corpus(parent)]
