import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.text import TextBatch, en
from tamis.text.en import C4Options

from . import en_oracle, en_texts

OPEN = C4Options(terminal_punct=False)
line_parts = st.sampled_from(
    [
        *en_texts.PHRASES,
        *en_texts.CITATIONS,
        *en_texts.WORDS,
        "of",
        "policy",
        "cookies",
        "cookie",
        "use",
        "terms",
        "end.",
        'x"',
        "...",
    ]
)
lines = st.lists(st.tuples(line_parts, st.sampled_from([" ", " ", " ", " ", "  ", "\xa0", "\t", ""])), max_size=12)
documents = st.lists(lines, max_size=8).map(
    lambda rows: "\n".join("".join(word + space for word, space in row) for row in rows)
)


def check(text: str, options: C4Options) -> None:
    batch = TextBatch(pa.array([text]))
    want, left = en_oracle.c4(text, options.terminal_punct)
    got = en.c4_signals(batch, options)
    assert {name: got[name][0] for name in want} == want
    assert en.c4_rewrite(batch, options) == [left]


@given(st.one_of(documents, en_texts.texts), st.booleans())
@settings(max_examples=400, deadline=None)
def test_equals_its_definition(text: str, terminal_punct: bool) -> None:
    check(text, C4Options(terminal_punct=terminal_punct))


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("This line is kept.", "kept_lines"),
        ("This line ends in a citation. [1]", "lines_no_terminal_punct"),
        ("This line ends in a citation.[1]", "kept_lines"),
        ("A line [citation needed] is kept.", "kept_lines"),
        ("This line trails off...", "lines_no_terminal_punct"),
        ("No sign at the end", "lines_no_terminal_punct"),
        ("Two words.", "lines_few_words"),
        ("[1] [2] x.", "kept_lines"),  # words are counted before citations go
        ("a b " + "c" * 1001 + ".", "lines_long_word"),
        ("a b " + "é" * 1000 + ".", "lines_no_terminal_punct"),
        ("Please turn on JavaScript now.", "lines_javascript"),
        ("Read our Terms of Use today.", "lines_policy"),
        ("Read our terms  of use today.", "kept_lines"),
        ("This page uses coo\u212aies today.", "lines_policy"),
        ("The cookie[1] policy is here.", "lines_policy"),
        ("So lorem ipsum dolor sit.", "lorem_ipsum"),
        ("A function { of } kinds.", "curly_bracket"),
        ("A function { without end", "lines_no_terminal_punct"),
    ],
)
def test_verdicts(line: str, verdict: str) -> None:
    line = line.replace("é" * 1000 + ".", "é" * 1000)
    signals = en.c4_signals(TextBatch(pa.array([line])))
    names = [name for name in en.C4 if name not in ("lines", "sentences") and signals[name][0]]
    assert names == [verdict]
    check(line, C4Options())
    check(line, OPEN)


def test_sentences_across_marks_blanks_and_quotes() -> None:
    for line in (
        'He said "no." Then left.',
        "One.  Two. (Three.) Four!",
        "a.b.c. d? . e",
        "x.\xa0y. z",
        "Mr. X came. [1]",
        "1. 2. 3.",
    ):
        check(line, C4Options(min_words=3))
        check(line, OPEN)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(C4Options)])
def test_every_switch_does_something(field: str) -> None:
    text = (
        "Use JavaScript for it.\nlorem ipsum dolor.\nno end here\nbad { here.\nour privacy policy now.\nx [1] y z.\n"
        "Hi.\n" + "w" * 1001 + " a b."
    )
    off = {"max_word_length": -1, "min_words": 0}.get(field, False)
    batch = TextBatch(pa.array([text]))
    default = en.c4_signals(batch)
    changed = en.c4_signals(batch, dataclasses.replace(C4Options(), **{field: off}))
    if field == "remove_citations":
        one, two = (
            en.c4_rewrite(TextBatch(pa.array(["x [1] y z."])), C4Options(remove_citations=on)) for on in (True, False)
        )
        assert (one, two) == (["x  y z."], ["x [1] y z."])
    else:
        assert any(default[name][0] != changed[name][0] for name in en.C4)


def test_only_the_first_phrase_drops_a_document() -> None:
    signals = en.c4_signals(
        TextBatch(pa.array(["a { b.\nlorem ipsum dolor.\nthis is kept.", "lorem ipsum x.\na { b."]))
    )
    np.testing.assert_array_equal(signals["curly_bracket"], [1, 0])
    np.testing.assert_array_equal(signals["lorem_ipsum"], [0, 1])
