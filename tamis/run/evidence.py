"""Evidence: which document stayed for each removed one, how alike the two are, and how that was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis.document import EVIDENCE_SCHEMA
from tamis.errors import InputError
from tamis.run.corpus import Corpus, part_tables

_ROW_GROUP: Final = 100_000


def keeper_of(detail: str | None) -> str | None:
    """Return the id of the keeper that the ``detail`` of a removed row names, if it names one."""
    if not detail:
        return None
    try:
        named = orjson.loads(detail)
    except orjson.JSONDecodeError:
        return None
    keeper = named.get("keeper") if isinstance(named, dict) else None
    return keeper if isinstance(keeper, str) else None


def described(stage: Any) -> str:
    """Return what a reduce stage says of its evidence as JSON, or "" where it gives none."""
    say = getattr(stage, "evidence", None)
    return orjson.dumps(say(), option=orjson.OPT_SORT_KEYS).decode() if say else ""


class EvidenceWriter:
    """Writes one evidence file. Use as a context manager; ``rows`` counts what was written."""

    def __init__(self, path: Path) -> None:
        # Dictionaries only where values repeat: method and parameters are the same for all rows of a stage.
        self._file = pq.ParquetWriter(
            path,
            EVIDENCE_SCHEMA,
            compression="zstd",
            compression_level=3,
            use_dictionary=["stage", "method", "parameters"],
            write_statistics=False,
            version="2.6",
        )
        self._held: list[pa.Table] = []
        self.rows = 0

    def add(self, stage: str, evidence: str, rows: pa.Table, why: pa.Table) -> None:
        """Add the removals of one stage that name a keeper.

        Args:
            stage: Label of the stage.
            evidence: What it says of itself: JSON with ``method``, ``parameters``, and ``measured`` (whether the value
                of a removal is a similarity of the two texts; true where left out).
            rows: Removed rows, with ``id`` and ``source``.
            why: Their removals, with ``value`` and ``detail``.
        """
        said = orjson.loads(evidence)
        details = why.column("detail").combine_chunks().dictionary_encode()  # many rows have one keeper
        ids = pa.array([keeper_of(detail) for detail in details.dictionary.to_pylist()], pa.string())
        keepers = ids.take(details.indices)
        n = len(keepers)
        values = why.column("value") if said.get("measured", True) else pa.nulls(n, pa.float64())
        parameters = orjson.dumps(said["parameters"], option=orjson.OPT_SORT_KEYS).decode()
        table = pa.table(
            {
                "stage": pa.repeat(stage, n),
                "id": rows.column("id"),
                "source": rows.column("source"),
                "keeper": keepers,
                "similarity": values,
                "method": pa.repeat(said["method"], n),
                "parameters": pa.repeat(parameters, n),
            }
        )
        if keepers.null_count:
            table = table.filter(keepers.is_valid())
        self._held.append(table.cast(EVIDENCE_SCHEMA))
        self.rows += table.num_rows
        if sum(one.num_rows for one in self._held) >= _ROW_GROUP:
            self._flush(_ROW_GROUP)

    def _flush(self, size: int) -> None:
        """Write whole row groups of ``size`` rows; what is over waits: batches must not show in the file."""
        table = pa.concat_tables(self._held).combine_chunks()
        while table.num_rows >= size > 0:
            self._file.write_table(table.slice(0, size))
            table = table.slice(size)
        self._held = [table]

    def __enter__(self) -> EvidenceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._held:
            self._flush(_ROW_GROUP)
            self._flush(self._held[0].num_rows)
        self._file.close()


def evidence_tables(corpus: Corpus, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the evidence of a corpus folder; raise InputError where it has none or a file of another kind."""
    if not corpus.evidence:
        raise InputError(
            f"{corpus.name} has no evidence: no stage of its run names keepers, or an older tamis made it;"
            " run the command that made it again"
        )
    for entry in corpus.evidence:
        path = corpus.folder / entry["file"]
        for table in part_tables(path, EVIDENCE_SCHEMA, columns):
            if missing := set(columns or EVIDENCE_SCHEMA.names) - set(table.schema.names):
                raise InputError(f"{path} is no evidence file: it has no column {', '.join(sorted(missing))}")
            yield table


def evidence_of(corpus: Corpus, document: str, stage: str) -> dict[str, Any] | None:
    """Return the evidence for one removed document at one stage; None where the folder keeps none of it."""
    for table in evidence_tables(corpus) if corpus.evidence else ():
        hit = pc.and_(pc.equal(table.column("id"), document), pc.equal(table.column("stage"), stage))
        for row in table.filter(hit).to_pylist():
            return {**row, "parameters": orjson.loads(row["parameters"])}
    return None
