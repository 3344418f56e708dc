"""The signals against datatrove itself, on real documents: decisions, reasons, values and the text that C4 leaves."""

import json
import lzma
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tamis.text import TextBatch, en

from . import en_oracle, en_texts

pytestmark = pytest.mark.slow
pytest.importorskip("datatrove")

# (signal, lowest kept, highest kept, datatrove's reason), in datatrove's order.
QUALITY = [
    ("n_words", 50, 1e9, "gopher_short_doc"),
    ("n_words", 0, 100_000, "gopher_long_doc"),
    ("mean_word_length", 3, 1e9, "gopher_below_avg_threshold"),
    ("mean_word_length", 0, 10, "gopher_above_avg_threshold"),
    ("hash_ratio", 0, 0.1, "gopher_too_many_hashes"),
    ("ellipsis_ratio", 0, 0.1, "gopher_too_many_ellipsis"),
    ("bullet_lines", 0, 0.9, "gopher_too_many_bullets"),
    ("ellipsis_lines", 0, 0.3, "gopher_too_many_end_ellipsis"),
    ("alpha_ratio", 0.8, 1, "gopher_below_alpha_threshold"),
    ("stop_words", 2, 8, "gopher_enough_stop_words"),
]
REPETITION = [
    *((name, 0, limit, name) for name, limit in (("dup_para_frac", 0.3), ("dup_para_char_frac", 0.2))),
    *((name, 0, limit, name) for name, limit in (("dup_line_frac", 0.3), ("dup_line_char_frac", 0.2))),
    *((f"top_{n}_gram", 0, limit, f"top_{n}_gram") for n, limit in ((2, 0.2), (3, 0.18), (4, 0.16))),
    *((f"dup_{n}_gram", 0, (20 - n) / 100, f"duplicated_{n}_n_grams") for n in range(5, 11)),
]
FINEWEB = [
    ("line_punct_ratio", 0.12, 1, "line_punct_ratio"),
    ("short_line_ratio", 0, 0.67, "short_line_ratio"),
    ("char_dup_ratio", 0, 0.01, "char_dup_ratio"),
    ("newline_ratio", 0, 0.3, "list_ratio"),
]
C4 = [
    ("lorem_ipsum", 0, 0, "lorem_ipsum"),
    ("curly_bracket", 0, 0, "curly_bracket"),
    ("sentences", 5, 1e9, "too_few_sentences"),
]


def reasons(signals: dict[str, np.ndarray], limits: list[tuple[str, float, float, str]], i: int) -> Any:
    """What datatrove's filter would return for row ``i``."""
    for name, low, high, reason in limits:
        if signals[name][i] < low or signals[name][i] > high:
            return False, reason
    return True


def real_documents(find: Callable[[str], Path]) -> list[str]:
    with lzma.open(find("crawl/neardup/etcd-docs-versions/docs.jsonl.xz"), "rt", encoding="utf-8") as lines:
        whole = [json.loads(line)["text"] for line in lines]
    sections = [part for text in whole for part in re.split(r"\n(?=#+ )", text)]  # shorter ones decide differently
    rng = random.Random(3)
    pieces = [
        *en_texts.WORDS * 3,
        *en_texts.SIGNS,
        *en_texts.ODD,
        *en_texts.PHRASES,
        *en_texts.CITATIONS,
        *en_texts.URLS,
    ]
    odd = [
        "".join(rng.choice(pieces) + rng.choice(en_texts.SPACES) for _ in range(rng.randint(0, 300)))
        for _ in range(500)
    ]
    return whole + rng.sample(sections, min(len(sections), 4000)) + odd


def test_decisions_reasons_and_values_equal_datatrove(shared_data: Callable[[str], Path]) -> None:
    from datatrove.data import Document
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )
    from datatrove.utils.text import split_into_words

    texts = real_documents(shared_data)
    batch = TextBatch(pa.array(texts))
    signals = en.all_signals(batch)
    filters = [
        (GopherQualityFilter(), QUALITY),
        (GopherRepetitionFilter(), REPETITION),
        (FineWebQualityFilter(), FINEWEB),
    ]
    for i, text in enumerate(texts):
        if not text.strip():
            continue
        assert signals["n_tokens"][i] == len(split_into_words(text, "en"))
        for rule, limits in filters:
            assert rule.filter(Document(text=text, id="")) == reasons(signals, limits, i), (rule.name, text)
    for terminal_punct in (True, False):
        rule = C4QualityFilter(filter_no_terminal_punct=terminal_punct)
        options = en.C4Options(terminal_punct=terminal_punct)
        signals, left = en.c4_signals(batch, options), en.c4_rewrite(batch, options)
        for i, text in enumerate(texts):
            document = Document(text=text, id="")
            want = rule.filter(document)
            assert want == reasons(signals, C4, i), text
            if want is True:
                assert document.text == left[i]


def test_the_oracle_of_these_tests_equals_datatrove() -> None:
    from datatrove.pipeline.filters.gopher_repetition_filter import find_all_duplicate
    from datatrove.utils.text import split_into_sentences, split_into_words

    rng = random.Random(4)
    for _ in range(300):
        words = rng.choices([*en_texts.WORDS[:6], "."], k=60)
        text = "".join(word + rng.choice([" ", " ", "  ", "\t"]) for word in words)
        assert en_oracle.sentences(text) == len(split_into_sentences(text, "en"))
        found = split_into_words(text, "en")
        assert en_oracle.greedy(found, 5) == find_all_duplicate(found, 5)
