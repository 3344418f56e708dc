"""The extraction process: whatever a page does to it, that page is lost with its reason, and no other."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.curate.extract import Extracted, ExtractFailure, extract
from tamis.curate.extract.frames import LENGTH, FrameBuffer
from tamis.curate.extract.isolate import Isolated
from tamis.errors import TamisError, UsageError

EXTRACTOR = """
import ctypes, os, signal, sys, time
from tamis.curate.extract.record import Extracted

held = []

def work(html, url, charset):
    order, _, rest = html.partition(b" ")
    if order == b"spin":
        while True:
            pass
    if order == b"sleep":
        time.sleep(1000)
    if order == b"segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if order == b"null":
        ctypes.string_at(0)
    if order == b"exit":
        os._exit(3)
    if order == b"abort":
        os.abort()
    if order == b"allocate":
        held.append([bytearray(50_000_000) for _ in range(1000)])
    if order == b"raise":
        raise ValueError(f"at {object()} \\ud800")
    if order == b"recurse":
        return work(html, url, charset)
    if order == b"wrong":
        return "text"
    if order == b"unsendable":
        return Extracted("\\ud800")
    if order == b"print":
        print("noise"); sys.stdout.flush(); os.write(1, b"noise"); os.write(2, b"noise")
    if order == b"pid":
        return Extracted(str(os.getpid()))
    if order == b"big":
        return Extracted("x" * int(rest))
    if order == b"limit":
        import resource
        return Extracted(str(resource.getrlimit(resource.RLIMIT_DATA)[0]))
    return Extracted(html.decode(), title=url, charset=charset)

