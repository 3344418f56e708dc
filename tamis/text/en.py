"""The ``en-spacy`` token view and the signals of the four ``@datatrove`` rule families, measured in one compiled pass.

Values equal those of datatrove 0.10.1 with ``language="en"`` (spaCy's English tokeniser plus its sentencizer):
punctuation marks are tokens. Each function returns float64 arrays, one value per row of the batch; NaN says that the
original has no value (null text; empty text; a share of nothing). NaN compares false with every threshold:
decide on it yourself.

Results are kept on the batch: calling the four functions one after another walks the text once.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.text.batch import TextBatch
from tamis.text.chunks import ChunkTable
from tamis.text.engine import measure
from tamis.text.spacy_tables import VERSION

Family = Literal["quality", "repetition", "fineweb", "c4"]
Signals = dict[str, NDArray[np.float64]]

QUALITY = (
    "n_tokens",  # all tokens, punctuation marks too
    "n_words",  # tokens with a character that is no punctuation
    "mean_word_length",  # characters of those / n_words
    "hash_ratio",  # '#' in the text / n_tokens
    "ellipsis_ratio",  # '...' and '…' in the text / n_tokens
    "bullet_lines",  # share of lines (splitlines) that begin with • or -
    "ellipsis_lines",  # share of lines that end with ... or …
    "alpha_ratio",  # share of tokens with a letter
    "stop_words",  # how many of the eight English stop words occur
)
REPETITION = (
    "dup_para_frac",
    "dup_para_char_frac",
    "dup_line_frac",
    "dup_line_char_frac",
    "top_2_gram",
    "top_3_gram",
    "top_4_gram",
    "dup_5_gram",
    "dup_6_gram",
    "dup_7_gram",
    "dup_8_gram",
    "dup_9_gram",
    "dup_10_gram",
)
FINEWEB = (
    "line_punct_ratio",  # share of non-blank lines that end in a terminal mark
    "short_line_ratio",  # share of non-blank lines of at most 30 characters
    "char_dup_ratio",  # characters of repeated lines / characters without newlines
    "newline_ratio",  # newlines / n_tokens
)
C4 = (
    "lines",  # lines (splitlines)
    "kept_lines",  # lines that pass every line rule
    "sentences",  # sentences in the kept lines
    "lorem_ipsum",  # 1 where "lorem ipsum" is what drops the document first
    "curly_bracket",  # 1 where "{" is what drops the document first
    "lines_long_word",  # lines dropped, by the rule that came first
    "lines_no_terminal_punct",
    "lines_few_words",
    "lines_javascript",
    "lines_policy",
)
FAMILIES: dict[Family, tuple[str, ...]] = {"quality": QUALITY, "repetition": REPETITION, "fineweb": FINEWEB, "c4": C4}


@dataclass(frozen=True, slots=True)
class C4Options:
    """The switches of the C4 line rules; the defaults are datatrove's, applied in this order to each stripped line."""

    max_word_length: int = 1000
    """Drop a line with a longer white-space-delimited word; -1: no limit."""
    remove_citations: bool = True
    """Take ``[12]``, ``[]``, ``[edit]`` and ``[citation needed]`` out of the line."""
    terminal_punct: bool = True
    """Drop a line that does not end in . ? ! " ' or that ends in "..."; the FineWeb recipe turns this off."""
    min_words: int = 3
    lorem_ipsum: bool = True
    javascript: bool = True
    curly_bracket: bool = True
    policy: bool = True


DATATROVE_C4 = C4Options()


def signature() -> dict[str, str]:
    """Return what the values depend on besides the text: the view and the version of its tables."""
    return {"view": "en-spacy", "tables": VERSION}


class EnView:
    """Signals of one batch by family; made by ``en_view``."""

    def __init__(self, signals: dict[Family, Signals], c4: C4Options) -> None:
        self.signals = signals
        self.c4 = c4


