"""The Ray engine on a real local Ray: results, errors, dead workers, clusters that do not answer."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tamis.errors import (
    BugError,
    InputError,
    MissingExtra,
    MissingModel,
    OutputError,
    TamisError,
    UsageError,
    WorkerError,
)
from tamis.run import cluster
from tamis.run.choose import How
from tamis.run.cluster import ray_engine
from tamis.run.ledger import Ledger, task_key
from tamis.run.memory import DEFAULT, fit, needed
from tamis.run.ray import RayEngine
from tamis.stage import Task
from tests.run import sleeper
from tests.run.jobs import bug, count_calls, die, die_at_first, full, no_model, overlap, total, wrong


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path)
    made.open()
    return made


@pytest.fixture
def engine(ledger: Ledger, connected: str) -> Iterator[RayEngine]:
    made = ray_engine(ledger, None, DEFAULT, None, None)
    yield made
    made.close()


def test_results_come_in_order_and_only_once(engine: RayEngine, ledger: Ledger, tmp_path: Path) -> None:
    log = tmp_path / "log"
    tasks = [Task(task_key("t", i), "t", count_calls, (str(log), i)) for i in range(30)]
    done = engine.run([*tasks, tasks[3]])
    assert [d.result["value"] for d in done] == [*range(30), 3]
    assert [(d.folder / "value").read_text() for d in done] == [str(d.result["value"]) for d in done]
    assert os.getpid() not in {d.result["pid"] for d in done}
    assert set(engine.costs) == {task.key for task in tasks} == engine.used
    assert engine.workers == 2
    assert engine.run(tasks)[7].result["value"] == 7
    assert sorted(map(int, log.read_text().split())) == list(range(30)), "nothing finished was done again"
    assert not any(ledger.drafts.iterdir())
    engine.close()
    assert {path.name for path in ledger.work.iterdir()} == {"tasks", "drafts"}


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (wrong, InputError, "^a clear message$"),
        (no_model, MissingModel, "tamis models fetch lid.176"),
        (bug, BugError, r"t: ZeroDivisionError: division by zero \(this is a bug in tamis"),
        (full, OutputError, "no space left on the device"),
    ],
)
def test_errors_of_tasks_arrive_as_they_are(
    engine: RayEngine, ledger: Ledger, call: Any, kind: type, message: str
) -> None:
    with pytest.raises(kind, match=message):
        engine.run([Task(task_key("e"), "t", call, ())])
    assert list(ledger.tasks.iterdir()) == [], "a failed task is not finished"


def test_a_killed_worker_costs_one_retry(engine: RayEngine, tmp_path: Path) -> None:
    done = engine.run([Task(task_key("die"), "d", die_at_first, (str(tmp_path / "marker"),))])
    assert done[0].result["value"] == 1


def test_a_task_that_always_kills_its_worker_is_named(engine: RayEngine) -> None:
    with pytest.raises(WorkerError, match="5-shard: its Ray worker died 3 times; finished shards are kept"):
        engine.run([Task(task_key("die"), "5-shard", die, ())])


def test_a_large_argument_of_many_tasks_travels_once(engine: RayEngine) -> None:
    numbers = list(range(50_000))
    tasks = [Task(task_key("sum", i), "t", total, (numbers, i)) for i in range(5)]
    parcel = engine._put_shared(tasks)
    assert list(parcel) == [id(numbers)]
    assert [d.result["total"] for d in engine.run(tasks)] == [sum(numbers) * i for i in range(5)]


def test_what_does_not_fit_a_node_never_runs_together_but_runs(engine: RayEngine, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    claims = (600 << 20, 600 << 20, 1 << 50)  # the node has 1 GiB
    tasks = [Task(task_key(i), "t", overlap, (str(place), str(i)), memory=claim) for i, claim in enumerate(claims)]
    assert [d.result["others"] for d in engine.run(tasks)] == [[], [], []]


def test_a_node_that_does_not_share_the_folder_is_named(engine: RayEngine, tmp_path: Path) -> None:
    engine._place = replace(engine._place, folder=str(tmp_path / "elsewhere"), token="token.other")
    with pytest.raises(OutputError, match=r"does not see .*elsewhere; -o must be a folder that all nodes share"):
        engine.run([Task(task_key("t"), "t", total, ([], 1))])


def test_a_node_with_other_code_is_refused(engine: RayEngine) -> None:
    engine._place = replace(engine._place, version="0.0.1+aa", token="token.new")
    with pytest.raises(TamisError, match=r"has tamis .*, the run was started by 0.0.1\+aa; install the same"):
        engine.run([Task(task_key("t"), "t", total, ([], 1))])


def test_closing_ends_what_runs(ledger: Ledger, connected: str, tmp_path: Path) -> None:
    engine = ray_engine(ledger, None, DEFAULT, None, None)
    pid_file = tmp_path / "pid"
    task = Task("k", "sleep", sleeper.sleep, (str(pid_file),))
    engine._flying[engine._submit(task, {})] = 0
    deadline = time.monotonic() + 30
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    worker = psutil.Process(int(pid_file.read_text()))
    engine.close()
    worker.wait(20)


def test_memory_for_tasks_is_that_of_a_node(ledger: Ledger, connected: str) -> None:
    held = [ray_engine(ledger, None, size, None, None) for size in (256 << 20, needed(2) - 1, needed(2), None)]
    # A node of 2 cores: where the budget holds one worker, a task asks for both.
    assert [(one.workers, one.cores) for one in held] == [(1, 2), (1, 2), (2, 1), (2, 1)]
    assert held[0].memory == fit(256 << 20, 2).memory
    assert held[2].memory == fit(needed(2), 2).memory
    for one in held:
        one.close()


def serve_once(answer: bytes | None) -> int:
    """Listen on a port of this machine; answer the first caller with these bytes, or never."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener:
            line, _ = listener.accept()
            with line:
                line.recv(64)
                if answer is None:
                    time.sleep(3)
                else:
                    line.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize("scheme", ["", "ray://"])
