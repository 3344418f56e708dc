import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.text import TextBatch, en

from . import en_oracle

TOP = ["top_2_gram", "top_3_gram", "top_4_gram"]
DUP = [f"dup_{n}_gram" for n in range(5, 11)]


def check(text: str) -> None:
    got = en.repetition_signals(TextBatch(pa.array([text])))
    want = en_oracle.repetition(text)
    for name in TOP + DUP:
        np.testing.assert_allclose(got[name][0], want[name], rtol=1e-12, err_msg=name)


@given(st.lists(st.sampled_from(["a", "b", "ab", "ba", "aab"]), max_size=120))
@settings(max_examples=300, deadline=None)
def test_joined_ngrams_that_can_be_cut_in_several_ways(words: list[str]) -> None:
    check(" ".join(words))


@given(
    st.lists(
        st.lists(
            st.sampled_from(["something", "else", "happens,", "日本語", "now.", "x" * 40]), min_size=2, max_size=12
        ),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.integers(0, 3), max_size=12),
)
@settings(max_examples=200, deadline=None)
def test_repeated_passages_of_long_words(passages: list[list[str]], order: list[int]) -> None:
    check(" ".join(" ".join(passages[i % len(passages)]) for i in order))


@pytest.mark.parametrize("n", range(13))
def test_few_tokens(n: int) -> None:
    check(" ".join("abcdefghijklm"[:n]))
    check(" ".join("aaaaaaaaaaaaa"[:n]))


def test_first_of_equally_frequent_ngrams_counts() -> None:
    text = "aa bb cc dddddd aa bb cc dddddd"
    got = en.repetition_signals(TextBatch(pa.array([text])))
    assert got["top_2_gram"][0] == 2 * len("aa bb") / len(text)


def test_sixteen_bytes_is_the_edge_of_the_filter() -> None:
    for size in range(1, 6):
        words = ["w" * size + str(i) for i in range(5)]
        check(" ".join([*words, "q", *words, "r", *words[::-1]]))
