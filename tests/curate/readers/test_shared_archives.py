"""Real archives of seventeen projects, good and bad, against what warcio and FastWARC read of them."""

import gzip
import json
from collections import Counter

import pytest

from tamis.curate.readers import READERS, plan_sources
from tamis.curate.readers.reasons import DROPPED, FAILED
from tamis.stage import NotPage, Slice


@pytest.fixture
def pages(shared_data, read, words):
    """Return a function that counts the outcomes of a real file."""

    def count(name: str) -> Counter[str]:
        return Counter(words(read(shared_data(f"crawl/warc/{name}"))))

    return count


def test_no_file_is_lost_and_none_stops_the_reader(shared_data):
    folder = shared_data("crawl/warc")
    expected = json.loads((folder / "expected_counts.json").read_text())
    files, rejected = plan_sources([str(folder)])
    assert {one.name.removeprefix(f"{folder}/") for one in rejected} == {
        "expected_counts.json",
        "jwat/invalid-compression.gz",
        "jwat/invalid-entries.gz",
        "jwat/three-files.gz",
    }
    assert len(files) + len(rejected) == sum(path.is_file() for path in folder.rglob("*"))
    for file in files:
        name = file.name.removeprefix(f"{folder}/")
        items = list(READERS[file.kind].read(Slice(file, 0, file.size)))
        html = sum(not isinstance(item, NotPage) and item.html is not None for item in items)
        assert html >= expected[name]["warcio_html200"]["n"], name
        assert len({item.position for item in items}) == len(items), name
        read_by = expected[name]["fastwarc"]
        if read_by["error"] is None and "unknown" not in read_by["types"]:
            assert len(items) >= sum(read_by["types"].values()), name
        for item in items:
            if isinstance(item, NotPage):
                assert item.reason in (DROPPED if item.outcome == "dropped" else FAILED)


@pytest.mark.parametrize(
    ("name", "html"),
    [
        ("aut/example.arc.gz", 94),
        ("dolma/sample-0000.warc.gz", 22),
        ("dolma/sample-0001.warc.gz", 15),
        ("whirlwind-python/whirlwind.warc", 1),
        ("whirlwind-python/whirlwind.warc.gz", 1),
        ("gowarc/good.warc.gz.open", 50),
        ("gowarc/empty.warc.gz.open", 0),
    ],
)
def test_pages(pages, name, html):
    assert pages(name)["html"] == html


def test_wet_and_wat(pages):
    for end in ("", ".gz"):
        assert pages(f"whirlwind-python/whirlwind.warc.wet{end}") == {"warcinfo": 1, "text": 1}
        assert pages(f"whirlwind-python/whirlwind.warc.wat{end}") == {"warcinfo": 1, "metadata": 1}
    assert pages("cc_net/sample.warc.txt") == {"warcinfo": 1, "text": 3}


def test_plain_and_packed_copies_of_one_archive_give_the_same_pages(shared_data, read):
    plain, packed = (
        [item for item in read(shared_data(f"crawl/warc/{name}")) if not isinstance(item, NotPage)]
        for name in ("whirlwind-python/whirlwind.warc", "whirlwind-python/whirlwind.warc.gz")
    )
    assert [page.html for page in plain] == [page.html for page in packed]


def test_brotli(shared_data, read):
    [page] = [
        item
        for item in read(shared_data("crawl/warc/ukwa-discovery/transfer_compression_brotli.warc.gz"))
        if not isinstance(item, NotPage)
    ]
    assert len(page.html) == 246
    assert page.html.startswith(b"<!DOCTYPE") or b"<html" in page.html.lower()
    page.html.decode()


def test_a_clipped_record_is_kept(shared_data, read):
    [page] = read(shared_data("crawl/warc/resiliparse/clipped.warc.gz"))
    assert page.meta["truncated"] is True
    assert b"</p>" in page.html


def test_damage_is_reported_after_what_could_be_saved(pages):
    counts = pages("gowarc/corrupted-mid-record.warc.gz.open")
    assert counts["html"] >= 12
    assert counts["damaged_compression"] == 1
    counts = pages("gowarc/corrupted-trailing-bytes.warc.gz.open")
    assert counts["html"] >= 30
    assert counts["damaged_compression"] == 1


def test_wget_urls_lose_their_brackets(shared_data, read):
    items = read(shared_data("crawl/warc/dolma/sample-0000.warc.gz"))
    assert all(item.url.startswith("http") for item in items if not isinstance(item, NotPage))


def test_joined_archives_add_up(shared_data, read, words, tmp_path):
    paths = [shared_data(f"crawl/warc/{name}") for name in ("dolma/sample-0000.warc.gz", "gowarc/good.warc.gz.open")]
    path = tmp_path / "joined.warc.gz"
    path.write_bytes(b"".join(path.read_bytes() for path in [*paths, *paths]))
    items = read(path)
    assert Counter(words(items)) == Counter(words(read(paths[0])) * 2 + words(read(paths[1])) * 2)
    assert len({item.position for item in items}) == len(items)


def test_the_same_bodies_as_fastwarc_finds(shared_data, read):
    fastwarc = pytest.importorskip("fastwarc")
    for name in ("dolma/sample-0001.warc.gz", "webarchive-commons/IAH-urls-wget.warc.gz", "aut/example.txt.warc.gz"):
        path = shared_data(f"crawl/warc/{name}")
        with path.open("rb") as stream:
            found = fastwarc.ArchiveIterator(stream, record_types=fastwarc.WarcRecordType.response, auto_decode="all")
            theirs = [
                (record.stream_pos, record.reader.read())
                for record in found
                if record.http_headers.status_code == 200 and record.http_content_type == "text/html"
            ]
        ours = [
            (item.position, item.html) for item in read(path) if not isinstance(item, NotPage) and item.html is not None
        ]
        assert ours == theirs


def test_the_same_arc_pages_as_warcio_finds(shared_data, read):
    archives = pytest.importorskip("warcio.archiveiterator")
    for name in ("aut/example.arc.gz", "jwat/1-1-20110922131213-00000-svc-VirtualBox.arc", "warcio/example.arc"):
        path = shared_data(f"crawl/warc/{name}")
        with path.open("rb") as stream:
            theirs = [
                record.content_stream().read()
                for record in archives.ArchiveIterator(stream)
                if record.http_headers is not None
                and record.http_headers.get_statuscode() == "200"
                and (record.http_headers.get_header("Content-Type") or "").startswith("text/html")
            ]
        ours = [item.html for item in read(path) if not isinstance(item, NotPage) and item.html is not None]
        assert ours == [body for body in theirs if body.strip()]


@pytest.mark.slow
def test_half_a_gigabyte_of_joined_archives_in_bounded_memory(shared_data, tmp_path, words):
    import tracemalloc

    packed = shared_data("crawl/warc/aut/example.arc.gz").read_bytes()
    path = tmp_path / "big.arc.gz"
    path.write_bytes(packed * 60)
    [file], _ = plan_sources([str(path)])
    tracemalloc.start()
    html = sum(
        not isinstance(item, NotPage) and item.html is not None
        for item in READERS["arc"].read(Slice(file, 0, file.size))
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert html == 60 * 94
    assert peak < 100 << 20
    one = tmp_path / "one.arc.gz"
    one.write_bytes(gzip.compress(gzip.decompress(packed) * 10))
    [file], _ = plan_sources([str(one)])
    assert words(list(READERS["arc"].read(Slice(file, 0, file.size)))).count("html") == 10 * 94
