"""The local engine and the ledger: resume, retries, errors, and what dies with what."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tamis.errors import BugError, InputError, MissingModel, OutputError, WorkerError
from tamis.run.ledger import Ledger, locked, task_key
from tamis.run.local import LocalEngine
from tamis.stage import Task
from tests.run.jobs import bug, count_calls, die, die_at_first, full, no_model, overlap, wrong


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path)
    made.open()
    return made


def run(ledger: Ledger, tasks: list[Task], workers: int = 2, **settings: Any) -> list[Any]:
    engine = LocalEngine(ledger, workers, **settings)
    try:
        return engine.run(tasks)
    finally:
        engine.close()


def tasks_of(number: int, log: Path) -> list[Task]:
    return [Task(task_key("t", i), "t", count_calls, (str(log), i)) for i in range(number)]


@pytest.mark.parametrize(("patience", "processes"), [(60.0, 1), (0.0, 2)])
def test_a_second_worker_starts_when_tasks_have_waited(
    ledger: Ledger, tmp_path: Path, patience: float, processes: int
) -> None:
    done = run(ledger, tasks_of(8, tmp_path / "log"), workers=2, patience=patience)
    assert len({d.result["pid"] for d in done}) == processes


def test_results_come_in_the_order_of_tasks_and_only_once(ledger: Ledger, tmp_path: Path) -> None:
    log = tmp_path / "log"
    tasks = tasks_of(7, log)
    done = run(ledger, tasks, workers=3)
    assert [d.result["value"] for d in done] == list(range(7))
    assert [(d.folder / "value").read_text() for d in done] == [str(i) for i in range(7)]
    assert len({d.result["pid"] for d in done}) > 1, "more than one process took part"
    again = run(ledger, [*tasks, *tasks_of(9, log)[7:]])
    assert [d.result["value"] for d in again] == list(range(9))
    assert sorted(log.read_text().split()) == [str(i) for i in range(9)], "nothing finished was done again"


def test_equal_tasks_are_done_once(ledger: Ledger, tmp_path: Path) -> None:
    (task,) = tasks_of(1, tmp_path / "log")
    done = run(ledger, [task, task, task])
    assert [d.result["value"] for d in done] == [0, 0, 0]
    assert (tmp_path / "log").read_text().split() == ["0"]


def test_a_folder_that_lost_a_file_is_done_again(ledger: Ledger, tmp_path: Path) -> None:
    tasks = tasks_of(1, tmp_path / "log")
    (done,) = run(ledger, tasks)
    (done.folder / "value").write_text("tampered")
    (again,) = run(ledger, tasks)
    assert (again.folder / "value").read_text() == "0"


def test_a_killed_worker_costs_one_retry(ledger: Ledger, tmp_path: Path) -> None:
    tasks = [Task(task_key("die"), "d", die_at_first, (str(tmp_path / "marker"),)), *tasks_of(3, tmp_path / "log")]
    assert [d.result["value"] for d in run(ledger, tasks)] == [1, 0, 1, 2]


def test_a_task_that_always_kills_its_worker_is_named(ledger: Ledger) -> None:
    with pytest.raises(WorkerError, match=r"5-shard: its worker process died 3 times \(SIGSEGV\)"):
        run(ledger, [Task(task_key("die"), "5-shard", die, ())])


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (wrong, InputError, "^a clear message$"),
        (no_model, MissingModel, "tamis models fetch lid.176"),
        (bug, BugError, r"t: ZeroDivisionError: division by zero \(this is a bug in tamis"),
        (full, OutputError, "no space left on the device"),
    ],
)
def test_errors_of_tasks_arrive_as_they_are(ledger: Ledger, call: Any, kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        run(ledger, [Task(task_key("e"), "t", call, ())])
    assert list(ledger.tasks.iterdir()) == [], "a failed task is not finished"


@pytest.mark.parametrize(("call", "kind"), [(wrong, InputError), (bug, BugError), (full, OutputError)])
def test_errors_are_the_same_without_workers(ledger: Ledger, call: Any, kind: type) -> None:
    with pytest.raises(kind):
        run(ledger, [Task(task_key("e"), "t", call, ())], 1, alone=True)


def test_alone_everything_runs_in_this_process(ledger: Ledger, tmp_path: Path) -> None:
    done = run(ledger, tasks_of(3, tmp_path / "log"), 1, alone=True)
    assert [d.result for d in done] == [{"value": i, "pid": os.getpid()} for i in range(3)]


def test_what_does_not_fit_the_memory_never_runs_together(ledger: Ledger, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()

    def others(*claims: int) -> list[list[str]]:
        tasks = [
            Task(task_key(claims, i), "t", overlap, (str(place), str(i)), memory=claim)
            for i, claim in enumerate(claims)
        ]
        return [d.result["others"] for d in run(ledger, tasks, 3, memory=100)]

    assert others(60, 60, 41) == [[], [], []]
    assert others(1000, 1) == [[], []], "one alone always runs"
    together = others(50, 50, 0)
    assert sum(map(len, together)) >= 2, "what fits does run together"


def test_of_two_attempts_at_a_task_the_first_to_finish_counts(ledger: Ledger) -> None:
    one, two = ledger.draft("k"), ledger.draft("k")
    assert one != two
    (one / "value").write_text("1")
    (two / "value").write_text("2")
    first = ledger.commit("k", one, {"n": 1})
    assert ledger.commit("k", two, {"n": 2}) == first
    assert (first.folder / "value").read_text() == "1"
    assert list(ledger.drafts.iterdir()) == []


def test_an_attempt_of_a_dead_run_cannot_commit(ledger: Ledger) -> None:
    draft = ledger.draft("k")
    (draft / "value").write_text("1")
    ledger.open()
    with pytest.raises(FileNotFoundError):
        ledger.commit("k", draft, {})
    assert ledger.find("k") is None


def test_finished_tasks_survive_the_error_of_another(ledger: Ledger, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(InputError):
        run(ledger, [*tasks_of(2, log), Task(task_key("e"), "t", wrong, ())], workers=1)
    run(ledger, tasks_of(2, log))
    assert sorted(log.read_text().split()) == ["0", "1"]


def test_two_runs_into_one_folder_are_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(OutputError, match="is in use by another run"), locked(tmp_path):
        pass
    with locked(tmp_path):  # free again
        pass


def test_sweep_forgets_what_is_not_used(ledger: Ledger, tmp_path: Path) -> None:
    tasks = tasks_of(3, tmp_path / "log")
    run(ledger, tasks)
    ledger.sweep({tasks[1].key})
    assert [ledger.find(task.key) is not None for task in tasks] == [False, True, False]
    assert not ledger.drafts.exists()


def test_keys_depend_on_every_part() -> None:
    keys = {task_key("a", 1), task_key("a", 2), task_key("b", 1), task_key("a", 1, 1)}
    assert len(keys) == 4
    assert task_key({"x": 1, "y": 2}) == task_key({"y": 2, "x": 1})


def test_workers_die_with_the_run(tmp_path: Path) -> None:
    script = f"""
import sys, time
from pathlib import Path
from tamis.run.ledger import Ledger
from tamis.run.local import LocalEngine
from tamis.stage import Task
from tests.run import sleeper
if __name__ == "__main__":
    ledger = Ledger(Path({str(tmp_path)!r})); ledger.open()
    LocalEngine(ledger, 1).run([Task("k", "sleep", sleeper.sleep, ({str(tmp_path / "pid")!r},))])
"""
    path = tmp_path / "main.py"
    path.write_text(script)
    root = Path(__file__).resolve().parents[2]
    parent = subprocess.Popen([sys.executable, str(path)], env={**os.environ, "PYTHONPATH": str(root)})
    pid_file = tmp_path / "pid"
    deadline = time.monotonic() + 30
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    worker = int(pid_file.read_text())
    parent.kill()
    parent.wait()
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        if "Z" in Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0]:
            break  # dead, not yet reaped by init
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{worker}").exists(), "the worker outlived its run"