def en_view(
    batch: TextBatch,
    table: ChunkTable | None = None,
    families: Collection[Family] = ("quality", "repetition", "fineweb", "c4"),
    c4: C4Options = DATATROVE_C4,
) -> EnView:
    """Measure the families of signals in one pass and keep them on the batch.

    A stage that runs only some families, or other C4 switches, calls this first; the functions below then take from it.
    ``table`` is a cache only (one per thread; made on first use): it never changes a value.
    """
    view = batch.__dict__.get("_en_view")
    if isinstance(view, EnView) and view.signals.keys() >= set(families) and (view.c4 == c4 or "c4" not in families):
        return view
    measured = measure(batch, frozenset(families), _switches(c4), table or worker_table())
    signals: dict[Family, Signals] = {}
    for family in FAMILIES:
        if family in measured.signals:
            signals[family] = dict(zip(FAMILIES[family], measured.signals[family], strict=True))
    fresh = EnView(signals, c4)
    if isinstance(view, EnView):
        fresh.signals = {**view.signals, **signals}
        fresh.c4 = c4 if "c4" in families else view.c4
    batch.__dict__["_en_view"] = fresh
    return fresh


def quality_signals(batch: TextBatch) -> Signals:
    """Return the ``QUALITY`` signals (Gopher quality rules: Rae et al. 2021, table A1; datatrove's reading)."""
    return _family(batch, "quality")


def repetition_signals(batch: TextBatch) -> Signals:
    """Return the ``REPETITION`` signals (Gopher repetition rules, exact form: joined n-grams, greedy walk)."""
    return _family(batch, "repetition")


def fineweb_signals(batch: TextBatch) -> Signals:
    """Return the ``FINEWEB`` signals (Penedo et al. 2024)."""
    return _family(batch, "fineweb")


def c4_signals(batch: TextBatch, options: C4Options = DATATROVE_C4) -> Signals:
    """Return the ``C4`` signals (Raffel et al. 2020; datatrove's order of rules)."""
    return _family(batch, "c4", options)


def all_signals(batch: TextBatch, options: C4Options = DATATROVE_C4) -> Signals:
    """Return the signals of all four families; the names do not overlap."""
    view = en_view(batch, c4=options)
    return {name: values for family in FAMILIES for name, values in view.signals[family].items()}


def c4_texts(batch: TextBatch, options: C4Options = DATATROVE_C4, table: ChunkTable | None = None) -> pa.Array:
    """Return the texts as the C4 line rules leave them: kept lines joined by newlines, stripped.

    Null where the text is null or ``lorem_ipsum`` or ``curly_bracket`` drops the document. Too few sentences does not:
    that is the caller's threshold.
    """
    rewritten = measure(batch, frozenset({"c4"}), _switches(options), table or worker_table(), rewrite=True).rewritten
    assert rewritten is not None
    return rewritten


def c4_rewrite(batch: TextBatch, options: C4Options = DATATROVE_C4) -> list[str | None]:
    """Return ``c4_texts`` as Python strings."""
    texts: list[str | None] = c4_texts(batch, options).to_pylist()
    return texts


_local = threading.local()


def worker_table() -> ChunkTable:
    """Return the chunk table of this thread, made on first use (150 MB of address space, used as it fills)."""
    if not hasattr(_local, "table"):
        _local.table = ChunkTable()
    table: ChunkTable = _local.table
    return table


def _family(batch: TextBatch, family: Family, c4: C4Options = DATATROVE_C4) -> Signals:
    """Take one family from the batch's view; measure all four if there is none yet, just this one if it is missing."""
    view = batch.__dict__.get("_en_view")
    if not isinstance(view, EnView):
        return en_view(batch, c4=c4).signals[family]
    return en_view(batch, families=(family,), c4=c4 if family == "c4" else view.c4).signals[family]


def _switches(options: C4Options) -> NDArray[np.int64]:
    """Return the options as the compiled walk reads them."""
    return np.array(
        [
            options.max_word_length,
            options.remove_citations,
            options.terminal_punct,
            options.min_words,
            options.lorem_ipsum,
            options.javascript,
            options.curly_bracket,
            options.policy,
        ],
        np.int64,
    )
