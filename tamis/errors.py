"""The errors tamis raises on purpose; each knows its exit code.

::

    TamisError            exit 3   could not run
    ├── UsageError        exit 2   the command or recipe is wrong
    │   └── RecipeError            a recipe key or value, with file and line
    ├── DataError         exit 1   the data failed a check or a gate
    ├── InputError        exit 3   a path is missing, unreadable or of no known kind
    ├── OutputError       exit 3   the output cannot be written (read-only, full disk, in use)
    ├── MissingExtra      exit 3   an optional library is not installed
    ├── MissingModel      exit 3   a model file has not been fetched
    ├── WorkerError       exit 3   a worker process died again and again on one task
    └── BugError          exit 3   something tamis did not foresee; carries the traceback for --debug
"""

from __future__ import annotations


class TamisError(Exception):
    """A failure with a message for people: what, where, what was expected, what to do."""

    exit_code = 3


class UsageError(TamisError):
    """The command line or a recipe asks for something that does not exist."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe cannot be used as written."""


class DataError(TamisError):
    """The data failed a check or a gate."""

    exit_code = 1


class InputError(TamisError):
    """An input is missing, unreadable or of no known kind."""


class OutputError(TamisError):
    """The output cannot be written."""


class WorkerError(TamisError):
    """A worker process died again and again on the same task."""


class BugError(TamisError):
    """Something tamis did not foresee; ``trace`` is shown with --debug only."""

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message, trace)
        self.trace = trace

    def __str__(self) -> str:
        return f"{self.args[0]} (this is a bug in tamis: run again with --debug and report what it prints)"


class MissingModel(TamisError):
    """A model file has not been fetched yet."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"model {name} is not here; fetch it once with: tamis models fetch {name}"
            f" (or use your own copy: tamis models fetch {name} --from FILE)"
        )

    def __reduce__(self) -> tuple[type[MissingModel], tuple[str]]:
        return type(self), (self.name,)  # workers send errors to their parent


class MissingExtra(TamisError):
    """An optional library is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        self.feature, self.extra = feature, extra
        super().__init__(f'{feature} needs an extra that is not installed: pip install "tamis[{extra}]"')

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str]]:
        return type(self), (self.feature, self.extra)  # workers send errors to their parent
