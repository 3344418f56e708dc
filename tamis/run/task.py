"""One task in one process: what every engine calls, what it costs, and who watches."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from tamis.errors import BugError, TamisError
from tamis.run.ledger import Ledger
from tamis.stage import Task
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


Answer = tuple[dict[str, Any], Cost] | TamisError
"""What comes back from a worker: result and cost, or the error to show."""


def run_task(task: Task, ledger: Ledger) -> tuple[dict[str, Any], Cost]:
    """Run one task in this process and commit its folder."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    draft = ledger.draft(task.key)
    with writing(draft):
        try:
            result = task.call(*task.args, draft)
        except (MemoryError, RecursionError) as error:
            raise TamisError(f"{task.label}: {type(error).__name__}; use fewer --workers") from None
    result = ledger.commit(task.key, draft, result).result
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return result, Cost(task.label, time.perf_counter() - wall, cpu_seconds() - cpu, rss)


def answer(task: Task, ledger: Ledger) -> Answer:
    """Run one task and return its result, or the error as a value: one that people understand."""
    try:
        return run_task(task, ledger)
    except TamisError as error:
        return error
    except Exception as error:
        return BugError(f"{task.label}: {type(error).__name__}: {error}", traceback.format_exc())


def settle_collector() -> None:
    """Let the garbage collector look less often: tasks hold thousands of rows at a time and make few cycles."""
    gc.freeze()  # what was imported stays
    gc.set_threshold(50_000, 20, 20)


def cpu_seconds() -> float:
    """Return CPU seconds of this process and of its children, ended or (on Linux) still there."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    with contextlib.suppress(OSError):
        for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds
