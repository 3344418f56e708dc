"""The crawl fixtures are what their builder makes, what other tools read, and what expected.json says."""

import importlib
import io
import itertools
import json
import re
import zlib
from collections import Counter
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from fastwarc.stream_io import Lz4Reader, ZstdReader
from fastwarc.warc import ArchiveIterator as FastIterator
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

ROOT = Path(__file__).resolve().parent.parent
CRAWL = ROOT / "fixtures" / "crawl"
EXPECTED: dict[str, Any] = json.loads((CRAWL / "expected.json").read_text(encoding="utf-8"))
PAGES: list[dict[str, Any]] = EXPECTED["pages"]
SAME_CODECS = EXPECTED["built_with"] == {"pyarrow": pa.__version__, "zlib": zlib.ZLIB_RUNTIME_VERSION}
PACKED = (".gz", ".zst", ".lz4")

# Counted once by hand from the page lists in sources/ and the list of other records in the builder.
RECORDS = {
    "site-a.warc.gz": {"warcinfo": 1, "request": 37, "response": 43, "metadata": 1, "revisit": 1, "resource": 1},
    "site-b.warc": {"warcinfo": 1, "request": 17, "response": 17},
    "site-c.warc.gz": {"warcinfo": 1, "request": 16, "response": 16},
    "site-d.warc.zst": {"warcinfo": 1, "request": 4, "response": 4},
    "site-e.warc.lz4": {"warcinfo": 1, "request": 3, "response": 3},
    "text.warc.wet.gz": {"warcinfo": 1, "conversion": 4},
}


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("build_fixture_crawl")


def files(folder: Path) -> set[str]:
    names = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return {n for n in names if not n.startswith("sources/") and n != "README.md"}


def unpacked(data: bytes, name: str) -> bytes:
    if name.endswith(".gz"):
        whole = b""
        while data:
            member = zlib.decompressobj(31)
            whole += member.decompress(data)
            data = member.unused_data
        return whole
    reader = (ZstdReader if name.endswith(".zst") else Lz4Reader)(io.BytesIO(data))
    return b"".join(iter(lambda: bytes(reader.read(1 << 16)), b""))


def test_building_again_gives_the_same_bytes(builder: ModuleType, tmp_path: Path) -> None:
    builder.build(tmp_path)
    assert files(tmp_path) == files(CRAWL)
    for name in sorted(files(CRAWL)):
        new, old = (tmp_path / name).read_bytes(), (CRAWL / name).read_bytes()
        if SAME_CODECS or not (name.endswith(PACKED) or name == "expected.json"):
            assert new == old, name
        elif name == "expected.json":
            assert json.loads(new)["pages"] == PAGES
        elif name not in ("site-a.warc.gz", "damaged.warc.gz"):  # bodies packed inside; damage placed by size
            assert unpacked(new, name) == unpacked(old, name), name


