import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.text import TextBatch, words
from tamis.text.codepoints import CLASSES, NAMES, OWN, WORD, CodePoints, load
from tamis.text.pieces import scan_words

SAME_UNICODE = unicodedata.unidata_version == load("word").unicode
ROOT = Path(__file__).resolve().parent.parent.parent

TRICKY = "aZé̄ß09½Ⅳ٣中文𠀀𪜀豈々〇ひカｶ゙ー\n\r\t \u00a0\u3000\u0085\u2028_-'’.,。！$€😀❤\ufe0f\u200b\ufeffİΣςK"
# Characters that are assigned in every Unicode version since 3.2 mean the same to every Python.
old_characters = st.characters(exclude_categories=["Cs"]).filter(
    lambda char: SAME_UNICODE or unicodedata.ucd_3_2_0.category(char) != "Cn"
)
texts = st.text(st.one_of(st.sampled_from(TRICKY), old_characters), max_size=40)


def is_han(char: str) -> bool:
    code = ord(char)
    name = unicodedata.name(char, "")
    return (
        name.startswith(("CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH", "HANGZHOU NUMERAL"))
        or 0x20000 <= code <= 0x2FFFD
        or 0x30000 <= code <= 0x3FFFD
        or 0xF900 <= code <= 0xFAFF
        or char in "々〇〻〺〹〸"
    )


def is_kana(char: str) -> bool:
    name = unicodedata.name(char, "")
    return unicodedata.category(char)[0] == "L" and any(
        script in name for script in ("HIRAGANA", "KATAKANA", "HENTAIGANA")
    )


def slow_tokens(text: str) -> list[tuple[str, int, int]]:
    """Tokens of the definition, character by character: (case-folded token, first character, last + 1)."""
    found: list[tuple[str, int, int]] = []
    run = ""
    for position, char in enumerate([*text, " "]):
        in_run = (
            unicodedata.category(char)[0] in "LMN"
            and not is_han(char)
            and not is_kana(char)
            and "VARIATION SELECTOR" not in unicodedata.name(char, "")
        )
        if in_run:
            run += char
            continue
        if run:
            found.append(("".join(c.lower()[0] for c in run), position - len(run), position))
            run = ""
        if is_han(char) or is_kana(char):
            found.append((char, position, position + 1))
    return found


def scanned(text: bytes, points: CodePoints) -> NDArray[np.uint64]:
    """Token hashes by the kernel that shingles are made with."""
    data = np.frombuffer(text, np.uint8)
    out = np.empty(len(data) // 2 + 2, np.uint64)
    count, last, inside = scan_words(data, 0, len(data), points.arrays, (np.uint64(0), np.uint64(0)), out)
    out[count] = last
    return np.array([words.mix(value) for value in out[: count + int(inside)]], np.uint64)


def batch_of(rows: list[str | None], kind: pa.DataType | None = None) -> TextBatch:
    """The rows as the middle of a longer array, so that offsets are not 0."""
    return TextBatch(pa.array(["before", *rows, "after"], kind or pa.string()).slice(1, len(rows)))


@given(st.lists(st.one_of(st.none(), texts), max_size=6), st.sampled_from([pa.string(), pa.large_string()]))
def test_tokens_are_those_of_the_definition(rows: list[str | None], kind: pa.DataType) -> None:
    batch = batch_of(rows, kind)
    expected = [slow_tokens(row or "") for row in rows]
    assert words.count_words(batch).tolist() == [len(tokens) for tokens in expected]
    view = words.word_tokens(batch)
    assert view.doc_offsets.tolist() == np.cumsum([0, *map(len, expected)]).tolist()
    flat = [(row or "", *token) for row, tokens in zip(rows, expected, strict=True) for token in tokens]
    assert view.token_chars.tolist() == [end - start for _, _, start, end in flat]
    assert view.token_start.tolist() == [len(row[:start].encode()) for row, _, start, _ in flat]
    assert view.token_end.tolist() == [len(row[:end].encode()) for row, _, _, end in flat]
    assert view.is_han.tolist() == [1 if is_han(t[0]) else 2 if is_kana(t[0]) else 0 for _, t, _, _ in flat]
    # Equal hashes exactly where the tokens are equal.
    spelled: dict[int, str] = {}
    for (_, token, _, _), value in zip(flat, view.token_hash.tolist(), strict=True):
        assert spelled.setdefault(value, token) == token
    assert len(spelled) == len({token for _, token, _, _ in flat})


@given(texts)
def test_one_text_hashes_as_in_a_batch(text: str) -> None:
    for name in NAMES[:2]:
        view = words.word_tokens(batch_of([text]), name)
        assert scanned(text.encode(), load(name)).tolist() == view.token_hash.tolist()


@given(st.lists(st.one_of(st.none(), texts), max_size=6))
def test_characters_and_classes(rows: list[str | None]) -> None:
    batch = batch_of(rows)
    assert words.count_chars(batch).tolist() == [len(row or "") for row in rows]
    counts = words.char_counts(batch)
    assert sum(counts[name] for name in CLASSES).tolist() == [len(row or "") for row in rows]
    for i, row in enumerate(rows):
        row = row or ""
        assert counts["newlines"][i] == row.count("\n")
        assert counts["whitespace"][i] == sum(map(str.isspace, row))
        assert counts["han"][i] == sum(map(is_han, row))
        assert counts["kana"][i] == sum(map(is_kana, row))
        plain = [unicodedata.category(c)[0] for c in row if not (c.isspace() or is_han(c) or is_kana(c))]
        found = [int(counts[name][i]) for name in ("letters", "marks", "digits", "punctuation", "symbols")]
        assert found == [plain.count(letter) for letter in "LMNPS"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(not SAME_UNICODE, reason="this Python knows another Unicode version")
def test_every_entry_of_a_table(name: str) -> None:
    points = load(name)
    for code in [*range(0xD800), *range(0xE000, 0x110000)]:
        char = chr(code)
        entry = points.entry(code)
        if name == "word":
            tokens = slow_tokens(char)
            assert bool(entry & WORD) == bool(tokens), hex(code)
            assert bool(entry & OWN) == bool(tokens and (is_han(char) or is_kana(char))), hex(code)
        elif name == "word-w":
            assert bool(entry & WORD) == (char.isalnum() or char == "_"), hex(code)
        else:
            assert bool(entry & WORD) == (not char.isspace()), hex(code)
        if entry & WORD:
            assert points.folded(code) == (code if name == "word-char" else ord(char.lower()[0])), hex(code)


@pytest.mark.skipif(not SAME_UNICODE, reason="this Python knows another Unicode version")
@pytest.mark.slow
def test_tables_are_the_ones_the_script_makes() -> None:
    script = ROOT / "scripts" / "make_word_tables.py"
    assert subprocess.run([sys.executable, str(script), "--check"], check=False).returncode == 0


@pytest.mark.parametrize("cut", [b"\xe4\xb8\xad"[:k] for k in (1, 2)] + [b"\xf0\xa0\x80", b"\xc3", b"\xff", b"\x80"])
def test_a_cut_character_at_the_end_is_not_read_past_it(cut: bytes) -> None:
    # The next row would complete the character if the kernel read on.
    rest = b"\xad\x80\xa9 tail"
    values = pa.py_buffer(b"word " + cut + rest)
    ends = np.array([0, 5 + len(cut), 5 + len(cut) + len(rest)], np.int32)
    batch = TextBatch(pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(ends), values]).slice(0, 1))
    assert words.count_words(batch).tolist() == [1]
    view = words.word_tokens(batch)
    assert (view.token_start.tolist(), view.token_end.tolist()) == ([0], [4])
    assert words.char_counts(batch)["other"].tolist() == [len(cut)]


