import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings

from tamis.text.en_tokens import chunk_tokens, tokens
from tamis.text.resolver import decode, make_scratch
from tamis.text.resolver import tokens as resolve
from tamis.text.spacy_tables import lists, tables

from . import en_texts

SCRATCH = make_scratch(20_000)


def compiled(chunk: str) -> list[str]:
    data = np.frombuffer(bytearray(chunk.encode()), np.uint8)  # one type, one compilation
    n = resolve(data, 0, decode(data, 0, len(data), tables(), SCRATCH), tables(), SCRATCH)
    bounds = [0, *SCRATCH.ends[:n].tolist()]
    return [chunk[a:b] for a, b in itertools.pairwise(bounds)]


@pytest.mark.parametrize(
    ("chunk", "want"),
    [
        ("Hello,", "Hello ,"),
        ("don't", "do n't"),
        ("(Adm.)", "( Adm. )"),
        ("U.S.", "U.S."),
        ("USA.", "USA ."),
        ("word...", "word ..."),
        ("……", "… …"),
        ("$5", "$ 5"),
        ("10km", "10 km"),
        ("5%.", "5 % ."),
        ("US$10", "US$ 10"),
        ("+5", "+5"),
        ("+x", "+ x"),
        ("a--b", "a -- b"),
        ("2-3", "2 - 3"),
        ("well-known", "well - known"),
        ("end.Start", "end . Start"),
        ("one,two", "one , two"),
        ("1,000", "1,000"),
        ("foo():", "foo ( ):"),  # an emoticon, as spaCy has it
        ("id.", "i d."),
        ('"\'):].strip()"', '" \' ): ] .strip ( ) "'),
        ("http://a.b.com/x?y=1", "http://a.b.com/x?y=1"),
        ("me@example.com", "me@example.com"),
        ("1.2.3.4", "1.2.3.4"),
        ("°C.", "° C ."),
        ("东京", "东京"),
        ("🎉🎉", "🎉 🎉"),
    ],
)
def test_known_chunks(chunk: str, want: str) -> None:
    assert compiled(chunk) == want.split() == chunk_tokens(chunk)


@given(en_texts.chunks)
@settings(max_examples=400, deadline=None)
def test_compiled_equals_plain(chunk: str) -> None:
    assert compiled(chunk) == chunk_tokens(chunk)


@given(en_texts.chunks)
@settings(max_examples=100, deadline=None)
def test_tokens_are_the_chunk(chunk: str) -> None:
    assert "".join(compiled(chunk)) == chunk


def test_every_special_case_stands_alone() -> None:
    # those of several tokens may be put together differently again ("Ill's"): spaCy is asked in the slow test
    for name, parts in lists().specials.items():
        assert compiled(name) == chunk_tokens(name) == parts


def test_a_long_chunk_of_emoticons() -> None:
    chunk = ":):(" * 500 + "a" * 5000
    assert compiled(chunk) == chunk_tokens(chunk)


def test_bytes_that_are_no_utf8_are_read_within_bounds() -> None:
    for data in (b"\xe2", b"ab\xf0\x9f", b"\xff\xff", b"\xc2", b"\x80\x80", b"\xf7\xbf\xbf\xbf"):
        array = np.frombuffer(bytearray(data), np.uint8)
        n = decode(array, 0, len(array), tables(), SCRATCH)
        assert 0 < n <= len(data)
        assert SCRATCH.bo[n] == len(data)


@pytest.mark.slow
def test_equal_to_spacy() -> None:
    spacy = pytest.importorskip("spacy")
    tokenizer = spacy.blank("en").tokenizer
    rng = random.Random(11)
    pieces = [*lists().specials, *en_texts.SIGNS * 10, *en_texts.WORDS * 20, *en_texts.ODD * 10, *en_texts.URLS * 10]
    for _ in range(30_000):
        chunk = "".join("".join(rng.choices(pieces, k=rng.randint(1, 5))).split())
        want = [token.text for token in tokenizer(chunk)]
        assert compiled(chunk) == want
        assert chunk_tokens(chunk) == want


@pytest.mark.slow
def test_tokens_of_a_text_equal_spacy() -> None:
    spacy = pytest.importorskip("spacy")
    tokenizer = spacy.blank("en").tokenizer
    rng = random.Random(5)
    for _ in range(300):
        words = rng.choices(en_texts.WORDS + en_texts.ODD + en_texts.URLS + en_texts.SIGNS, k=80)
        text = "".join(word + rng.choice(en_texts.SPACES) for word in words)
        assert tokens(text) == [token.text for token in tokenizer(text) if not token.is_space]
