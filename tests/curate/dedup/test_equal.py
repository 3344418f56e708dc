from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.curate.dedup import ExactDedup, MinhashDedup, UrlDedup, exact, url
from tamis.curate.dedup import equal as equal_module
from tamis.errors import DataError, UsageError

from .conftest import HereEngine, MemoryShard, Outcome, shards_of

Dedup = Callable[..., Outcome]


def doc(name: str, text: str, address: str | None = None) -> dict[str, Any]:
    return {"id": name, "text": text, "url": address}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("HTTP://Example.COM/a", "http://example.com/a"),
        ("http://example.com:80/a", "http://example.com/a"),
        ("https://example.com:443/a#top", "https://example.com/a"),
        ("https://example.com", "https://example.com/"),
        (" https://example.com/a?b=1\n", "https://example.com/a?b=1"),
    ],
)
def test_spellings_of_one_address(left: str, right: str) -> None:
    assert url.normalise(left) == url.normalise(right) == right


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("http://example.com/a", "https://example.com/a"),
        ("http://example.com/a", "http://example.com/A"),
        ("http://example.com/a", "http://example.com/a/"),
        ("http://example.com/?a=1&b=2", "http://example.com/?b=2&a=1"),
        ("http://example.com:8080/", "http://example.com/"),
        ("http://Ann@example.com/", "http://ann@example.com/"),
        ("https://example.com:80/", "https://example.com/"),
        ("http://example.com/?utm_source=x", "http://example.com/"),
        ("http://[::1", "http://[::2"),
        ("http://a:port/#x", "http://a:port/#y"),
        ("a/b", "a/c"),
    ],
)
def test_addresses_that_may_differ_stay_apart(left: str, right: str) -> None:
    assert url.normalise(left) != url.normalise(right)


def test_tracking_parameters_go_where_asked() -> None:
    address = "http://example.com/?UTM_source=x&id=7&gclid=1&&utmost=1"
    assert url.normalise(address, drop_tracking=True) == "http://example.com/?id=7&&utmost=1"
    assert url.normalise("http://example.com/a?utm_a=1", drop_tracking=True) == "http://example.com/a"


@given(
    st.sampled_from(["http://", "HTTPS://", "ftp:", "x-Y://", "//", ""]),
    st.text(st.sampled_from("aA@: []\t\n/?#0.8x\u00a0\x1f%"), max_size=12),
    st.text(max_size=5),
    st.booleans(),
)
@settings(max_examples=300)
def test_normalising_twice_changes_nothing(start: str, middle: str, end: str, drop_tracking: bool) -> None:
    once = url.normalise(start + middle + end, drop_tracking)
    assert url.normalise(once, drop_tracking) == once


def test_one_document_per_url(dedup: Dedup) -> None:
    rows = [
        doc("a", "short", "http://x.org/1"),
        doc("b", "much longer", "http://X.org:80/1#s"),
        doc("c", "other", "http://x.org/2"),
        doc("d", "no address"),
        doc("e", "nor here", ""),
    ]
    found = dedup(UrlDedup(), rows)
    assert found.removed == {"a": ("b", 1.0)}
    assert found.notes == {"no_url": 2}
    [row] = found.rows
    assert (row["outcome"], row["reason"], row["threshold"]) == ("dropped", "duplicate_url", 1.0)
    tracked = [doc("a", "1", "http://x.org/?utm_a=1"), doc("b", "22", "http://x.org/")]
    assert dedup(UrlDedup(), tracked).removed == {}
    assert dedup(UrlDedup(drop_tracking=True), tracked).removed == {"a": ("b", 1.0)}


def test_equal_texts_but_for_white_space_and_composition(dedup: Dedup) -> None:
    rows = [
        doc("a", "\u00c5ngström au lait"),
        doc("b", " A\u030angstro\u0308m\u00a0au\r\nlait\t"),
        doc("c", "\u00e5ngström au lait"),
        doc("d", "中文 文本"),
        doc("e", "中文文本"),
    ]
    found = dedup(ExactDedup(), rows)
    assert found.removed == {"a": ("b", 1.0)}
    assert found.rows[0]["reason"] == "duplicate_text"


