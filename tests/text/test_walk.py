import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.text import TextBatch, en

from . import en_oracle, en_texts

any_text = st.one_of(en_texts.texts, en_texts.proses)


def same(got: dict[str, np.ndarray], want: dict[str, float]) -> None:
    for name, value in want.items():
        np.testing.assert_allclose(got[name][0], value, rtol=1e-12, err_msg=name)


@given(any_text)
@settings(max_examples=300, deadline=None)
def test_quality_equals_its_definition(text: str) -> None:
    same(en.quality_signals(TextBatch(pa.array([text]))), en_oracle.quality(text))


@given(any_text)
@settings(max_examples=300, deadline=None)
def test_repetition_equals_its_definition(text: str) -> None:
    same(en.repetition_signals(TextBatch(pa.array([text]))), en_oracle.repetition(text))


@given(any_text)
@settings(max_examples=300, deadline=None)
def test_fineweb_equals_its_definition(text: str) -> None:
    same(en.fineweb_signals(TextBatch(pa.array([text]))), en_oracle.fineweb(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n",
        "\n\n",
        "\na",
        "a\n",
        "\na\n",
        "a\r\n\r\nb",
        "a\n \nb",
        "a\n\n\nb\n\na",
        " a\n\na ",
        "\u3000a\n\n a",
        "a\x85b\u2028",
    ],
)
def test_edges_of_lines_and_paragraphs(text: str) -> None:
    signals = en.all_signals(TextBatch(pa.array([text])))
    for oracle in (en_oracle.quality, en_oracle.repetition, en_oracle.fineweb):
        same(signals, oracle(text))


def test_hand_counted() -> None:
    text = "- The cat sat.\n- The cat sat.\n\nto be #1...\n"
    signals = {name: values[0] for name, values in en.all_signals(TextBatch(pa.array([text]))).items()}
    # tokens: - The cat sat . - The cat sat . to be # 1 ...
    assert signals["n_tokens"] == 15
    assert signals["n_words"] == 9
    assert signals["mean_word_length"] == (3 * 6 + 2 + 2 + 1) / 9
    assert signals["hash_ratio"] == signals["ellipsis_ratio"] == 1 / 15
    assert signals["bullet_lines"] == 2 / 4
    assert signals["ellipsis_lines"] == 1 / 4
    assert signals["stop_words"] == 2  # to, be: "The" is not "the"
    assert signals["dup_line_frac"] == 1 / 4  # the newline at the end leaves an empty line
    assert signals["line_punct_ratio"] == 1
    assert signals["newline_ratio"] == 4 / 15
