"""The pairs nearest to the threshold of a MinHash deduplication, on either side, for people to look at.

The side above is the evidence: pairs that were removed with the least similarity. The side below does not take the
stage's word for anything: the documents that stayed are signed again and searched for pairs with other bands, which
find what its own bands cannot. A kept pair at or above the threshold is a miss.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from tamis.errors import UsageError
from tamis.run.corpus import Corpus
from tamis.run.difference import difference
from tamis.run.evidence import evidence_tables


@dataclass(frozen=True, slots=True)
class AuditPair:
    """Two documents near the threshold."""

    decision: Literal["missed", "removed", "kept"]
    """Missed: both stay though they reach the threshold. Removed: the first went for the second. Kept: both stay."""
    similarity: float
    id: str
    other: str
    source: str = ""
    other_source: str = ""
    text: str = ""
    other_text: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the pair as plain data, with the changes from the first text to the second instead of the texts."""
        changes = difference(self.text, self.other_text)
        hunks = [
            {"from": {"text": self.text[h.left : h.left_end]}, "to": {"text": self.other_text[h.right : h.right_end]}}
            for h in changes.hunks[:20]
        ]
        names = ("decision", "similarity", "id", "source", "other", "other_source")
        return {name: getattr(self, name) for name in names} | {
            "difference": {"changes": len(changes.hunks), "cut": changes.cut, "hunks": hunks}
        }


def audit(
    corpus: Corpus, removed: Iterable[pa.Table], near: Iterable[tuple[str, str, float]], threshold: float, n: int
) -> list[AuditPair]:
    """Return about ``n`` pairs around the threshold: missed ones first, then from the top down.

    Args:
        corpus: The folder that the deduplication wrote.
        removed: Evidence rows (``document.EVIDENCE_SCHEMA``); those without a similarity are left out.
        near: Pairs of kept documents with their exact similarity.
        threshold: The threshold of the deduplication.
        n: Half are the removed pairs nearest to it, half the kept ones; missed pairs come on top, ``n`` at most.
            Between equals ids decide.
    """
    if n < 1:
        raise UsageError(f"audit of {n} pairs, expected at least 1")
    rows = (row for table in removed for row in zip(*(table.column(k).to_pylist() for k in _EVIDENCE), strict=True))
    above = heapq.nsmallest(n - n // 2, (row for row in rows if row[0] is not None))
    pairs = [AuditPair("removed", value, one, other) for value, one, other in above]
    both = [(value, min(one, other), max(one, other)) for one, other, value in near]
    missed = heapq.nsmallest(n, (pair for pair in both if pair[0] >= threshold), key=_from_the_top)
    below = heapq.nsmallest(n // 2, (pair for pair in both if pair[0] < threshold), key=_from_the_top)
    lost = [AuditPair("missed", value, one, other) for value, one, other in missed]
    return _filled(corpus, [*lost, *pairs[::-1], *(AuditPair("kept", *pair) for pair in below)])


def _from_the_top(pair: tuple[float, str, str]) -> tuple[float, str, str]:
    """Order pairs from the most alike down; between equals ids decide."""
    return -pair[0], pair[1], pair[2]


_EVIDENCE = ("similarity", "id", "keeper")


def removed_pairs(corpus: Corpus, method: str) -> Iterator[pa.Table]:
    """Yield the evidence rows of one method."""
    for table in evidence_tables(corpus, ["id", "keeper", "similarity", "method"]):
        yield table.filter(pc.equal(table.column("method"), method))


def _filled(corpus: Corpus, pairs: Sequence[AuditPair]) -> list[AuditPair]:
    """Return the pairs with sources and texts; a document that is not in the folder has none."""
    wanted = pa.array(sorted({one for pair in pairs for one in (pair.id, pair.other)}), pa.string())
    found: dict[str, tuple[str, str]] = {}
    for dropped in (True, False):  # an id that repeats: the kept one counts
        for table in corpus.tables(dropped, ["id", "source", "text"]):
            hits = table.filter(pc.is_in(table.column("id"), wanted))
            found |= {row["id"]: (row["source"], row["text"]) for row in hits.to_pylist()}
    nothing = ("", "")
    return [
        AuditPair(
            *(pair.decision, pair.similarity, pair.id, pair.other),
            *(found.get(pair.id, nothing)[0], found.get(pair.other, nothing)[0]),
            *(found.get(pair.id, nothing)[1], found.get(pair.other, nothing)[1]),
        )
        for pair in pairs
    ]
