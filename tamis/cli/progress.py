"""Progress bars on stderr, only when it is a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any


class Progress:
    """One bar per stage; silent when stderr is no terminal or ``quiet``. Implements ``run.task.Watcher``."""

    def __init__(self, quiet: bool) -> None:
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._quiet = quiet
        self._wanted = not quiet and sys.stderr.isatty()

    def __enter__(self) -> Progress:
        if self._wanted:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bars

            columns = (TextColumn("{task.description:16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bars = Bars(*columns, console=Console(stderr=True))
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def begin(self, label: str, total: int, done: int) -> None:
        """Show a bar for a group of tasks."""
        if not self._bars:
            return
        if label in self._tasks:  # a stage of several steps: its bar grows
            bar = self._bars.tasks[self._tasks[label]]
            self._bars.update(bar.id, total=bar.total + total, completed=bar.completed + done)
        else:
            self._tasks[label] = self._bars.add_task(label, total=total, completed=done)

    def advance(self, label: str) -> None:
        """Move the bar of a group on by one."""
        if self._bars:
            self._bars.advance(self._tasks[label])

    def say(self, line: str) -> None:
        """Write a line, above the bars where there are any."""
        if self._bars:
            self._bars.console.print(line, highlight=False)
        elif not self._quiet:
            sys.stderr.write(line + "\n")
