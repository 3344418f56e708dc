"""The memory budget: sizes as people write them, how many workers they pay for, and what really is used."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import UsageError
from tamis.run.choose import How, open_engine
from tamis.run.ledger import Ledger
from tamis.run.memory import ALONE, LEAST, MIB, MINIMUM, PARENT, WORKER, fit, needed, parse_size, show_size
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ("2GiB", 2 << 30),
        ("2 gib", 2 << 30),
        ("2Gi", 2 << 30),
        ("256MiB", 256 << 20),
        ("4G", 4 * 10**9),
        ("4GB", 4 * 10**9),
        ("1.5GiB", 3 << 29),
        ("1073741824", 1 << 30),
        ("300000000b", 300_000_000),
        ("64k", 64_000),
        ("1TiB", 1 << 40),
    ],
)
def test_sizes_are_read_as_people_write_them(given: str, size: int) -> None:
    assert parse_size(given) == size


@pytest.mark.parametrize("given", ["", "GiB", "-1", "2 Gibi", "1e9", "2,5G", "all", "٤G", "inf", "1.G", "0x10"])
def test_what_is_no_size_is_refused_with_examples(given: str) -> None:
    with pytest.raises(UsageError, match="is no size; write it like 2GiB"):
        parse_size(given)


@given(st.integers(MINIMUM, 1 << 45))
def test_a_size_that_is_shown_and_read_again_is_not_larger(size: int) -> None:
    again = parse_size(show_size(size))
    assert size - MIB < again <= size


@given(st.integers(MINIMUM, 1 << 45), st.integers(1, 10_000))
def test_bases_and_tasks_together_are_the_budget(memory: int, workers: int) -> None:
    budget = fit(memory, workers)
    bases = ALONE if budget.workers == 0 else PARENT + budget.workers * WORKER
    assert bases + budget.memory == memory
    assert budget.workers <= workers
    assert budget.memory >= budget.workers * LEAST
    assert budget.memory >= LEAST
    assert (budget.workers == workers) == (memory >= needed(workers))


def test_below_the_minimum_one_line_says_all() -> None:
    with pytest.raises(UsageError) as caught:
        fit(MINIMUM - 1, 4)
    assert str(caught.value) == (
        "--memory 255 MiB is below the minimum of 256 MiB that one process with its compiled kernels needs: "
        "give --memory 256MiB or more"
    )


class Listener:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def begin(self, label: str, total: int, done: int) -> None: ...

    def advance(self, label: str) -> None: ...

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_workers_that_do_not_fit_are_told_of(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    heard = Listener()
    assert open_engine(How(8, watcher=heard, memory=1 << 30), ledger).workers == 3
    assert heard.lines == [f"--memory 1 GiB holds 3 of 8 workers; all of them from {show_size(needed(8))}"]
    heard.lines.clear()
    assert open_engine(How(8, watcher=heard, memory=needed(8)), ledger).workers == 8
    assert open_engine(How(8, watcher=heard, memory=None), ledger).workers == 8
    assert heard.lines == []
    engine = open_engine(How(2, watcher=heard, memory=MINIMUM), ledger)
    assert (engine.workers, engine.memory) == (1, MINIMUM - ALONE)
    assert heard.lines == ["--memory 256 MiB holds no worker beside this process; all of them from 584 MiB"]


def tree_peak(arguments: list[str]) -> tuple[int, int]:
    """Run a command; return the peak memory of its processes together, and their number, as sampled."""
    root = psutil.Popen([sys.executable, "-m", "tamis", *arguments], cwd=ROOT, stderr=subprocess.DEVNULL)
    peak = most = 0
    while root.poll() is None:
        try:
            family = [root, *root.children(recursive=True)]
            peak = max(peak, sum(process.memory_info().rss for process in family))
            most = max(most, len(family))
        except psutil.NoSuchProcess:
            continue
    assert root.wait() == 0
    return peak, most


@pytest.mark.skipif(sys.platform != "linux", reason="figures were measured on Linux")
@pytest.mark.parametrize(("memory", "processes"), [("256MiB", 1), ("384MiB", 2)])
def test_all_processes_together_stay_within_the_budget(tmp_path: Path, memory: str, processes: int) -> None:
    source = tmp_path / "words.jsonl"
    words = [f"word{i * i % 997}" for i in range(2000)]
    lines = (f'{{"text": "{" ".join(words[i : i + 1500])} {i}"}}\n' for i in range(400))
    source.write_text("".join(lines))
    warm, out = tmp_path / "warm", tmp_path / "out"
    tree_peak(["curate", "ingest", str(source), "-o", str(tmp_path / "corpus")])
    dedup = ["curate", "dedup", str(tmp_path / "corpus"), "--by", "minhash", "--workers", "1", "-q"]
    tree_peak([*dedup, "-o", str(warm)])  # compiling kernels, once per machine, takes more
    peak, most = tree_peak([*dedup, "-o", str(out), "--memory", memory])
    assert peak <= parse_size(memory)
    assert most == processes
