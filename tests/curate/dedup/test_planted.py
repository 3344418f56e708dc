"""Edited copies of real texts, templates and short texts; the truth is brute force over sets of token tuples."""

import gzip
import json
import lzma
import random
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tamis.curate.dedup import MinhashDedup

from .conftest import Outcome

Dedup = Callable[..., Outcome]
Find = Callable[[str], Path]
Shingles = set[tuple[str, ...]]

TOKEN = re.compile(r"[㐀-鿿]|[^\W_㐀-鿿]+")
PLAIN = re.compile(r"[一-鿿\x20-\x7e，。、：；“”《》（）？！\s]+")
"""Characters on which the definition of these tests and the shipped table cannot differ."""


def tokens(text: str) -> list[str]:
    return TOKEN.findall(text.lower())


def shingles(text: str, n: int = 5) -> Shingles:
    found = tokens(text) or [text]
    return {tuple(found[i : i + n]) for i in range(max(1, len(found) - n + 1))}


def jaccard(a: Shingles, b: Shingles) -> float:
    same = len(a & b)
    return same / (len(a) + len(b) - same)


def unlike(texts: Iterator[str], least: int, count: int) -> list[str]:
    """The first texts that have this many shingles and little in common with each other."""
    found: list[str] = []
    sets: list[Shingles] = []
    for text in texts:
        own = shingles(text)
        if PLAIN.fullmatch(text) and len(own) >= least and all(jaccard(own, other) < 0.3 for other in sets):
            found.append(text)
            sets.append(own)
        if len(found) == count:
            return found
    raise AssertionError(f"only {len(found)} texts")


def english(find: Find) -> Iterator[str]:
    """Manual pages, then answers of dialogues."""
    with lzma.open(find("crawl/neardup/etcd-docs-versions/docs.jsonl.xz"), "rt", encoding="utf-8") as lines:
        yield from (json.loads(line)["text"] for line in lines)
    with gzip.open(find("schemas/anthropics__hh-rlhf/harmless-base/test.jsonl.gz"), "rt", encoding="utf-8") as lines:
        yield from (json.loads(line)["chosen"] for line in lines)


def chinese(find: Find) -> Iterator[str]:
    """Encyclopedia articles."""
    path = find("schemas/ymcui__cmrc2018/squad-style-data/cmrc2018_trial.json")
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        yield from (one["context"] for one in article["paragraphs"])


CORPORA = {"english": (english, 250, 60), "chinese": (chinese, 250, 60)}


def edited(text: str, rate: float, words: list[str], draw: random.Random) -> str:
    """The text with this part of its words (Chinese: characters) replaced by others of the corpus."""
    places = list(TOKEN.finditer(text))
    pieces, at = [], 0
    for i in sorted(draw.sample(range(len(places)), max(1, round(len(places) * rate)))):
        found = places[i]
        kind = [word for word in draw.sample(words, 50) if (word >= "㐀") == (found[0] >= "㐀")] or ["else"]
        pieces += [text[at : found.start()], kind[0]]
        at = found.end()
    return "".join([*pieces, text[at:]])


def rows_of(named: dict[str, str]) -> list[dict[str, Any]]:
    return [{"id": name, "text": text, "url": None} for name, text in named.items()]


def check(named: dict[str, str], found: Outcome, threshold: float = 0.8, n: int = 5) -> set[frozenset[str]]:
    """Compare an outcome with all pairs by brute force; return the near pairs."""
    sets = {name: shingles(text, n) for name, text in named.items()}
    near = {frozenset(pair) for pair in combinations(sets, 2) if jaccard(sets[pair[0]], sets[pair[1]]) >= threshold}
    for name, (keeper, value) in found.removed.items():
        assert frozenset((name, keeper)) in near  # precision 1
        assert value == pytest.approx(jaccard(sets[name], sets[keeper]), abs=1e-12)
    left = [sorted(pair) for pair in near if not pair & found.removed.keys()]
    assert len(left) <= 0.01 * len(near), left
    assert found.notes["bucket_overflow"] == 0
    return near