def test_keys_over_many_ranges(dedup: Dedup, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [doc(f"{i:03}", f"text {i % 40}") for i in range(200)]
    one = dedup(ExactDedup(), rows, 4, seed=1)
    monkeypatch.setattr(equal_module, "range_bits", lambda total, size: 3)
    monkeypatch.setattr(equal_module, "CHUNK", 5)
    assert dedup(ExactDedup(), rows, 4, seed=2).removed == one.removed
    assert len(one.removed) == 160


rows_of_few_texts = st.lists(
    st.tuples(
        st.sampled_from(["", " ", "a", "a ", "b", "bb", "中"]), st.sampled_from([None, "http://a", "http://b/x"])
    ),
    max_size=12,
)


@pytest.mark.parametrize("stage", [UrlDedup(), ExactDedup()])
@given(rows=rows_of_few_texts, seed=st.integers(0, 99), count=st.integers(1, 4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_one_of_each_key_stays_whatever_the_shards(
    stage: UrlDedup | ExactDedup, dedup: Dedup, rows: list[tuple[str, str | None]], seed: int, count: int
) -> None:
    docs = [doc(f"id{i}", text, address) for i, (text, address) in enumerate(rows)]
    found = dedup(stage, docs, count, seed)
    groups: dict[Any, list[dict[str, Any]]] = {}
    for one in docs:
        key = exact.normalise(one["text"]) if isinstance(stage, ExactDedup) else one["url"] or one["id"]
        groups.setdefault(key, []).append(one)
    assert len(docs) - len(found.removed) == len(groups)
    for group in groups.values():
        keepers = [one["id"] for one in group if one["id"] not in found.removed]
        assert len(keepers) == 1
        kept = next(one for one in group if one["id"] == keepers[0])
        assert len(kept["text"]) == max(len(one["text"]) for one in group)
        assert {found.removed[one["id"]] for one in group if one is not kept} <= {(keepers[0], 1.0)}
    assert dedup(stage, docs, 3, seed + 1).removed == found.removed


def test_ids_that_repeat_and_shards_that_are_equal(dedup: Dedup) -> None:
    shard = shards_of([doc("a", "x y z"), doc("a", "x y z"), doc("b", "x y z!")], 1)[0]
    twin = MemoryShard(shard.table, 1)
    found = dedup(ExactDedup(), [shard, twin])
    assert len(found.rows) == 4
    assert found.removed == {"a": ("a", 1.0), "b": ("b", 1.0)}


def test_rows_that_differ_in_nothing_compared_go_by_content_not_by_order(dedup: Dedup) -> None:
    shards = [shards_of([doc("a", "x", f"http://x.org/{i}")], 1)[0] for i in range(5)]
    shards = [MemoryShard(shard.table, i) for i, shard in enumerate(shards)]
    forward = dedup(ExactDedup(), shards)
    assert len(forward.rows) == 4
    assert dedup(ExactDedup(), shards[::-1]).files == forward.files[::-1]
    assert dedup(ExactDedup(), shards[2:] + shards[:2]).files == forward.files[2:] + forward.files[:2]


def test_nothing_at_all(dedup: Dedup, tmp_path: Path) -> None:
    for stage in (UrlDedup, ExactDedup, MinhashDedup):
        assert stage().reduce([], HereEngine(tmp_path)) == []
        assert dedup(stage(), shards_of([], 2)).removed == {}


def test_a_text_that_is_not_utf8_is_an_error_for_people(tmp_path: Path) -> None:
    values = pa.array([b"\xe9t\xe9"]).cast(pa.binary())
    text = pa.Array.from_buffers(pa.string(), 1, values.buffers())
    table = pa.table({"id": pa.array(["a"]), "source": pa.array(["s"]), "text": text})

    with pytest.raises(DataError, match="not UTF-8"):
        exact.text_records(MemoryShard(table, 0), ExactDedup(), 0, tmp_path)


def test_unknown_keeper_is_refused() -> None:
    for stage in (UrlDedup, ExactDedup, MinhashDedup):
        with pytest.raises(UsageError, match="keeper 'best' is not known; use longest, earliest"):
            stage(keeper="best")
