"""Archives hurt at random: no traceback, no hang, every item with a place of its own."""

import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.curate.readers.reasons import DROPPED, FAILED
from tamis.stage import NotPage

LAWS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def sound(make):
    """Return sound archives by kind and layout."""
    warc = [make.warc(make.http(make.page * (i % 3)), ["response", "request"][i % 2]) for i in range(6)]
    arc = [make.arc_start(), *(make.arc(make.http()) for _ in range(4))]
    return [
        (kind, pack(b"".join(records)) if whole else b"".join(map(pack, records)))
        for kind, records in (("warc", warc), ("arc", arc))
        for whole, pack in ((True, bytes), (True, gzip.compress), (False, gzip.compress), (True, make.pack["zstd"]))
    ]


HURT = st.tuples(
    st.sampled_from(["flip", "cut out", "put in", "twice", "end"]), st.floats(0, 1), st.binary(max_size=40)
)


def hurt(data: bytes, how: str, where: float, noise: bytes) -> bytes:
    at = int(where * len(data))
    behind = at + len(noise)
    return {
        "flip": data[:at] + bytes(a ^ b for a, b in zip(data[at:behind], noise, strict=False)) + data[behind:],
        "cut out": data[:at] + data[behind:],
        "put in": data[:at] + noise + data[at:],
        "twice": data[:behind] + data[at:],
        "end": data[:at],
    }[how]


@LAWS
@given(which=st.integers(0, 7), wounds=st.lists(HURT, min_size=1, max_size=4))
def test_hurt_archives_never_stop_the_reader(sound, read_bytes, which, wounds):
    kind, data = sound[which]
    for wound in wounds:
        data = hurt(data, *wound)
    items = read_bytes(data, "x", kind=kind)
    assert len({item.position for item in items}) == len(items)
    for item in items:
        if isinstance(item, NotPage):
            assert item.reason in (DROPPED if item.outcome == "dropped" else FAILED)


@LAWS
@given(which=st.integers(0, 7), data=st.binary(max_size=300))
def test_noise_for_an_archive(sound, read_bytes, which, data):
    kind, archive = sound[which]
    items = read_bytes(data, "x", kind=kind)
    assert len({item.position for item in items}) == len(items)
    assert len(read_bytes(archive + data, "x", kind=kind)) >= len(read_bytes(archive, "x", kind=kind))


def test_content_made_to_be_slow_to_search(make, read_bytes, words):
    line = b"a:b c d 20260101 " * 100_000
    cut = make.arc(make.http(line))[:-200_000]
    items = read_bytes(make.arc_start() + cut + b"\n" + make.arc(make.http()), "x.arc", kind="arc")
    assert words(items)[-1] == "html"
    comments = make.http(b"<!---->" * 5000 + b"<p>", Content_Type="image/png")
    assert words(read_bytes(make.warc(comments))) == ["not_html"]
    blank = make.warc(make.http()) + b"\0" * 30_000_000 + make.warc(make.http())
    assert words(read_bytes(gzip.compress(blank, 1), "x.warc.gz")) == ["html", "html"]
