"""Which language a text is in: fastText's lid.176, per document.

Model: Joulin et al., "Bag of Tricks for Efficient Text Classification" (2016) and "FastText.zip" (2016);
https://fasttext.cc/docs/en/language-identification.html.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from typing import Any, ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc

from tamis.errors import RecipeError
from tamis.models import model_hash, model_path
from tamis.models.table import MODELS
from tamis.recipe import unknown
from tamis.stage import Verdict, no_removals

_VERSION: Final = 1
"""Raised when the same text and model give another answer than before."""

_LABEL: Final = "__label__"
_NEAREST: Final = 3
_HAN: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA: Final = re.compile(r"[\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
_LETTER: Final = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class LanguageStage:
    """Writes ``language`` and ``language_score`` of each document; drops none.

    Any language that a source declared is replaced: declarations are often wrong.
    """

    model: str = "lid.176"
    chars: int = 2000
    """Characters looked at, from the start of the text."""
    script: bool = False
    """Tell ``zh-Hans`` from ``zh-Hant`` instead of writing ``zh`` for both."""

    kind: ClassVar[str] = "language"
    reads: ClassVar[tuple[str, ...]] = ("text",)

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise RecipeError(unknown("model", self.model, MODELS))
        if self.chars < 1:
            raise RecipeError(f"language: chars must be at least 1, not {self.chars}")

    def signature(self) -> dict[str, Any]:
        """Return the fields, and the hash of the model file. Raises MissingModel."""
        return {"kind": self.kind, **asdict(self), "version": _VERSION, "sha256": model_hash(self.model)}

    def open(self) -> LanguageWorker:
        """Load the model, once per process. Raises MissingModel."""
        _load(str(model_path(self.model)))
        return LanguageWorker(self)


@dataclass(frozen=True)
class LanguageWorker:
    """Judges batches with a model that is loaded."""

    stage: LanguageStage

    def judge(self, batch: pa.Table) -> Verdict:
        """Return the two columns for the rows of a batch."""
        heads = pc.utf8_slice_codeunits(batch["text"], 0, self.stage.chars).to_pylist()
        languages, scores = detect(heads, model=self.stage.model, chars=self.stage.chars, script=self.stage.script)
        columns = {"language": pa.array(languages, pa.string()), "language_score": pa.array(scores, pa.float32())}
        return Verdict(removed=no_removals(), columns=columns)


def detect(
    texts: Sequence[str | None], model: str = "lid.176", chars: int = 2000, script: bool = False
) -> tuple[list[str | None], list[float | None]]:
    """Return the language of each text (ISO 639 code) and how sure the model is (0 to 1); None where no letter is.

    Line ends become spaces. CCNet removed them without a space (cc_net/split_by_lang.py), which glues the last word
    of a line to the first of the next. Han text without a single kana is Chinese, even where the model says
    Japanese, as it does for a third of short Chinese lines: it gets the chances of both.

    Args:
        texts: The texts.
        model: A name of ``tamis.models.MODELS``.
        chars: Characters looked at.
        script: Write ``zh-Hans`` or ``zh-Hant`` for Chinese.

    Raises:
        MissingModel: The model has not been fetched.
    """
    heads = [(text or "")[:chars].replace("\n", " ") for text in texts]
    places = [i for i, head in enumerate(heads) if _LETTER.search(head)]
    languages: list[str | None] = [None] * len(heads)
    scores: list[float | None] = [None] * len(heads)
    if not places:
        return languages, scores
    all_labels, all_chances = _load(str(model_path(model))).predict([heads[i] for i in places], k=_NEAREST)
    for i, labels, chances in zip(places, all_labels, all_chances, strict=True):
        ranked = {label.removeprefix(_LABEL): float(chance) for label, chance in zip(labels, chances, strict=True)}
        language, score = _settle(heads[i], ranked)
        languages[i] = f"zh-{_script(heads[i])}" if script and language == "zh" else language
        scores[i] = min(score, 1.0)  # rounding inside the model gives 1.00006
    return languages, scores


def _settle(head: str, ranked: dict[str, float]) -> tuple[str, float]:
    """Return the language and its chance, with Japanese without kana read as Chinese."""
    language, score = next(iter(ranked.items()))
    if language == "ja" and not _KANA.search(head) and _HAN.search(head):
        return "zh", score + ranked.get("zh", 0.0)
    return language, score


def _script(head: str) -> str:
    """Return ``Hant`` where characters that only traditional Chinese has outnumber those of simplified only."""
    simplified, traditional = _script_characters()
    han = _HAN.findall(head)
    return "Hant" if sum(c in traditional for c in han) > sum(c in simplified for c in han) else "Hans"


@cache
def _script_characters() -> tuple[frozenset[str], frozenset[str]]:
    """Return the characters of GB 2312 that Big5 lacks, and those of Big5's first level that GB 2312 lacks."""
    mainland = _characters("gb2312", 0xB0, 0xF7)
    taiwan = _characters("big5", 0xA4, 0xF9)
    common = _characters("big5", 0xA4, 0xC6)
    return frozenset(mainland - taiwan), frozenset(common - mainland)


def _characters(codec: str, first: int, last: int) -> set[str]:
    """Return the Han characters that a double-byte codec puts under these lead bytes."""
    cells = (bytes((lead, trail)) for lead in range(first, last + 1) for trail in range(0x40, 0xFF))
    return {char for cell in cells for char in cell.decode(codec, "ignore") if _HAN.match(char)}


@lru_cache(maxsize=2)
def _load(path: str) -> Any:
    """Load a model file once per process; its name holds its hash, so a new file is a new path."""
    import fasttext

    return fasttext.load_model(path)
