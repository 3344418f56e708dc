"""Readers: one small file for each kind of source, and the table that names them."""

from __future__ import annotations

from collections.abc import Sequence

from tamis.curate.readers.arc import ArcReader
from tamis.curate.readers.jsonl import JsonlReader
from tamis.curate.readers.parquet import ParquetReader
from tamis.curate.readers.single import HtmlReader, TextReader
from tamis.curate.readers.sources import Rejected, plan
from tamis.curate.readers.table import TableReader
from tamis.curate.readers.warc import WarcReader
from tamis.stage import Reader, SourceFile


def readers(text_field: str | None = None) -> dict[str, Reader]:
    """Return the readers by kind, in the order they are asked; ``text_field`` names the text of rows and objects."""
    return {
        "warc": WarcReader(),
        "arc": ArcReader(),
        "parquet": ParquetReader(text_field),
        "html": HtmlReader(),
        "csv": TableReader(text_field),
        "jsonl": JsonlReader(text_field),
        "text": TextReader(),
    }


READERS: dict[str, Reader] = readers()


def plan_sources(paths: Sequence[str]) -> tuple[list[SourceFile], list[Rejected]]:
    """Return the files to read and the ones refused, both in canonical order; see ``sources.plan``."""
    return plan(paths, READERS)


__all__ = ["READERS", "Rejected", "plan_sources", "readers"]
