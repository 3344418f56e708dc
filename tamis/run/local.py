"""The local engine: worker processes that take tasks one by one; a dead worker costs one retry, never the run."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Protocol

from tamis.errors import BugError, OutputError, TamisError, WorkerError
from tamis.run.ledger import Ledger
from tamis.stage import Done, Task
from tamis.storage import writing

ATTEMPTS: Final = 3
"""Times a task is tried when its worker dies under it."""


class Watcher(Protocol):
    """Hears of progress; the command line shows it."""

    def begin(self, label: str, total: int, done: int) -> None:
        """A group of tasks starts; ``done`` of ``total`` were finished by an earlier run."""

    def advance(self, label: str) -> None:
        """One task of the group finished."""

    def say(self, line: str) -> None:
        """Something the user should know before it takes long."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one task took: seconds of wall clock and CPU (children included), peak memory in bytes."""

    label: str
    wall: float
    cpu: float
    rss: int


@dataclass
class _Worker:
    """A worker process, its pipe, and the task it has in hand."""

    process: Any
    pipe: Connection
    task: int | None = None


@dataclass
class LocalEngine:
    """Runs tasks on ``workers`` processes of this machine and keeps what is finished in the ledger."""

    ledger: Ledger
    workers: int
    watcher: Watcher | None = None
    memory: int = 1 << 30
    """Bytes that the tasks running at one time may take together, beside what workers take anyway."""
    used: set[str] = field(default_factory=set)
    """Keys of every task asked for, finished now or earlier."""
    costs: dict[str, Cost] = field(default_factory=dict)
    """What each task cost that ran just now, by key."""

    def __post_init__(self) -> None:
        self._pool: list[_Worker] = []

    def run(self, tasks: Sequence[Task]) -> list[Done]:
        """Run what is not finished yet and return all results in order. Raises the first error of a task."""
        results: dict[int, Done] = {}
        waiting: deque[int] = deque()
        first = {task.key: number for number, task in reversed(list(enumerate(tasks)))}
        for number, task in enumerate(tasks):
            self.used.add(task.key)
            if first[task.key] != number:  # equal content: done once, used twice
                continue
            done = self.ledger.find(task.key)
            if done is None:
                waiting.append(number)
            else:
                results[number] = done
        if tasks and self.watcher:
            self.watcher.begin(tasks[0].label, len(first), len(results))
        self._work_off(tasks, waiting, results)
        return [results[first[task.key]] for task in tasks]

    def say(self, line: str) -> None:
        """Tell the watcher."""
        if self.watcher:
            self.watcher.say(line)

    def _work_off(self, tasks: Sequence[Task], waiting: deque[int], results: dict[int, Done]) -> None:
        """Hand out waiting tasks until all have a result."""
        attempts: dict[int, int] = {}
        while waiting or any(worker.task is not None for worker in self._pool):
            busy = sum(worker.task is not None for worker in self._pool)
            while len(self._pool) < min(self.workers, busy + len(waiting)):
                self._pool.append(_start_worker(self.ledger))
            for worker in self._pool:
                if waiting and worker.task is None and worker.process.is_alive():
                    worker.task = waiting.popleft()
                    self._send(worker, tasks[worker.task])
            for worker in self._ready():
                self._collect(worker, tasks, waiting, results, attempts)

    @staticmethod
    def _send(worker: _Worker, task: Task) -> None:
        """Give a task to a worker; one that died meanwhile is noticed when its pipe is read."""
        try:
            worker.pipe.send(task)
        except OSError:
            worker.process.kill()

    def _ready(self) -> list[_Worker]:
        """Wait until a worker has an answer or has died."""
        handles: dict[Any, _Worker] = {}
        for worker in self._pool:
            handles[worker.pipe] = worker
            handles[worker.process.sentinel] = worker
        ready = {id(handles[h]): handles[h] for h in multiprocessing.connection.wait(list(handles))}
        return [worker for worker in self._pool if id(worker) in ready]

    def _collect(
        self,
        worker: _Worker,
        tasks: Sequence[Task],
        waiting: deque[int],
        results: dict[int, Done],
        attempts: dict[int, int],
    ) -> None:
        """Take an answer from a worker, or bury it and queue its task again."""
        number = worker.task
        try:
            answer = worker.pipe.recv() if worker.pipe.poll() else None
        except (EOFError, OSError):
            answer = None
        if answer is None:
            if worker.process.is_alive():
                return
            self._bury(worker)
            if number is not None:
                attempts[number] = attempts.get(number, 0) + 1
                if attempts[number] >= ATTEMPTS:
                    raise WorkerError(_obituary(tasks[number], worker.process.exitcode))
                waiting.appendleft(number)
            return
        worker.task = None
        if isinstance(answer, BaseException):
            raise answer
        result, cost = answer
        assert number is not None
        task = tasks[number]
        results[number] = Done(self.ledger.tasks / task.key, result)
        self.costs[task.key] = cost
        if self.watcher:
            self.watcher.advance(task.label)

    def _bury(self, worker: _Worker) -> None:
        """Remove a dead worker from the pool."""
        worker.process.join()
        worker.pipe.close()
        self._pool.remove(worker)

    def close(self) -> None:
        """Stop all workers at once; what they had in hand is done again by the next run."""
        for worker in self._pool:
            worker.process.kill()
        for worker in list(self._pool):
            self._bury(worker)


