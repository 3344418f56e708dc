"""One copy of each long exact substring, counted in tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from tamis.curate.dedup.cover import Verdicts
from tamis.curate.dedup.grain import Grain
from tamis.curate.dedup.keeper import Keeper
from tamis.curate.dedup.line import check_action
from tamis.curate.dedup.spans import reduce_spans
from tamis.errors import UsageError
from tamis.stage import Done, Engine, ShardView
from tamis.text.kinds import TOKEN, identity


@dataclass(frozen=True, slots=True)
class SubstringDedup:
    """Keeps one copy of each run of ``tokens`` tokens or more that occurs again, in another document or the same.

    After Lee et al. 2022 (Deduplicating Training Data Makes Language Models Better, section 4.1: substrings of 50
    tokens), with the word view for tokens: letter case, signs and white space between words do not count, and Han is
    compared character by character. They build a suffix array over all text in one address space and cut every
    occurrence; here the same substrings are found by hashes, out of core, and one occurrence stays.
    """

    kind: ClassVar[str] = "substring"

    tokens: int = 50
    """Least tokens of a repeated substring."""
    action: Literal["cut", "drop"] = "cut"
    threshold: float = 0.8
    """``drop``: least share of the characters of all tokens that lies in repeated substrings."""
    keeper: str = "longest"
    """Which document keeps its copy; see ``tamis.curate.dedup.keeper``. Within a document the first one stays."""

    def __post_init__(self) -> None:
        Keeper.parse(self.keeper)
        check_action(self.action, self.threshold)
        if not 2 <= self.tokens <= 1000:
            raise UsageError(f"tokens is {self.tokens}, expected 2 to 1000")

    def signature(self) -> dict[str, Any]:
        """Return what the result depends on besides the rows."""
        return {"stage": self.kind, **asdict(self), "units": identity()}

    def evidence(self) -> dict[str, Any]:
        """Return how a keeper was found; see ``ReduceStage.evidence``."""
        return {"method": "repeated substrings", "parameters": self.signature(), "measured": False}

    def reduce(self, shards: Sequence[ShardView], engine: Engine) -> list[Done]:
        """Run the stage as tasks; see ``reduce_spans``."""
        grain = Grain(TOKEN, self.tokens, gram=max(1, self.tokens // 2), keeper=self.keeper)
        verdicts = Verdicts("repeated_substrings", self.threshold if self.action == "drop" else None)
        return reduce_spans(self.kind, grain, verdicts, shards, engine)
