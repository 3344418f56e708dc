"""One document per URL: the same address crawled twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from tamis.curate.dedup.equal import reduce_equal
from tamis.curate.dedup.keeper import Keeper
from tamis.curate.dedup.records import Facts, RecordWriter, hashes128
from tamis.stage import Done, Engine, ShardView
from tamis.text import TextBatch

DEFAULT_PORTS: Final = {"http": ":80", "https": ":443", "ftp": ":21"}
TRACKING: Final = frozenset({"gclid", "dclid", "fbclid", "msclkid", "yclid", "mc_cid", "mc_eid", "igshid"})
"""Query parameters that name the click, not the page; besides all that begin with ``utm_``."""


@dataclass(frozen=True, slots=True)
class UrlDedup:
    """Keeps one document per normalised URL, the longest; a document without a URL is kept and counted."""

    kind: ClassVar[str] = "url"

    drop_tracking: bool = False
    """Whether ``utm_*`` and the click ids of ``TRACKING`` are taken out of the query before comparing."""
    keeper: str = "longest"
    """Which document stays; see ``tamis.curate.dedup.keeper``. Between equals the hash of the id decides."""

    def __post_init__(self) -> None:
        Keeper.parse(self.keeper)

    def signature(self) -> dict[str, Any]:
        """Return what the result depends on besides the rows."""
        return {"stage": self.kind, **asdict(self)}

    def evidence(self) -> dict[str, Any]:
        """Return how a keeper was found; the texts were not compared. See ``ReduceStage.evidence``."""
        parameters = {"drop_tracking": self.drop_tracking, "hash": "xxh3-128"}
        return {"method": "normalised url", "measured": False, "parameters": parameters}

    def reduce(self, shards: Sequence[ShardView], engine: Engine) -> list[Done]:
        """Run the stage as tasks; see ``ReduceStage.reduce``. Notes: ``no_url``."""
        Keeper.parse(self.keeper).check(shards)
        return reduce_equal(self, url_records, "duplicate_url", shards, engine)


def normalise(url: str, drop_tracking: bool = False) -> str:
    """Return the form in which URLs are compared.

    Scheme and host in lower case; without default port and fragment; an empty path is ``/``. Path and query stay as
    they are, since servers may tell them apart. What is no URL with a host is only stripped of white space.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname)
        _ = parts.port  # a port that is no number is no URL either
    except ValueError:
        return url
    if not named:
        return url
    user, at, host = parts.netloc.rpartition("@")
    host = host.lower().removesuffix(DEFAULT_PORTS.get(parts.scheme, "")).removesuffix(":")
    query = parts.query.rstrip()
    if drop_tracking and query:
        query = "&".join(field for field in query.split("&") if not _tracks(field.partition("=")[0].lower()))
    return urlunsplit((parts.scheme, user + at + host, parts.path or "/", query, "")).strip()


def _tracks(name: str) -> bool:
    return name.startswith("utm_") or name in TRACKING


def url_records(view: ShardView, stage: UrlDedup, width: int, out: Path) -> dict[str, Any]:
    """Write the record files of one shard, the URL as key."""
    missing = 0
    from tamis.text.words import count_chars  # compiled kernels: only workers load them

    with RecordWriter(out, view.rows, width, Keeper.parse(stage.keeper)) as writer:
        for table in view.batches([*writer.columns, "text", "url"]):
            urls = [normalise(url or "", stage.drop_tracking) for url in table["url"].to_pylist()]
            keyed = np.array([bool(url) for url in urls], np.bool_)
            missing += len(urls) - int(keyed.sum())
            keys = hashes128([url.encode() for url in urls])
            writer.add(table, keys, Facts(count_chars(TextBatch(table["text"])), keyed=keyed))
        writer.finish()
    return {"rows": view.rows, "notes": {"no_url": missing}}
