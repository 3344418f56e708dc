"""The stable entry point: bytes of a page to text and metadata."""

import gzip
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.curate.extract import EXTRACTORS, Extracted, extract, find_extractor, signature
from tamis.errors import MissingExtra, UsageError

ARTICLE = (
    "Wind turbines turn the movement of air into electricity. Their blades are shaped like wings, so that the air"
    " flows faster over one side than over the other. The difference in pressure drives the rotor, and the rotor a"
    " generator. Farms of many turbines stand where the wind is steady, on ridges, on plains and at sea."
)
CHINESE = (
    "风力发电机把空气的运动变成电能。叶片的形状像飞机的翅膀，空气流过两侧的速度不同，产生的压力差推动转子旋转。" * 5
)


def page(body: str, head: str = "<title>Wind</title>") -> bytes:
    return f"<!DOCTYPE html><html lang='en'><head>{head}</head><body>{body}</body></html>".encode()


FULL = page(
    f"<nav><ul><li><a href=/>Home</a></li><li><a href=/x>Shop</a></li></ul></nav><article><h1>Wind</h1><p>{ARTICLE}</p>"
    f"<p>{CHINESE}</p><script>alert(1)</script></article><footer>Imprint</footer>",
    "<title>Wind</title><meta property='article:published_time' content='2020-05-06'>",
)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_main_content_and_metadata(extractor: str) -> None:
    if extractor == "trafilatura":
        pytest.importorskip("trafilatura")
    found = extract(FULL, "https://example.org/wind", None, extractor)
    assert ARTICLE in found.text
    assert CHINESE in found.text
    assert not any(word in found.text for word in ("Home", "Shop", "Imprint", "alert"))
    assert (found.title, found.date, found.language_hint) == ("Wind", "2020-05-06", "en")
    assert (found.charset, found.scope) == ("utf-8", "main")


@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize("codec", ["gb18030", "utf-16", "big5"])
def test_charsets(extractor: str, codec: str) -> None:
    if extractor == "trafilatura":
        pytest.importorskip("trafilatura")
    text = CHINESE if codec != "big5" else "風力發電機把空氣的運動變成電能，葉片的形狀像飛機的翅膀。" * 8
    html = f"<html><head><title>风</title></head><body><p>{text}</p></body></html>".replace("风", text[0])
    assert text in extract(html.encode(codec), extractor=extractor).text


@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize(
    "html",
    [b"", b"\0" * 1000, b"\xff\xfe", bytes(range(256)) * 50, b"\x89PNG\r\n\x1a\n" * 100, b"%PDF-1.4 \xe2\xe3\xcf\xd3"],
    ids=["empty", "nuls", "bare mark", "all bytes", "png", "pdf"],
)
def test_rubbish_gives_some_text(extractor: str, html: bytes) -> None:
    if extractor == "trafilatura":
        pytest.importorskip("trafilatura")
    found = extract(html, extractor=extractor)
    assert found.text.encode().decode() == found.text
    assert "\0" not in found.text


@pytest.mark.parametrize("tag", ["span", "div", "b", "table", "ul", "blockquote"])
def test_deep_nesting(tag: str) -> None:
    depth = 5_000
    html = f"<html><body>{f'<{tag}>' * depth}{ARTICLE}{f'</{tag}>' * depth}<p>after</p></body></html>".encode()
    found = extract(html)
    assert ARTICLE in found.text


def test_huge_page() -> None:
    found = extract(page(f"<article>{f'<p>{ARTICLE}</p>' * 20_000}</article>"))
    assert found.text.count("Wind turbines") == 20_000


def test_whole_page_stands_in_where_no_main_content_is_found() -> None:
    hidden = page(f"<nav><a href=/>Home</a></nav><div class='comments'><p>{ARTICLE}</p><p>{CHINESE}</p></div>")
    found = extract(hidden)
    assert ARTICLE in found.text
    assert "Home" not in found.text
    assert found.scope == "whole"
    assert extract(page("<nav>only a menu</nav>")).text == "only a menu"


def test_a_short_page_is_no_failure() -> None:
    found = extract(page("<article><p>Closed on Mondays.</p></article>"))
    assert (found.text, found.scope) == ("Closed on Mondays.", "main")


def test_unknown_extractor() -> None:
    with pytest.raises(UsageError, match="no extractor 'readability'; there are: resiliparse, trafilatura"):
        extract(b"", extractor="readability")
    with pytest.raises(UsageError, match="there are"):
        signature("")


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None)
    with pytest.raises(MissingExtra, match=r'pip install "tamis\[trafilatura\]"'):
        find_extractor("trafilatura")
    assert find_extractor("resiliparse").library == "resiliparse"


def test_signature_names_the_library() -> None:
    assert set(signature("resiliparse")) == {"extractor", "version", "resiliparse"}


def test_trafilatura_does_not_remember_pages() -> None:
    """With its own deduplication on, the third or fourth pass over a page gives another text, often none."""
    pytest.importorskip("trafilatura")
    first = extract(FULL, extractor="trafilatura")
    assert all(extract(FULL, extractor="trafilatura") == first for _ in range(6))


def test_import_is_light() -> None:
    code = "import sys, tamis.curate.extract; print([m for m in ('numpy', 'trafilatura', 'lxml') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@settings(deadline=None)
@given(st.binary(max_size=500))
def test_any_bytes(html: bytes) -> None:
    assert isinstance(extract(html), Extracted)
    assert extract(html) == extract(html)


def test_articles_with_gold(shared_data) -> None:
    """Word-4-gram F1 over 65 pages, by the definition of the set's own script; resiliparse's defaults reach .902."""
    folder = shared_data("crawl/extract/scrapinghub")
    gold = json.loads((folder / "ground-truth.json").read_text(encoding="utf-8"))
    precisions, recalls, empty = [], [], 0
    for name, entry in gold.items():
        text = extract(gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes())).text
        empty += not text and len(entry["articleBody"]) > 200
        wanted, got = shingles(entry["articleBody"]), shingles(text)
        common = sum(min(count, got.get(key, 0)) for key, count in wanted.items())
        precisions.append(common / max(1, sum(got.values())))
        recalls.append(common / max(1, sum(wanted.values())))
    precision, recall = sum(precisions) / len(gold), sum(recalls) / len(gold)
    assert empty == 0
    assert 2 * precision * recall / (precision + recall) > 0.925


def shingles(text: str) -> dict[tuple[str, ...], int]:
    import re
    from collections import Counter

    words = re.findall(r"\w+", text)
    return Counter(tuple(words[i : i + 4]) for i in range(max(1, len(words) - 3)) if words)
