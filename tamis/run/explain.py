"""Finding one document in a corpus folder, kept or removed, and the one that was kept in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis.document import REMOVED_FIELDS, REMOVED_SCHEMA
from tamis.errors import InputError
from tamis.run.corpus import Corpus, is_corpus, open_corpus, part_schema, part_tables
from tamis.run.difference import difference
from tamis.run.evidence import evidence_of, keeper_of

SHOWN = ("id", "url", "source", "date", "language", "language_score", "meta", "text")

MOST_HUNKS = 1000
"""Changes that a comparison lists; how many there are is counted beside."""

CONTEXT = 40
"""Characters shown around a change."""

Match = Callable[[pa.Table], pa.Array]


def find(corpus: Corpus, asked: str) -> list[dict[str, Any]]:
    """Return every row whose id begins with ``asked`` or whose URL or source equals it, with its fate.

    Rows that an earlier command removed are looked for in the corpus folder this one was made from, where it lies.
    """
    return [row for _, row in _search(corpus, lambda table: _matches(table, asked))]


def explain(corpus: Corpus, asked: str) -> list[dict[str, Any]]:
    """Return what ``find`` does, and for duplicates and changed texts what the other text is.

    A row removed for a keeper also has ``evidence`` (None where the folder keeps none) and ``keeper``: its ``id``,
    ``found``, and where it was found its row and fate and the ``difference`` from the removed text to its own. It is
    looked for in the folder asked for first: where it is now counts, not where it was when it won. A kept row whose
    text is another than in the corpus folder this one was made from has ``before``: ``file``, and the ``difference``
    from the text there.
    """
    found: list[dict[str, Any]] = []
    for home, row in _search(corpus, lambda table: _matches(table, asked)):
        keeper = keeper_of(row["detail"])
        if row["outcome"] == "kept":
            row |= _before(home, row)
        elif keeper is not None:
            row["evidence"] = evidence_of(home, row["id"], row["stage"])
            row["keeper"] = _keeper(corpus, keeper, row["text"])
        found.append(row)
    return found


def _keeper(corpus: Corpus, keeper: str, text: str) -> dict[str, Any]:
    """Return what is known of the document that was kept for one with this text."""
    rows = _by_id(corpus, keeper)
    if not rows:
        return {"id": keeper, "found": False}
    [row, *_] = sorted(rows, key=lambda one: one["outcome"] != "kept")  # where ids repeat, the kept one
    return {**row, "found": True, "difference": _compared(text, row["text"])}


def _before(corpus: Corpus, row: dict[str, Any]) -> dict[str, Any]:
    """Return how the text of a kept row differs from the one in the folder that this one was made from."""
    for parent in _made_from(corpus):
        for old in _by_id(parent, row["id"]):
            if old["outcome"] == "kept" and old["text"] != row["text"]:
                return {"before": {"file": old["file"], "difference": _compared(old["text"], row["text"])}}
    return {}


def _compared(one: str, two: str) -> dict[str, Any]:
    """Return the difference of two texts as plain data: ``from`` is what the first has, ``to`` what the second has."""
    changes = difference(one, two)
    hunks = [
        {
            "from": {"start": hunk.left, "end": hunk.left_end, "text": one[hunk.left : hunk.left_end]},
            "to": {"start": hunk.right, "end": hunk.right_end, "text": two[hunk.right : hunk.right_end]},
            "before": one[max(0, hunk.left - CONTEXT) : hunk.left],
            "after": one[hunk.left_end : hunk.left_end + CONTEXT],
        }
        for hunk in changes.hunks[:MOST_HUNKS]
    ]
    return {"changes": len(changes.hunks), "cut": changes.cut, "hunks": hunks}


def _by_id(corpus: Corpus, document: str) -> list[dict[str, Any]]:
    """Return the rows with exactly this id."""
    return [row for _, row in _search(corpus, lambda table: pc.equal(table.column("id"), document))]


def _search(corpus: Corpus, matches: Match) -> list[tuple[Corpus, dict[str, Any]]]:
    """Return the rows that match with their fate, each with the nearest folder that holds them."""
    found: list[tuple[Corpus, dict[str, Any]]] = []
    for entry in (*corpus.parts, *corpus.dropped):
        dropped = entry in corpus.dropped
        schema = REMOVED_SCHEMA if dropped else part_schema(corpus.manifest)
        for hits in _rows(corpus.folder / entry["file"], schema, matches):
            for row in hits.to_pylist():
                fate = {field.name: row.get(field.name) for field in REMOVED_FIELDS}
                if not dropped:
                    fate["outcome"] = "kept"
                file = f"{corpus.name.rstrip('/')}/{entry['file']}"
                found.append((corpus, {name: row.get(name) for name in SHOWN} | fate | {"file": file}))
    if not found:
        for source in _made_from(corpus):
            found += _search(source, matches)
    return found


def _rows(path: Path, schema: pa.Schema, matches: Match) -> Iterator[pa.Table]:
    """Yield the rows of a part that match; of Parquet, texts are read only where one does."""
    if not path.name.endswith(".parquet"):
        for table in part_tables(path, schema):
            yield table.filter(matches(table))
        return
    try:
        with pq.ParquetFile(path) as file:
            if missing := set(schema.names) - set(file.schema_arrow.names):
                raise InputError(f"cannot read {path}: it has no column {', '.join(sorted(missing))}")
            for group in range(file.num_row_groups):
                if pc.any(matches(file.read_row_group(group, columns=["id", "url", "source"]))).as_py():
                    table = file.read_row_group(group)
                    yield table.filter(matches(table))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"cannot read {path}: {error}") from None


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