@pytest.mark.parametrize(
    ("answer", "message"),
    [(None, "answers at .* (no answer)"), (b"HTTP/1.0 400 Bad Request\r\n", "is not Ray"), (b"", "is not Ray")],
)
def test_what_does_not_answer_as_ray_is_no_cluster(
    monkeypatch: pytest.MonkeyPatch, scheme: str, answer: bytes | None, message: str
) -> None:
    monkeypatch.setattr(cluster, "KNOCK_S", 0.5)
    with pytest.raises(TamisError, match=message.replace("(", r"\(").replace(")", r"\)")):
        cluster._knock(f"{scheme}127.0.0.1:{serve_once(answer)}")


def test_a_cluster_answers_a_knock(ray_address: str) -> None:
    cluster._knock(ray_address)


@pytest.mark.parametrize(
    "address", ["nonsense", "http://head:8265", "head:", ":6379", "head:0", "head:x", "ray://head"]
)
def test_what_is_no_address_is_a_usage_error(address: str) -> None:
    with pytest.raises(UsageError, match="is no address; write HOST:PORT, ray://HOST:PORT, auto or local"):
        cluster.split_address(address)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r'--engine ray needs an extra.*"tamis\[ray\]"'):
        cluster._module()


def test_an_address_without_the_engine_and_a_url_with_it_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="needs --engine ray"):
        How(ray_address="a:1").check("out")
    with pytest.raises(UsageError, match="a folder that all nodes share"):
        How(engine="ray").check("s3://bucket/out")


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_the_command_fails_in_one_line_where_nobody_listens(tmp_path: Path, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    source = tmp_path / "a.jsonl"
    source.write_text('{"text": "a"}\n')
    words = ["curate", "ingest", str(source), "-o", str(tmp_path / "out"), "--engine", "ray"]
    command = [sys.executable, "-m", "tamis", *words, "--ray-address", f"{scheme}127.0.0.1:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    lines = [line for line in done.stderr.splitlines(keepends=True) if not line.startswith("first run:")]
    assert "".join(lines) == (
        f"error: no Ray cluster answers at {scheme}127.0.0.1:{port} (connection refused): "
        "is the cluster up, and the address that of its head node?\n"
    )
