import numpy as np
import pyarrow as pa
from hypothesis import given, settings

from tamis.text import TextBatch, en
from tamis.text.chunks import ChunkTable, make_chunks, scan
from tamis.text.resolver import make_scratch

from . import en_texts

TABLE = ChunkTable(1 << 14)
SCRATCH = make_scratch(10_000)


def chunks_of(data: np.ndarray, start: int, end: int) -> list[tuple[int, int, int]]:
    out = make_chunks(end - start)
    n, newlines = scan(data, start, end, TABLE.tables, TABLE.table, SCRATCH, out, np.zeros(end - start + 8, np.uint8))
    assert newlines == bytes(data[start:end]).count(b"\n")
    return list(zip(out.ids[:n].tolist(), out.starts[:n].tolist(), out.ends[:n].tolist(), strict=True))


@given(en_texts.texts)
@settings(max_examples=200, deadline=None)
def test_chunks_are_split(text: str) -> None:
    data = np.frombuffer(bytearray(b"xx" + text.encode() + b"yy"), np.uint8)
    found = chunks_of(data, 2, len(data) - 2)
    assert [bytes(data[a:b]).decode() for _, a, b in found] == text.split()
    by_number = {number: bytes(data[a:b]) for number, a, b in found}
    assert len(set(by_number.values())) == len(by_number) == len(set(text.split()))


def test_every_white_space_of_python_and_nothing_else() -> None:
    for code in [*range(0x3100), 0xFEFF, 0x1F389]:
        text = f"a{chr(code)}b"
        data = np.frombuffer(bytearray(text.encode()), np.uint8)
        assert len(chunks_of(data, 0, len(data))) == len(text.split()), hex(code)


def test_white_space_cut_off_at_the_end_of_the_buffer_is_not_read_beyond_it() -> None:
    for tail in (b"\xc2", b"\xe2\x80", b"\xe3\x80", b"\xe1\x9a", b"\xe2"):
        data = np.frombuffer(bytearray(b"ab " + tail), np.uint8)
        assert [(a, b) for _, a, b in chunks_of(data, 0, len(data))] == [(0, 2), (3, len(data))]


def test_values_do_not_depend_on_the_table() -> None:
    texts = pa.array([f"word{i} the end of {i % 7}. " * (1 + i % 5) for i in range(300)] + ["tiny"])
    fresh = en.en_view(TextBatch(texts), ChunkTable(1 << 12)).signals
    tiny_table = ChunkTable(256)  # emptied again and again
    tiny = en.en_view(TextBatch(texts), tiny_table).signals
    again = en.en_view(TextBatch(texts), tiny_table).signals
    alone = [en.en_view(TextBatch(texts.slice(i, 1)), tiny_table).signals for i in range(len(texts))]
    assert tiny_table.distinct <= 256
    for family, values in fresh.items():
        for name, column in values.items():
            np.testing.assert_array_equal(column, tiny[family][name])
            np.testing.assert_array_equal(column, again[family][name])
            np.testing.assert_array_equal(column, np.concatenate([one[family][name] for one in alone]))


def test_a_text_larger_than_the_table_gets_its_own() -> None:
    text = " ".join(f"w{i}" for i in range(5000))
    signals = en.en_view(TextBatch(pa.array([text])), ChunkTable(64)).signals
    assert signals["quality"]["n_tokens"][0] == 5000
