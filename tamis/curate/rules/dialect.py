"""Which dialect judges a document when the recipe leaves it open: by its script, and by its language when in doubt."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.curate.rules.language import primary
from tamis.text import TextBatch

DATATROVE: Final = "datatrove"
ZH: Final = "zh"
AUTO: Final = (DATATROVE, ZH)
"""What a rule without dialect chooses from."""

ZH_LANGUAGES: Final = frozenset(
    ("zh", "ja", "yue", "wuu", "cmn", "gan", "hak", "nan", "lzh", "hsn", "cdo", "zho", "chi", "jpn")
)
HAN_SHARE: Final = 0.3
"""From this share of Han and kana among the letters on, text is judged as Chinese whatever its language column says."""
HAN_TRACE: Final = 0.05
"""Below it never: declared languages are often wrong (``lang="zh-CN"`` on an English page). Between, they decide."""


def is_zh(batch: TextBatch) -> NDArray[np.bool_]:
    """Tell which rows the ``zh`` dialect judges; depends on the row alone."""
    from tamis.text.words import char_counts

    classes = char_counts(batch)
    han = classes["han"] + classes["kana"]
    letters = classes["letters"] + han
    declared = _declared(batch)
    return (letters > 0) & ((han >= HAN_SHARE * letters) | (declared & (han >= HAN_TRACE * letters)))


def _declared(batch: TextBatch) -> NDArray[np.bool_]:
    """Tell which rows name a language of ``ZH_LANGUAGES``."""
    column = batch.columns.get("language")
    if column is None:
        return np.zeros(len(batch), np.bool_)
    tags = column.cast(pa.string()).to_pylist()
    return np.array([bool(tag) and primary(tag) in ZH_LANGUAGES for tag in tags], np.bool_)


def identity() -> dict[str, object]:
    """Return what the choice depends on besides the row."""
    from tamis.text.codepoints import load

    return {
        "han_share": HAN_SHARE,
        "han_trace": HAN_TRACE,
        "languages": sorted(ZH_LANGUAGES),
        "words": load("word").identity,
    }
