"""What every engine does alike: nothing twice, results in order, progress and costs told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from tamis.errors import TamisError
from tamis.run.ledger import Ledger
from tamis.run.task import Answer, Cost, Watcher
from tamis.stage import Done, Task


@dataclass
class TaskEngine(ABC):
    """An engine but for how it works tasks off; implements ``stage.Engine``."""

    ledger: Ledger
    workers: int
    """How many tasks run at one time."""
    watcher: Watcher | None = None
    memory: int = 1 << 30
    """Bytes that the tasks running on one machine may take together, beside what workers take anyway."""
    used: set[str] = field(default_factory=set)
    """Keys of every task asked for, finished now or earlier."""
    costs: dict[str, Cost] = field(default_factory=dict)
    """What each task cost that ran just now, by key."""

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
        if waiting:
            self.work_off(tasks, waiting, results)
        return [results[first[task.key]] for task in tasks]

    def say(self, line: str) -> None:
        """Tell the watcher."""
        if self.watcher:
            self.watcher.say(line)

    def finish(self, task: Task, answer: Answer) -> Done:
        """Take note of the answer to a task and return its result; raise it if it is an error."""
        if isinstance(answer, TamisError):
            raise answer
        result, cost = answer
        self.costs[task.key] = cost
        if self.watcher:
            self.watcher.advance(task.label)
        return Done(self.ledger.tasks / task.key, result)

    @abstractmethod
    def work_off(self, tasks: Sequence[Task], waiting: deque[int], results: dict[int, Done]) -> None:
        """Run the waiting tasks (numbers into ``tasks``) and enter their results."""

    @abstractmethod
    def close(self) -> None:
        """Stop whatever still runs; what was in hand is done again by the next run."""
