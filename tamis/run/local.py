"""The local engine: worker processes that take tasks one by one; a dead worker costs one retry, never the run."""

from __future__ import annotations

import multiprocessing.connection
import os
import signal
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tamis.errors import WorkerError
from tamis.run.engine import TaskEngine
from tamis.run.memory import economise, give_back
from tamis.run.task import ATTEMPTS, Answer, answer
from tamis.run.worker import Process, start_worker
from tamis.stage import Done, Task

_DYING_S: Final = 5.0
"""For the kernel to take back the memory of a worker that died; only then is it known of what."""


@dataclass
class LocalEngine(TaskEngine):
    """Runs tasks on ``workers`` processes of this machine, or on none but this one, and keeps results in the ledger."""

    alone: bool = False
    """Run tasks in this process: no workers, less memory."""
    patience: float = 0.0
    """Seconds that tasks wait before a second worker is started for them: it takes over one to get ready."""
    _begun: float | None = field(default=None, init=False)
    _pool: list[Process] = field(default_factory=list, init=False)
    _attempts: dict[str, int] = field(default_factory=dict, init=False)

    def work_off(self, tasks: Sequence[Task], waiting: deque[int], results: dict[int, Done]) -> None:
        """Hand out waiting tasks until all have a result."""
        if self.alone:
            economise()
            for number in waiting:
                results[number] = self.finish(tasks[number], answer(tasks[number], self.ledger))
                give_back()
            return
        while waiting or any(worker.task is not None for worker in self._pool):
            busy = sum(worker.task is not None for worker in self._pool)
            late = self._enlist(min(self.workers, busy + len(waiting)))
            self._hand_out(tasks, waiting)
            for worker, reply in self._replies(late):
                if reply is None:
                    self._bury(worker, tasks, waiting)
                elif worker.task is not None:
                    task = tasks[worker.task]
                    results[worker.task] = self.finish(task, reply)
                    worker.task, worker.claim = None, 0

    def _enlist(self, wanted: int) -> float | None:
        """Start workers up to ``wanted``, the first at once; return the seconds until more may start, if any may."""
        if len(self._pool) >= wanted:
            return None
        if self._begun is None:
            self._begun = time.monotonic()
            give_back()  # what planning took; this process only waits from here on
        late = self._begun + self.patience - time.monotonic()
        while len(self._pool) < (1 if late > 0 else wanted):
            self._pool.append(start_worker(self.ledger))
        return max(late, 0.0) if len(self._pool) < wanted else None

    def _hand_out(self, tasks: Sequence[Task], waiting: deque[int]) -> None:
        """Give tasks to idle workers, in order, as long as what they claim fits; one alone always does."""
        for worker in self._pool:
            if not waiting:
                return
            if worker.task is not None:
                continue
            claimed = sum(other.claim for other in self._pool)
            claim = tasks[waiting[0]].memory
            if claim and claimed and claimed + claim > self.memory:
                return
            number = waiting.popleft()
            worker.give(number, tasks[number])

    def _replies(self, timeout: float | None) -> list[tuple[Process, Answer | None]]:
        """Wait until workers have answered or died; None for the dead, whose pipe is at its end."""
        ready = multiprocessing.connection.wait([worker.pipe for worker in self._pool], timeout)
        replies: list[tuple[Process, Answer | None]] = []
        for worker in self._pool:
            if worker.pipe in ready:
                try:
                    replies.append((worker, worker.pipe.recv()))
                except (EOFError, OSError):
                    replies.append((worker, None))
        return replies

    def _bury(self, worker: Process, tasks: Sequence[Task], waiting: deque[int]) -> None:
        """Remove a dead worker from the pool and queue its task again, unless that has killed too many."""
        self._pool.remove(worker)
        status = worker.end(_DYING_S)
        if worker.task is None:
            return
        task = tasks[worker.task]
        self._attempts[task.key] = self._attempts.get(task.key, 0) + 1
        if self._attempts[task.key] >= ATTEMPTS:
            raise WorkerError(_obituary(task, status))
        waiting.appendleft(worker.task)

    def close(self) -> None:
        """Stop all workers at once; what they had in hand is done again by the next run."""
        while self._pool:
            self._pool.pop().end()


def _obituary(task: Task, status: int) -> str:
    """Say which task keeps killing its workers, and how they died."""
    how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    hint = "; that is usually lack of memory: use fewer --workers" if how == "SIGKILL" else ""
    return f"{task.label}: its worker process died {ATTEMPTS} times ({how}){hint}; finished shards are kept"


def default_workers() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
