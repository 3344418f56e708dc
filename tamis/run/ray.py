"""The Ray engine: every task is one Ray task; scheduling, retries and the loss of nodes are Ray's.

A finished task is a folder in the ledger, as with the local engine, so the output folder must be storage that all
nodes see under the same path. Only keys, arguments and counts travel through Ray.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import platform
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from tamis.errors import OutputError, TamisError, WorkerError
from tamis.run.engine import TaskEngine
from tamis.run.ledger import WORK, Ledger, code_version
from tamis.run.memory import give_back
from tamis.run.task import ATTEMPTS, Answer, answer, settle_collector
from tamis.stage import Done, Task

AHEAD: Final = 4
"""Tasks handed to Ray for each that can run at one time: enough to keep it busy; a million wait here, not there."""

SHARED_BYTES: Final = 1 << 16
"""An argument that several tasks share travels once if it is larger than this."""

_LOOK_AGAIN_S: Final = 10.0
"""How often to ask how large the cluster is: nodes come and go."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the run was started, so that a task finds there what it would find here."""

    folder: str
    cwd: str
    path: tuple[str, ...]
    version: str
    token: str
    """Name and content of a file in the ledger: who can read it shares our storage."""


@dataclass(frozen=True, slots=True)
class _Shared:
    """Stands in the arguments of a task for one that travels by itself."""

    number: int


