"""One copy of each span of sentences, as C4 was deduplicated."""

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
from tamis.text.kinds import SENTENCE, identity


@dataclass(frozen=True, slots=True)
class SentenceDedup:
    """Keeps one copy of each run of ``sentences`` sentences, wherever it occurs again.

    The definition is that of the C4 paper (Raffel et al. 2020, section 2.2: all but one of any three-sentence span that
    occurs more than once), with what datatrove@0.10.1 adds to it (``SentDedupConfig``): a document that was cut and has
    too little left is dropped. TensorFlow's own C4 script compares single lines instead: that is ``LineDedup``.
    Differs from datatrove in the splitting (rules for English and Chinese, a line end ends a sentence), in that
    sentences are compared by the tokens of the word view, and in that the best document keeps its copy.
    """

    kind: ClassVar[str] = "sentence"

    sentences: int = 3
    """Sentences of a run."""
    action: Literal["cut", "drop"] = "cut"
    threshold: float = 0.8
    """``drop``: least share of the characters of all sentences that is repeated."""
    min_doc_words: int = 50
    """``cut``: a document that was cut and has fewer tokens left is dropped. Han characters count one by one."""
    min_num_sentences: int = 3
    """``cut``: the same for sentences."""
    keeper: str = "longest"
    """Which document keeps its copy; see ``tamis.curate.dedup.keeper``. Within a document the first one stays."""

    def __post_init__(self) -> None:
        Keeper.parse(self.keeper)
        check_action(self.action, self.threshold)
        if not 1 <= self.sentences <= 1000:
            raise UsageError(f"sentences is {self.sentences}, expected 1 to 1000")
        for name, value in (("min_doc_words", self.min_doc_words), ("min_num_sentences", self.min_num_sentences)):
            if value < 0:
                raise UsageError(f"{name} is {value}, expected at least 0")

    def signature(self) -> dict[str, Any]:
        """Return what the result depends on besides the rows."""
        return {"stage": self.kind, **asdict(self), "units": identity()}

    def evidence(self) -> dict[str, Any]:
        """Return how a keeper was found; see ``ReduceStage.evidence``."""
        return {"method": "repeated sentence spans", "parameters": self.signature(), "measured": False}

    def reduce(self, shards: Sequence[ShardView], engine: Engine) -> list[Done]:
        """Run the stage as tasks; see ``reduce_spans``."""
        grain = Grain(SENTENCE, self.sentences, keeper=self.keeper)
        drop_at = self.threshold if self.action == "drop" else None
        verdicts = Verdicts("repeated_sentences", drop_at, self.min_doc_words, self.min_num_sentences)
        return reduce_spans(self.kind, grain, verdicts, shards, engine)