@given(st.binary(max_size=30))
def test_any_bytes_are_survived_and_counted_alike(raw: bytes) -> None:
    ends = np.array([0, len(raw)], np.int32)
    batch = TextBatch(pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(ends), pa.py_buffer(raw)]))
    view = words.word_tokens(batch)
    assert words.count_words(batch).tolist() == [len(view.token_hash)]
    assert scanned(raw, load("word")).tolist() == view.token_hash.tolist()


mostly_ascii = st.text(st.one_of(st.characters(max_codepoint=127), st.sampled_from(TRICKY)), max_size=60)


@given(st.lists(st.one_of(st.none(), mostly_ascii), max_size=4), st.sampled_from(NAMES))
def test_eight_bytes_at_a_time_count_as_one_by_one(rows: list[str | None], name: str) -> None:
    batch = batch_of(rows)
    assert words.count_words(batch, name).tolist() == np.diff(words.word_tokens(batch, name).doc_offsets).tolist()
    expected = [len(scanned((row or "").encode(), load(name))) for row in rows]
    assert words.count_words(batch, name).tolist() == expected
    chars, tokens = words.count_both(batch)
    assert chars.tolist() == [len(row or "") for row in rows]
    assert tokens.tolist() == [len(slow_tokens(row or "")) for row in rows]


def test_too_many_ranges_of_ascii_word_characters_are_noticed() -> None:
    hashes = np.zeros(128, np.uint64)
    hashes[10:18:2] = 1
    assert len(words.ascii_ranges(hashes)) == 4
    hashes[127] = 1
    with pytest.raises(RuntimeError, match="5 ranges"):
        words.ascii_ranges(hashes)


def test_long_runs_of_one_character_do_not_cancel() -> None:
    runs = [char * length for char in "abcxyz9" for length in (*range(1, 260), 1024)]
    swapped = ["a" * 10 + x + "b" * 63 + y for x in "cdefgh" for y in "cdefgh"]
    view = words.word_tokens(batch_of([*runs, *swapped]))
    assert len(set(view.token_hash.tolist())) == len(runs) + len(swapped)


def test_crlf_and_no_break_spaces_separate() -> None:
    batch = batch_of(["a\r\nb\u00a0c\u3000d", "don't x_y", "❤\ufe0f"])
    assert words.count_words(batch).tolist() == [4, 4, 0]
    assert words.count_words(batch, "word-w").tolist() == [4, 3, 0]


def test_no_rows_at_all() -> None:
    batch = TextBatch(pa.array([], pa.string()))
    assert words.word_tokens(batch).doc_offsets.tolist() == [0]
    assert words.count_words(batch).shape == (0,)