@pytest.mark.parametrize("corpus", CORPORA)
def test_small_edits_go_and_large_edits_stay(dedup: Dedup, shared_data: Find, corpus: str) -> None:
    source, least, count = CORPORA[corpus]
    bases = unlike(source(shared_data), least, count)
    draw = random.Random(1)
    words = sorted({word for text in bases for word in tokens(text)})
    named = {f"base {i}": text + " " * 2000 for i, text in enumerate(bases)}  # the longest of its family stays
    small, large = (0.005, 0.01, 0.02), (0.05, 0.1, 0.2)
    for i, text in enumerate(bases):
        named |= {f"{rate} {i}": edited(text, rate, words, draw) for rate in small + large}

    found = dedup(MinhashDedup(), rows_of(named), 4, seed=1)
    near = check(named, found)
    planted = {
        pair for i in range(count) for rate in small if (pair := frozenset((f"base {i}", f"{rate} {i}"))) in near
    }
    gone = {pair for pair in planted if pair & found.removed.keys()}
    assert len(planted) > 0.85 * 3 * count
    assert len(gone) >= 0.99 * len(planted)
    kept = {f"{rate} {i}" for i in range(count) for rate in large}
    far = kept - {name for pair in near for name in pair}
    assert len(far) > 0.9 * len(kept)  # 5 % of the words are a Jaccard of 0.63
    assert {f"{rate} {i}" for i in range(count) for rate in large[1:]} <= far
    assert not far & found.removed.keys()
    assert not any(name.startswith("base") for name in found.removed)


@pytest.mark.parametrize("corpus", CORPORA)
def test_templates_that_differ_in_their_content_stay(dedup: Dedup, shared_data: Find, corpus: str) -> None:
    source, _, count = CORPORA[corpus]
    gap = "" if corpus == "chinese" else " "
    heads = (gap.join(TOKEN.findall(text)[:120]) for text in source(shared_data))
    header, footer, *others = (TOKEN.findall(text) for text in unlike(heads, 100, count))
    frame = [header[:60], footer[:60]]
    named = {}
    for i, body in enumerate(others):
        # Half of the page is the template: a Jaccard of about a third.
        named[f"page {i}"] = gap.join(frame[0] + body + frame[1])
        # The same page with another date in the template is a copy.
        named[f"copy {i}"] = gap.join([*frame[0], f"2024{i:04}"] + body + frame[1])
    found = dedup(MinhashDedup(), rows_of(named), 3, seed=1)
    near = check(named, found)
    assert near == {frozenset((f"page {i}", f"copy {i}")) for i in range(len(others))}
    assert len(found.removed) >= 0.99 * len(others)


@pytest.mark.parametrize("corpus", CORPORA)
def test_short_texts(dedup: Dedup, shared_data: Find, corpus: str) -> None:
    source, least, count = CORPORA[corpus]
    named = {}
    for i, text in enumerate(unlike(source(shared_data), least, count)):
        words = TOKEN.findall(text)[20 * (i % 5) :][:10]
        for length in range(1, 11):
            named[f"{i}: {length}"] = " ".join(words[:length])
            # Punctuation makes it longer, and changes no token.
            named[f"{i}: {length} again"] = "“" + " ".join(words[:length]).upper() + "!”"
    found = dedup(MinhashDedup(), rows_of(named), 3, seed=1)
    near = check(named, found)
    for i in range(count):
        assert frozenset((f"{i}: 4", f"{i}: 5")) not in near  # one shingle each, and not the same
        assert frozenset((f"{i}: 7", f"{i}: 8")) not in near  # 3 of 4
        assert frozenset((f"{i}: 8", f"{i}: 9")) in near  # 4 of 5: the threshold itself
    first_tokens = {tuple(tokens(named[f"{i}: 1"])) for i in range(count)}
    kept = {name for name in named if name not in found.removed}
    assert sum(name.endswith(": 1 again") for name in kept) == len(first_tokens)
    assert not any(re.search(r": [1-8]$", name) for name in kept)


def test_texts_shorter_than_a_shingle_are_one(dedup: Dedup) -> None:
    named = {
        "four": "one two three four",
        "four again": "One, two, three: four.",
        "three": "one two three",
        "three turned": "three two one",
        "one": "one",
        "one again": "ONE!",
        "han": "近似去重",
        "han again": "近似，去重。",
        "han less": "近似去",
        "none": "",
        "none again": "",
        "marks": "!!!",
        "other marks": "???",
    }
    found = dedup(MinhashDedup(), rows_of(named), 3, seed=5)
    pairs = {frozenset((name, keeper)) for name, (keeper, _) in found.removed.items()}
    assert pairs == {frozenset((name, f"{name} again")) for name in ("four", "one", "han", "none")}
    assert {value for _, value in found.removed.values()} == {1.0}