@dataclass
class RayEngine(TaskEngine):
    """Runs tasks on the cluster that ``ray`` (the module) is connected to; made by ``tamis.run.cluster``."""

    ray: Any = None
    share: int = 1 << 28
    """Bytes that a task may take where a node runs as many as its cores allow; ``memory`` is that times ``workers``."""
    cores: int = 1
    """Cores that a task asks for: more than one where a node's memory does not hold a worker per core."""
    limit: int | None = None
    """Most tasks at one time, or None for as many as the cluster takes."""
    connected: bool = True
    """Whether the connection is this run's own, to be closed with it."""
    _flying: dict[Any, int] = field(default_factory=dict, init=False)
    _looked: float = field(default=0.0, init=False)
    _place: Place = field(init=False)

    def __post_init__(self) -> None:
        token = f"token.{uuid4().hex}"
        folder = self.ledger.work.parent.resolve()
        for old in (folder / WORK).glob("token.*"):  # of a run that was killed
            old.unlink(missing_ok=True)
        (folder / WORK / token).write_text(token)
        path = tuple(str(Path(entry).resolve()) for entry in sys.path)
        self._place = Place(str(folder), str(Path.cwd()), path, code_version(), token)
        self._remote = self.ray.remote(num_cpus=self.cores, max_retries=ATTEMPTS - 1, retry_exceptions=False)(perform)
        self._look()

    def _look(self) -> None:
        """Ask the cluster how many cores it has now, and how much memory its largest node."""
        if time.monotonic() - self._looked < _LOOK_AGAIN_S and self._looked:
            return
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        places = max(1, sum(int(node.get("CPU", 0)) // self.cores for node in nodes))
        self.workers = min(places, self.limit or places)
        self.memory = self.share * self.workers
        self._largest = int(max((node.get("memory", 0) for node in nodes), default=0))
        self._looked = time.monotonic()

    def work_off(self, tasks: Sequence[Task], waiting: deque[int], results: dict[int, Done]) -> None:
        """Keep Ray supplied with tasks until all have a result."""
        parcel = self._put_shared([tasks[number] for number in waiting])
        while waiting or self._flying:
            self._look()
            room = self.limit or self.workers * AHEAD
            while waiting and len(self._flying) < room:
                number = waiting.popleft()
                self._flying[self._submit(tasks[number], parcel)] = number
            flying = list(self._flying)
            ready, _ = self.ray.wait(flying, num_returns=1, timeout=_LOOK_AGAIN_S)
            if ready:
                ready, _ = self.ray.wait(flying, num_returns=len(flying), timeout=0)
            for ref in ready:
                task = tasks[self._flying[ref]]
                reply = self._answer(ref, task)
                number = self._flying.pop(ref)
                results[number] = self.finish(task, reply)

    def _put_shared(self, tasks: Sequence[Task]) -> dict[int, Any]:
        """Store large arguments that several tasks share; return their references by the id of the argument."""
        plain = (str, int, float, bool, type(None))
        uses = Counter(id(arg) for task in tasks for arg in task.args if not isinstance(arg, plain))
        put: dict[int, Any] = {}
        seen: set[int] = set()
        for task in tasks:
            for arg in task.args:
                if uses.get(id(arg), 0) > 1 and id(arg) not in seen:
                    seen.add(id(arg))
                    data = pickle.dumps(arg)
                    if len(data) > SHARED_BYTES:
                        put[id(arg)] = self.ray.put(data)
        return put

    def _submit(self, task: Task, parcel: dict[int, Any]) -> Any:
        """Hand one task to Ray; its claim on memory is cut to what the largest node has, so that it runs at all."""
        refs: list[Any] = []
        args: list[Any] = []
        for arg in task.args:
            if id(arg) in parcel:
                args.append(_Shared(len(refs)))
                refs.append(parcel[id(arg)])
            else:
                args.append(arg)
        data = pickle.dumps(replace(task, args=tuple(args)))
        options: dict[str, Any] = {"name": task.label}
        claim = min(task.memory, self._largest)
        if claim > 0:
            options["memory"] = claim
        return self._remote.options(**options).remote(self._place, data, *refs)

    def _answer(self, ref: Any, task: Task) -> Answer:
        """Fetch the answer to a task; what Ray itself reports becomes an error that people understand."""
        errors = self.ray.exceptions
        try:
            reply: Answer = pickle.loads(self.ray.get(ref))
        except errors.OutOfMemoryError:
            return WorkerError(
                f"{task.label}: Ray ended it again and again for lack of memory; finished shards are kept"
            )
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.LocalRayletDiedError, errors.ObjectLostError):
            return WorkerError(f"{task.label}: its Ray worker died {ATTEMPTS} times; finished shards are kept")
        except errors.RayError as error:
            return TamisError(
                f"{task.label}: a Ray worker could not run it: {last_line(error)}; "
                f"every node needs the same tamis ({code_version()}) and Python"
            )
        return reply

    def close(self) -> None:
        """Stop what still runs and leave the cluster; what was in hand is done again by the next run."""
        with contextlib.suppress(Exception):
            for ref in self._flying:
                self.ray.cancel(ref, force=True)
        self._flying.clear()
        with contextlib.suppress(OSError):
            (Path(self._place.folder) / WORK / self._place.token).unlink()
        if self.connected:
            self.ray.shutdown()


def last_line(error: BaseException) -> str:
    """Return the last line of an error's message, where Ray says what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


_SETTLED: set[str] = set()
"""Runs whose place this worker process has checked."""


def perform(place: Place, data: bytes, *shared: bytes) -> bytes:
    """Run one task in a Ray worker and return the pickled answer."""
    try:
        _settle(place)
        task: Task = pickle.loads(data)
        args = tuple(pickle.loads(shared[arg.number]) if isinstance(arg, _Shared) else arg for arg in task.args)
        reply = answer(replace(task, args=args), Ledger(Path(place.folder)))
        del args
    except TamisError as error:
        reply = error
    give_back()
    return pickle.dumps(reply)


def _settle(place: Place) -> None:
    """Make this worker process like the one that started the run. Raises TamisError where it cannot."""
    node = f"the Ray node {platform.node()}"
    sys.path.extend(entry for entry in place.path if entry not in sys.path)
    try:
        os.chdir(place.cwd)
    except OSError:
        raise OutputError(f"{node} has no folder {place.cwd}; start the run in a folder that all nodes share") from None
    if place.token in _SETTLED:
        return
    if code_version() != place.version:
        raise TamisError(
            f"{node} has tamis {code_version()}, the run was started by {place.version}; install the same on all nodes"
        )
    try:
        seen = (Path(place.folder) / WORK / place.token).read_text()
    except OSError:
        seen = ""
    if seen != place.token:
        raise OutputError(f"{node} does not see {place.folder}; -o must be a folder that all nodes share, at one path")
    settle_collector()
    _SETTLED.add(place.token)
