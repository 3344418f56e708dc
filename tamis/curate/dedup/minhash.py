"""One document per near-duplicate family: MinHash finds candidates, exact similarity decides.

Every removed document is verified against a document that stays; there are no chains. The result is the greedy
independent set of the graph "share a bucket and similarity >= threshold" in keeper order, so it depends on texts, ids
and parameters alone: not on workers, memory, shards or their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Literal

from tamis.curate.dedup.keeper import Keeper
from tamis.curate.dedup.parameters import choose_bands
from tamis.errors import UsageError
from tamis.stage import Done, Engine, ShardView
from tamis.text.minhash import MinHasher
from tamis.text.shingling import Shingling

VERIFY: Final = ("jaccard", "containment", "none")


@dataclass(frozen=True, slots=True)
class MinhashDedup:
    """Removes documents whose shingles overlap a kept document's by ``threshold`` or more."""

    kind: ClassVar[str] = "minhash"

    permutations: int = 128
    bands: int | None = None
    rows: int | None = None
    """Bands of a signature and values of a band; by default chosen so that a pair at ``threshold`` is found with
    probability 0.99 or more: 21 bands of 6 at 0.8 (0.998; 16 of 8 would find it with only 0.947)."""
    threshold: float = 0.8
    shingle: str = "word:5"
    """``word:N``, ``word-w:N`` or ``char:N``; see ``tamis.text.shingling``."""
    seed: int = 1
    scheme: Literal["affine32", "legacy"] = "affine32"
    """How datasketch makes its signatures from 2.0 on, or did before."""
    keeper: str = "longest"
    """Which document stays; see ``tamis.curate.dedup.keeper``. Between equals the hash of the id decides."""
    bucket_limit: int = 64
    """Kept documents that a bucket remembers; keeps a template with a million fillings linear. What finds no room is
    counted as ``bucket_overflow``: only pairs of such documents can be missed for it."""
    verify: Literal["jaccard", "containment", "none"] = "jaccard"
    """Shared shingles as part of the union, as part of the removed document, or not compared: every document that
    shares a bucket with a kept one goes."""
    index: str | None = None
    """Folder of an index: what earlier runs kept stays, and what this run keeps is added."""

    def __post_init__(self) -> None:
        Keeper.parse(self.keeper)
        if not 0 < self.threshold <= 1:
            raise UsageError(f"threshold is {self.threshold}, expected above 0 and at most 1")
        if self.bucket_limit < 1:
            raise UsageError(f"bucket_limit is {self.bucket_limit}, expected at least 1")
        if self.verify not in VERIFY:
            raise UsageError(f"verify {self.verify!r} is not known; use one of {', '.join(VERIFY)}")
        self.hasher()
        _ = self.banding

    @property
    def banding(self) -> tuple[int, int]:
        """Bands and rows, chosen where they are not given."""
        return choose_bands(self.threshold, self.permutations, self.bands, self.rows)

    def hasher(self) -> MinHasher:
        """Return what makes the signatures."""
        return MinHasher(Shingling.parse(self.shingle), self.permutations, self.seed, self.scheme)

    def identity(self) -> dict[str, Any]:
        """Return what the signatures and their buckets depend on: an index must agree in all of it."""
        bands, rows = self.banding
        return {**self.hasher().identity, "bands": bands, "rows": rows}

    def signature(self) -> dict[str, Any]:
        """Return what the result depends on besides the rows, and besides what an index holds."""
        return {"stage": self.kind, **asdict(self), "index": self.index is not None, "signatures": self.identity()}

    def evidence(self) -> dict[str, Any]:
        """Return how a keeper was found; see ``ReduceStage.evidence``."""
        method = {"jaccard": "jaccard", "containment": "containment", "none": "shared bucket"}[self.verify]
        return {"method": method, "parameters": {"threshold": self.threshold, **self.identity()}}

    def disk(self, documents: int, text: int) -> int:
        """Return about how many bytes of disk a run over so many documents and bytes of text takes for a while.

        Keys, records, ids and buckets by document; sets where a third of the text shares a bucket.
        """
        bands, _ = self.banding
        kept = 4 * self.permutations * documents + text * 8 // 6 if self.index else 0
        return documents * (8 * (bands + 1) + 160) + text * 45 // 100 + kept

    def reduce(self, shards: Sequence[ShardView], engine: Engine) -> list[Done]:
        """Run the stage as tasks; see ``ReduceStage.reduce``.

        Notes: ``bucket_overflow``, ``candidates`` (documents that shared a bucket), ``comparisons`` (exact ones), and
        with an index ``index_documents``.
        """
        from tamis.curate.dedup.flow import Flow
        from tamis.curate.dedup.index import opened

        Keeper.parse(self.keeper).check(shards)
        if not shards:
            return []
        with opened(self.index, self.identity()) as index:
            return Flow(self, shards, engine, index).run()
