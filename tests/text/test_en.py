import numpy as np
import pyarrow as pa
import pytest

from tamis.text import TextBatch, en

TEXTS = [
    "The cat sat on the mat. It slept.\n\nIt woke.",
    None,
    "",
    " \n\t",
    "日本語 の text – “quoted”…\r\nCRLF\u00a0line!",
    "a" * 3000,
    "🎉 🎉",
]


def assert_same(got: dict[str, np.ndarray], want: dict[str, np.ndarray]) -> None:
    assert list(got) == list(want)
    for name in want:
        np.testing.assert_array_equal(got[name], want[name], err_msg=name)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_sliced_chunked_and_large_arrays_give_the_same(kind: pa.DataType) -> None:
    whole = en.all_signals(TextBatch(pa.array(TEXTS)))
    padded = pa.array(["x", "ÿ", *TEXTS, "tail\n"], kind)
    assert_same(en.all_signals(TextBatch(padded.slice(2, len(TEXTS)))), whole)
    chunked = pa.chunked_array([padded.slice(2, 3), padded.slice(5, len(TEXTS) - 3)])
    assert_same(en.all_signals(TextBatch(chunked)), whole)


def test_null_and_empty_have_no_value_where_the_original_has_none() -> None:
    signals = en.all_signals(TextBatch(pa.array(TEXTS)))
    assert all(np.isnan(values[1]) for values in signals.values())
    assert signals["n_words"][2] == signals["n_words"][3] == 0
    for name in ("mean_word_length", "hash_ratio", "alpha_ratio", "line_punct_ratio", "newline_ratio", "top_2_gram"):
        assert np.isnan(signals[name][2]), name
        assert np.isnan(signals[name][3]), name
    assert np.isnan(signals["dup_line_frac"][2])
    assert signals["dup_line_frac"][3] == 0


def test_names_do_not_overlap_and_are_all_there() -> None:
    signals = en.all_signals(TextBatch(pa.array(["x"])))
    assert list(signals) == [*en.QUALITY, *en.REPETITION, *en.FINEWEB, *en.C4]
    assert all(values.dtype == np.float64 and values.shape == (1,) for values in signals.values())


def test_one_pass_serves_all_families() -> None:
    batch = TextBatch(pa.array(TEXTS))
    quality = en.quality_signals(batch)
    assert en.repetition_signals(batch) is en.en_view(batch).signals["repetition"]
    assert en.quality_signals(batch) is quality
    assert_same(
        {**quality, **en.repetition_signals(batch), **en.fineweb_signals(batch), **en.c4_signals(batch)},
        en.all_signals(TextBatch(pa.array(TEXTS))),
    )


def test_families_may_be_asked_for_one_by_one() -> None:
    whole = en.all_signals(TextBatch(pa.array(TEXTS)))
    for family, names in en.FAMILIES.items():
        batch = TextBatch(pa.array(TEXTS))
        assert_same(en.en_view(batch, families=[family]).signals[family], {name: whole[name] for name in names})
        assert_same(en.all_signals(batch), whole)


def test_other_options_are_measured_anew_and_do_not_stay() -> None:
    batch = TextBatch(pa.array(["no sign at the end\nBut here is one."]))
    assert en.c4_signals(batch)["kept_lines"][0] == 1
    assert en.c4_signals(batch, en.C4Options(terminal_punct=False))["kept_lines"][0] == 2
    assert en.c4_signals(batch)["kept_lines"][0] == 1


def test_rewritten_texts_keep_nulls_apart_from_empty() -> None:
    assert en.c4_rewrite(TextBatch(pa.array([None, "", "short.", "This one is kept.  \n"]))) == [
        None,
        "",
        "",
        "This one is kept.",
    ]


def test_an_empty_batch() -> None:
    batch = TextBatch(pa.array([], pa.string()))
    assert all(values.shape == (0,) for values in en.all_signals(batch).values())
    assert en.c4_rewrite(batch) == []


def test_signature_names_the_tables() -> None:
    assert en.signature()["tables"].startswith("1+spacy-")
