"""One copy of each line: lines that stand in many documents, or many times in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from tamis.curate.dedup.cover import Verdicts
from tamis.curate.dedup.grain import Grain
from tamis.curate.dedup.keeper import Keeper
from tamis.curate.dedup.spans import reduce_spans
from tamis.errors import UsageError
from tamis.stage import Done, Engine, ShardView
from tamis.text.kinds import FORMS, LINE, identity


@dataclass(frozen=True, slots=True)
class LineDedup:
    r"""Keeps one copy of each line (cut at "\n"); blank lines, and lines with an empty normal form, are never compared.

    CCNet's way is the default: lines compared in its normal form and cut (Wenzek et al. 2020; cc_net compares within a
    group of shards and loses the first copy too, here one copy stays). Dolma's way is ``normalise: exact`` with
    ``action: drop``: its deduper marks repeated paragraphs, which it cuts at "\n" too, and its mixer drops documents by
    their share (here exactly, not by a Bloom filter, and but for white space at the ends).
    """

    kind: ClassVar[str] = "line"
    unit: ClassVar[int] = LINE
    reason: ClassVar[str] = "repeated_lines"

    scope: Literal["global", "site"] = "global"
    """``site``: compared only within a site: the host of the URL; without one, the source file."""
    normalise: Literal["ccnet", "exact"] = "ccnet"
    """``ccnet``: lower case, every digit 0, cc_net's list of Unicode signs and control characters left out."""
    action: Literal["cut", "drop"] = "cut"
    """Cut what is repeated, or drop documents by its share."""
    threshold: float = 0.8
    """``drop``: least share of the characters of all lines that are not blank which is repeated."""
    min_chars: int = 0
    """Shorter units are never compared."""
    min_tokens: int = 0
    """Units with fewer tokens are never compared."""
    keeper: str = "longest"
    """Which document keeps its copy; see ``tamis.curate.dedup.keeper``. Within a document the first one stays."""

    def __post_init__(self) -> None:
        Keeper.parse(self.keeper)
        check_choice("scope", self.scope, ("global", "site"))
        check_choice("normalise", self.normalise, FORMS)
        check_action(self.action, self.threshold)
        for name, value in (("min_chars", self.min_chars), ("min_tokens", self.min_tokens)):
            if value < 0:
                raise UsageError(f"{name} is {value}, expected at least 0")

    def signature(self) -> dict[str, Any]:
        """Return what the result depends on besides the rows."""
        return {"stage": self.kind, **asdict(self), "units": identity()}

    def evidence(self) -> dict[str, Any]:
        """Return how a keeper was found; see ``ReduceStage.evidence``."""
        return {"method": f"repeated {self.kind}s", "parameters": self.signature(), "measured": False}

    def reduce(self, shards: Sequence[ShardView], engine: Engine) -> list[Done]:
        """Run the stage as tasks; see ``reduce_spans``."""
        grain = Grain(
            self.unit,
            form=self.normalise,
            min_chars=self.min_chars,
            min_tokens=self.min_tokens,
            by_site=self.scope == "site",
            keeper=self.keeper,
        )
        verdicts = Verdicts(self.reason, self.threshold if self.action == "drop" else None)
        return reduce_spans(self.kind, grain, verdicts, shards, engine)


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Raise UsageError unless the value is one of those known."""
    if value not in known:
        raise UsageError(f"{name} {value!r} is not known; use {' or '.join(known)}")


def check_action(action: str, threshold: float) -> None:
    """Raise UsageError unless action and threshold can be used."""
    check_choice("action", action, ("cut", "drop"))
    if not 0 < threshold <= 1:
        raise UsageError(f"threshold is {threshold}, expected above 0 and at most 1")
