"""A worker process of the local engine: started bare, it imports what its tasks need and ends with its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Final

from tamis.run.ledger import Ledger
from tamis.run.memory import give_back
from tamis.run.task import answer, settle_collector
from tamis.stage import Task

_START: Final = "import sys; sys.path[:] = sys.argv[3:]; from tamis.run.worker import serve; serve(*sys.argv[1:3])"

# One worker is one core: threads of libraries inside it would only hold memory and get in each other's way.
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass
class Process:
    """A worker process, its pipe, and the number of the task it has in hand."""

    process: subprocess.Popen[bytes]
    pipe: Connection
    task: int | None = None
    claim: int = 0
    """Memory its task has claimed."""

    def give(self, number: int, task: Task) -> None:
        """Hand it a task; if it died meanwhile, that is noticed when its pipe is read."""
        self.task, self.claim = number, task.memory
        try:
            self.pipe.send(task)
        except OSError:
            self.process.kill()

    def end(self, grace_s: float = 0.0) -> int:
        """Kill it, after some time to end by itself, and return its exit status."""
        self.pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(grace_s)
        self.process.kill()
        return self.process.wait()


def start_worker(ledger: Ledger) -> Process:
    """Start a worker in a fresh interpreter: forking one that has loaded Arrow may hang.

    Not by ``multiprocessing``, which would start one more process to look after locks that nobody uses here.
    """
    here, there = Pipe()
    path = [entry or str(Path.cwd()) for entry in sys.path]
    command = [sys.executable, "-c", _START, str(there.fileno()), str(ledger.work.parent), *path]
    # The parent decides what Ctrl-C means: blocked until the worker says that it does not care.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, pass_fds=(there.fileno(),), env={**_ONE_THREAD, **os.environ}
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        there.close()
    return Process(process, here)


def serve(descriptor: str, folder: str) -> None:
    """Run in a worker: take tasks, answer results or the error, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _die_with_parent()
    settle_collector()
    ledger = Ledger(Path(folder))
    with Connection(int(descriptor)) as pipe:
        os.set_inheritable(pipe.fileno(), False)  # a process a task starts must not hold it open
        while True:
            try:
                task = pipe.recv()
            except (EOFError, OSError):
                return
            reply = answer(task, ledger)
            del task
            give_back()
            pipe.send(reply)


def _die_with_parent() -> None:
    """Ask the kernel to end this process with the one that started it, however that ends (Linux only)."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 = PR_SET_PDEATHSIG, <sys/prctl.h>
        if os.getppid() != parent:  # it ended before the request was made
            sys.exit()