def test_building_twice_gives_the_same_bytes(builder: ModuleType, tmp_path: Path) -> None:
    builder.build(tmp_path / "one")
    builder.build(tmp_path / "two")
    for name in files(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_fastwarc_counts(name: str) -> None:
    with (CRAWL / name).open("rb") as stream:
        found = Counter(record.headers["WARC-Type"] for record in FastIterator(stream, parse_http=False))
    assert found == RECORDS[name]


@pytest.mark.parametrize("name", ["site-a.warc.gz", "site-b.warc", "text.warc.wet.gz"])
def test_warcio_counts(name: str) -> None:
    found: Counter[str] = Counter()
    with (CRAWL / name).open("rb") as stream:
        for record in WarcioIterator(stream, no_record_parse=True):
            found[record.rec_type] += 1
            record.raw_stream.read()
    assert found == RECORDS[name]


def test_digests_hold() -> None:
    with (CRAWL / "site-a.warc.gz").open("rb") as stream:
        for record in FastIterator(stream, parse_http=False):
            if record.headers["WARC-Type"] == "response":
                assert record.verify_block_digest(), record.headers
    with (CRAWL / "site-b.warc").open("rb") as stream:
        for record in WarcioIterator(stream, check_digests="raise"):
            record.raw_stream.read()


def test_the_arc_file_reads() -> None:
    with (CRAWL / "legacy.arc.gz").open("rb") as stream:
        records = [(r.rec_type, r.content_stream().read()) for r in WarcioIterator(stream)]
    assert Counter(kind for kind, _ in records) == {"arc_header": 1, "response": 4}
    assert all(body.rstrip().endswith(b"</html>") for kind, body in records if kind == "response")


def test_damage_is_where_it_should_be() -> None:
    data = (CRAWL / "damaged.warc.gz").read_bytes()
    starts = [m.start() for m in re.finditer(rb"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff", data)]
    states = []
    for start, end in itertools.pairwise([*starts, len(data)]):
        member = zlib.decompressobj(31)
        try:
            member.decompress(data[start:end])
            states.append("garbage follows" if member.unused_data else "good" if member.eof else "cut")
        except zlib.error:
            states.append("corrupt")
    assert Counter(states) == {"good": 4, "garbage follows": 1, "corrupt": 1, "cut": 1}
    assert states[-1] == "cut"


def test_the_letter_is_no_archive() -> None:
    text = unpacked((CRAWL / "not-an-archive.warc.gz").read_bytes(), ".gz")
    assert b"WARC/" not in text
    assert not text.startswith(b"filedesc:")


def test_expectations_are_well_formed() -> None:
    assert len({p["id"] for p in PAGES}) == len(PAGES) >= 70
    assert {p["expect"] for p in PAGES} == {"kept", "dropped", "failed", "any", "one_of_group"}
    assert {p["file"].split("/")[0] for p in PAGES} == set(EXPECTED["inputs"]) - {"not-an-archive.warc.gz"}
    groups = Counter(p["group"] for p in PAGES if "group" in p)
    for page in PAGES:
        assert (CRAWL / page["file"]).is_file(), page["id"]
        assert ("group" in page) == (page["expect"] == "one_of_group"), page["id"]
        assert ("reasons" in page) == (page["expect"] in ("dropped", "one_of_group")), page["id"]
        assert "phrase" in page or page["expect"] == "dropped", page["id"]
    assert len(groups) == 10
    assert min(groups.values()) >= 2
    kept = Counter(p["language"] for p in PAGES if p["expect"] in ("kept", "one_of_group"))
    assert kept["en"] >= 25
    assert kept["zh"] >= 20


def test_the_fixtures_stay_small() -> None:
    assert sum(p.stat().st_size for p in CRAWL.rglob("*") if p.is_file()) < 1_500_000


@cache
def extracted(scripts: str) -> dict[str, str]:
    """Main text of every page, from the pages themselves (decoded as written, not as declared)."""
    from resiliparse.extract.html2text import extract_plain_text

    builder = importlib.import_module("build_fixture_crawl")
    pages = builder.read_sources(Path(scripts).parent / "fixtures" / "crawl" / "sources")
    texts = {}
    for page in pages:
        neighbours = [p for p in pages if p.keys["site"] == page.keys["site"]]
        source = builder.page_html(page, neighbours).decode(page.get("encoding", "utf-8"))
        texts[page.slug] = extract_plain_text(source, main_content=True) if source else ""
    return texts


@pytest.fixture
def texts(builder: ModuleType) -> dict[str, str]:
    return extracted(str(ROOT / "scripts"))


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+", text.lower())
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def test_pages_to_keep_have_a_text_of_their_own(texts: dict[str, str]) -> None:
    for page in PAGES:
        if page["expect"] in ("kept", "one_of_group"):
            lines = [line for line in texts[page["id"]].splitlines() if line.strip()]
            ended = [line for line in lines if line.rstrip()[-1] in '.!?"”。！？']
            assert page["phrase"] in texts[page["id"]], page["id"]
            assert len(ended) >= 4, page["id"]
            assert sum(map(len, ended)) > 0.85 * sum(map(len, lines)), page["id"]
    phrases = {p["phrase"]: p.get("group", p["id"]) for p in PAGES if p["expect"] in ("kept", "one_of_group")}
    for phrase, owner in phrases.items():
        assert {p.get("group", p["id"]) for p in PAGES if phrase in texts[p["id"]]} == {owner}


def test_near_duplicates_are_near_and_other_pages_are_not(texts: dict[str, str]) -> None:
    sets = {p["id"]: shingles(texts[p["id"]]) for p in PAGES}
    group = {p["id"]: p.get("group", p["id"]) for p in PAGES}
    real = [p["id"] for p in PAGES if p["expect"] in ("kept", "one_of_group")]
    earlier = {p["id"] for p in PAGES if p["kind"] == "same_url_of"}  # another text at the same address
    for one, two in itertools.combinations(real, 2):
        similarity = len(sets[one] & sets[two]) / len(sets[one] | sets[two])
        if group[one] == group[two] and earlier & {one, two}:
            assert similarity < 0.7, (one, two, similarity)
        elif group[one] == group[two]:
            assert similarity > 0.85, (one, two, similarity)
        else:
            assert similarity < 0.3, (one, two, similarity)
    for page in PAGES:
        if page["kind"] == "exact_duplicate_of":
            assert texts[page["id"]] == texts[page["of"]], page["id"]
        if page["kind"] == "near_duplicate_of":
            assert texts[page["id"]] != texts[page["of"]], page["id"]


@pytest.mark.slow
def test_english_verdicts_agree_with_the_published_filters(texts: dict[str, str]) -> None:
    pytest.importorskip("datatrove")
    from datatrove.data import Document
    from datatrove.pipeline import filters

    chain = [
        filters.GopherRepetitionFilter(),
        filters.GopherQualityFilter(),
        filters.FineWebQualityFilter(),
        filters.C4QualityFilter(),
    ]
    for page in PAGES:
        if page["language"] == "en" and page["expect"] not in ("any", "failed"):
            verdicts = [f.filter(Document(text=texts[page["id"]], id=page["id"])) is True for f in chain]
            assert all(verdicts) == (page["expect"] != "dropped"), (page["id"], verdicts)