not_a_function = 5
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An extractor that does as the page says, importable in the child."""
    (tmp_path / "obedient.py").write_text(EXTRACTOR)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "obedient:work"


def page(text: str) -> tuple[bytes, str | None, str | None]:
    return text.encode(), None, None


def run(module: str, *texts: str, **limits: float) -> list[str]:
    """Extract pages and tell each answer in one string."""
    with Isolated(module, **limits) as isolated:  # type: ignore[arg-type]
        answers = isolated.extract_many([page(text) for text in texts])
    return [a.text if isinstance(a, Extracted) else f"{a.reason}: {a.detail}" for a in answers]


@pytest.mark.parametrize(
    ("order", "failure"),
    [
        ("segfault", "extract_crash: killed by SIGSEGV"),
        ("null", "extract_crash: killed by SIGSEGV"),
        ("abort", "extract_crash: killed by SIGABRT"),
        ("exit", "extract_crash: exit status 3"),
        ("allocate", "extract_crash: more than 300 MB of memory"),
        ("spin", "extract_timeout: more than 0.4 s of processor time"),
        ("raise", "extract_error: ValueError: at <object object at 0x> ?"),
        ("wrong", "extract_error: TypeError: the extractor returned str, not Extracted"),
    ],
)
def test_only_the_bad_page_is_lost(module: str, order: str, failure: str) -> None:
    timeout_s = 0.4 if order == "spin" else 20.0
    answers = run(module, "a", "b", order, "c", order, "d", timeout_s=timeout_s, memory_mb=300)
    assert answers == ["a", "b", failure, "c", failure, "d"]


def test_a_sleeping_extractor_is_stopped_by_the_clock(module: str) -> None:
    assert run(module, "a", "sleep", "b", timeout_s=0.1) == ["a", "extract_timeout: no answer within 0.5 s", "b"]


def test_bad_pages_first_last_and_alone(module: str) -> None:
    crash = "extract_crash: killed by SIGSEGV"
    assert run(module, "segfault") == [crash]
    assert run(module, "segfault", "segfault", "a") == [crash, crash, "a"]
    assert run(module, "a", "segfault") == ["a", crash]
    assert run(module) == []


def test_errors_leave_the_child_alive(module: str) -> None:
    with Isolated(module) as isolated:
        answers = isolated.extract_many([page(t) for t in ("pid", "raise", "recurse", "unsendable", "print", "pid")])
        assert answers[0] == answers[-1]
        assert [a.reason for a in answers if isinstance(a, ExtractFailure)] == ["extract_error"] * 3
        assert "RecursionError" in str(answers[2])
        assert isolated.restarts == 0


def test_the_child_is_kept_between_batches_and_replaced_after_a_crash(module: str) -> None:
    with Isolated(module) as isolated:
        (first,), (again,) = isolated.extract_many([page("pid")]), isolated.extract_many([page("pid")])
        assert first == again
        isolated.extract_many([page("segfault")])
        assert isolated.extract_many([page("pid")]) != [first]
        assert isolated.restarts == 1
        isolated.close()
        isolated.close()
        assert len(isolated.extract_many([page("pid")])) == 1


def test_url_and_charset_arrive(module: str) -> None:
    with Isolated(module) as isolated:
        (answer,) = isolated.extract_many([(b"x", "https://例.org/é", "gbk")])
    assert answer == Extracted("x", title="https://例.org/é", charset="gbk")


def test_large_pages_both_ways_do_not_block(module: str) -> None:
    big_in = b"y" * 30_000_000
    batch = [page("big 30000000"), (big_in, None, None), page("big 30000000"), (big_in, None, None), page("z")] * 2
    with Isolated(module) as isolated:
        answers = isolated.extract_many(batch)
    assert [len(a.text) for a in answers if isinstance(a, Extracted)] == [30_000_000] * 4 + [1] + [30_000_000] * 4 + [1]


def test_many_small_pages_in_order(module: str) -> None:
    texts = [f"page {i}" for i in range(20_000)]
    assert run(module, *texts) == texts


def test_limits_are_set(module: str) -> None:
    assert run(module, "limit", memory_mb=700) == [str(700 * 2**20)]


@pytest.mark.parametrize(
    ("extractor", "says"),
    [
        ("no_such_module:work", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("obedient:absent", "AttributeError"),
    ],
)
def test_an_extractor_that_cannot_start(module: str, extractor: str, says: str) -> None:
    with pytest.raises(TamisError, match=f"the extractor {extractor} cannot be started: .*{says}"):
        Isolated(extractor).extract_many([page("a")])


def test_wrong_settings() -> None:
    with pytest.raises(UsageError, match="no extractor 'nothing'; there are: resiliparse"):
        Isolated("nothing")
    for wrong in ({"timeout_s": 0}, {"memory_mb": -1}):
        with pytest.raises(UsageError, match="must be positive"):
            Isolated(**wrong)


def test_a_page_beyond_the_memory_limit(module: str) -> None:
    with Isolated(module, memory_mb=100) as isolated:
        answers = isolated.extract_many([page("a"), (b"x" * 150_000_000, None, None), page("b")])
    lost = ExtractFailure("extract_crash", "more than 100 MB of memory")
    assert answers == [Extracted("a"), lost, Extracted("b")]


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def test_no_process_is_left(module: str) -> None:
    before = children()
    isolated = Isolated(module)
    isolated.extract_many([page("a")])
    assert len(children() - before) == 1
    isolated.close()
    assert children() == before
    isolated = Isolated(module, timeout_s=0.1)
    isolated.extract_many([page("sleep"), page("a")])
    del isolated
    gc.collect()
    assert children() == before


def test_the_child_ends_with_its_parent(module: str, tmp_path: Path) -> None:
    code = (
        f"import sys, os; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from tamis.curate.extract.isolate import Isolated\n"
        "isolated = Isolated('obedient:work')\n"
        "print(isolated.extract_many([(b'pid', None, None)])[0].text, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    deadline = time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the child outlives its parent"
        time.sleep(0.05)


def _close_in_fork(isolated: Isolated) -> None:
    isolated.close()
    os._exit(0)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_does_not_end_the_child_of_its_parent(module: str) -> None:
    with Isolated(module) as isolated:
        before = isolated.extract_many([page("pid")])
        fork = multiprocessing.get_context("fork").Process(target=_close_in_fork, args=(isolated,))
        fork.start()
        fork.join(30)
        assert fork.exitcode == 0
        assert isolated.extract_many([page("pid")]) == before


def test_interrupted_exchange_does_not_mix_up_replies(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Isolated(module) as isolated:
        isolated.extract_many([page("warm")])
        child = isolated._child
        assert child is not None

        def interrupted(*args: object, **kwargs: object) -> list[bytes]:
            raise KeyboardInterrupt

        monkeypatch.setattr(child, "_read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            isolated.extract_many([page("lost")] * 3)
        assert isolated.extract_many([page("a"), page("b")]) == [Extracted("a"), Extracted("b")]


@pytest.mark.parametrize("name", ["resiliparse", "trafilatura"])
def test_same_as_in_this_process(name: str, shared_data) -> None:
    if name == "trafilatura":
        pytest.importorskip("trafilatura")
    import gzip

    files = sorted((shared_data("crawl/extract/scrapinghub") / "html").glob("*.gz"))[:20]
    pages = [(gzip.decompress(file.read_bytes()), "https://example.org", None) for file in files]
    pages += [(b"", None, None), (bytes(range(256)), None, "big5")]
    expected = [extract(*one, extractor=name) for one in pages]
    with Isolated(name) as isolated:
        assert isolated.extract_many(pages) == expected
        assert isolated.extract_many(pages[::-1]) == expected[::-1], "no page depends on those before it"


@pytest.mark.slow
def test_deeply_nested_blocks_time_out() -> None:
    """Resiliparse takes time squared in the depth of block elements: half a minute at 50,000."""
    deep = b"<html><body>" + b"<div>" * 200_000 + b"text" + b"</div>" * 200_000
    with Isolated(timeout_s=1.0) as isolated:
        answers = isolated.extract_many([(b"<p>before", None, None), (deep, None, None), (b"<p>after", None, None)])
    assert [a.text if isinstance(a, Extracted) else a.reason for a in answers] == ["before", "extract_timeout", "after"]


@pytest.mark.slow
def test_memory_stays_flat(shared_data) -> None:
    import gzip

    files = sorted((shared_data("crawl/extract/scrapinghub") / "html").glob("*.gz"))
    pages = [(gzip.decompress(file.read_bytes()), None, None) for file in files]
    with Isolated() as isolated:
        sizes = []
        for _ in range(30):
            isolated.extract_many(pages)
            (child,) = (p for p in psutil.Process().children() if "tamis.curate.extract.child" in p.cmdline())
            sizes.append(child.memory_info().rss)
    assert sizes[-1] < sizes[4] * 1.2


@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(1, 30), min_size=1, max_size=20))
@settings(deadline=None)
def test_frames_come_back_however_they_are_cut(frames: list[bytes], steps: list[int]) -> None:
    stream = b"".join(LENGTH.pack(len(frame)) + frame for frame in frames)
    buffer, got, place, turn = FrameBuffer(), [], 0, 0
    while place < len(stream):
        step = steps[turn % len(steps)]
        got += buffer.feed(stream[place : place + step])
        place, turn = place + step, turn + 1
    assert got == frames
