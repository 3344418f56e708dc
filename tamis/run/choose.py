"""Choosing the engine of a run: what was asked for, and what memory allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tamis.errors import UsageError
from tamis.run.cluster import NAMES, ray_engine, split_address
from tamis.run.engine import TaskEngine
from tamis.run.ledger import Ledger
from tamis.run.local import LocalEngine, default_workers
from tamis.run.memory import DEFAULT, fit, needed, show_size
from tamis.run.task import Watcher
from tamis.storage import is_remote

ENGINES: Final = ("local", "ray")


PATIENCE: Final = 1.5
"""Seconds of a run after which waiting tasks are worth more workers than one; see ``LocalEngine``."""


@dataclass(frozen=True, slots=True)
class How:
    """How to run it: nothing here changes a byte of the output."""

    workers: int | None = None
    """Tasks at one time; None for all cores."""
    fresh: bool = False
    watcher: Watcher | None = None
    memory: int | None = DEFAULT
    """Bytes that all processes may take together (on Ray: the workers of a node); None where no stage needs a bound."""
    engine: str = "local"
    """A name of ``ENGINES``."""
    ray_address: str | None = None

    def check(self, output: str) -> None:
        """Raise UsageError if this cannot be done for that output, before anything is written."""
        if self.engine not in ENGINES:
            raise UsageError(f"--engine {self.engine!r} is not known; use one of {', '.join(ENGINES)}")
        if self.memory is not None:
            fit(self.memory, 1)
        if self.engine != "ray" and self.ray_address is not None:
            raise UsageError("--ray-address needs --engine ray")
        if self.ray_address is not None and self.ray_address not in NAMES:
            split_address(self.ray_address)
        if self.engine == "ray" and is_remote(output):
            raise UsageError(
                f"--engine ray cannot write {output}: give -o a folder that all nodes share, and copy it from there"
            )


def open_engine(how: How, ledger: Ledger) -> TaskEngine:
    """Return the engine for a run; close it when done. Raises UsageError, MissingExtra, TamisError."""
    if how.engine == "ray":
        return ray_engine(ledger, how.workers, how.memory, how.watcher, how.ray_address)
    asked = how.workers or default_workers()
    if how.memory is None:
        return LocalEngine(ledger, asked, how.watcher, patience=PATIENCE)
    budget = fit(how.memory, asked)
    alone = budget.workers == 0
    engine = LocalEngine(ledger, max(1, budget.workers), how.watcher, budget.memory, alone=alone, patience=PATIENCE)
    if budget.workers < asked:
        held = f"{budget.workers} of {asked} workers" if budget.workers else "no worker beside this process"
        engine.say(f"--memory {show_size(how.memory)} holds {held}; all of them from {show_size(needed(asked))}")
    return engine