def _obituary(task: Task, code: int | None) -> str:
    """Say which task keeps killing its workers, and how they died."""
    how = f"exit status {code}"
    if code is not None and code < 0:
        how = signal.Signals(-code).name
    hint = "; that is usually lack of memory: use fewer --workers" if how == "SIGKILL" else ""
    return f"{task.label}: its worker process died {ATTEMPTS} times ({how}){hint}; finished shards are kept"


def _start_worker(ledger: Ledger) -> _Worker:
    """Start a worker in a fresh interpreter: forking one that has loaded Arrow may hang."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, str(ledger.work.parent)), daemon=False)
    process.start()
    there.close()
    return _Worker(process, here)


def _serve(pipe: Connection, folder: str) -> None:
    """Run in a worker: take tasks, answer results or the error, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    _die_with_parent()
    settle_collector()
    ledger = Ledger(Path(folder))
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer: Any = run_task(task, ledger)
        except TamisError as error:
            answer = error
        except Exception as error:
            answer = BugError(f"{task.label}: {type(error).__name__}: {error}", traceback.format_exc())
        pipe.send(answer)


def settle_collector() -> None:
    """Let the garbage collector look less often: tasks hold thousands of rows at a time and make few cycles."""
    gc.freeze()  # what was imported stays
    gc.set_threshold(50_000, 20, 20)


def run_task(task: Task, ledger: Ledger) -> tuple[dict[str, Any], Cost]:
    """Run one task in this process and commit its folder."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    draft = ledger.draft(task.key)
    with writing(draft):
        try:
            result = task.call(*task.args, draft)
        except (MemoryError, RecursionError) as error:
            raise TamisError(f"{task.label}: {type(error).__name__}; use fewer --workers") from None
    ledger.commit(task.key, draft, result)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return result, Cost(task.label, time.perf_counter() - wall, cpu_seconds() - cpu, rss)


def cpu_seconds() -> float:
    """Return CPU seconds of this process and of its children, ended or (on Linux) still there."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    with contextlib.suppress(OSError):
        for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def _die_with_parent() -> None:
    """Ask the kernel to end this process with the one that started it, however that ends (Linux only)."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 = PR_SET_PDEATHSIG, <sys/prctl.h>
        if os.getppid() != parent:  # it ended before the request was made
            raise OutputError("the run that started this worker has ended")


def default_workers() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
