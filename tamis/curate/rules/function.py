"""A plain Python function as a rule: ``module:function``, called once per document."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import xxhash

from tamis.curate.rules.rule import Signals, Threshold, blank
from tamis.errors import RecipeError
from tamis.text import TextBatch

REJECTED = "rejected"
_REASON = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class CallableRule:
    """Adapts ``function(text: str)``, which returns True or False, a number, or (bool, reason).

    A bool keeps or drops (reason ``rejected``, or the snake_case reason it gives). A number is kept within ``minimum``
    and ``maximum``. An exception, or any other result, counts the document as failed (``rule_error``), with what
    happened as detail; the run goes on. The function must depend on the text alone: it is called again for the reason.
    """

    function: str
    minimum: float | None = None
    maximum: float | None = None

    dialect: ClassVar[str] = ""

    def __post_init__(self) -> None:
        load(self.function)
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum is above maximum ({self.minimum} > {self.maximum})")

    @property
    def name(self) -> str:
        """``module:function``."""
        return self.function

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """First whether it could be called, then what it said."""
        bounded = self.minimum is not None or self.maximum is not None
        least, most = (self.minimum, self.maximum) if bounded else (1.0, None)
        return (
            Threshold("error", "rule_error", maximum=0, outcome="failed"),
            Threshold("value", REJECTED, least, most),
        )

    def signals(self, batch: TextBatch) -> Signals:
        """Call the function on every text that is not blank; ``value`` is 1 or 0 for a bool."""
        function = load(self.function)
        error, value = np.zeros(len(batch)), np.zeros(len(batch))
        empty = blank(batch)
        error[empty] = value[empty] = np.nan
        for row in np.flatnonzero(~empty):
            found, _, problem = _call(function, batch.texts[int(row)].as_py())
            error[row], value[row] = problem is not None, found
        return {"error": error, "value": value}

    def signal_names(self) -> tuple[str, ...]:
        """Return the names that ``signals`` gives."""
        return ("error", "value")

    def explain(self, text: str) -> tuple[str | None, str | None]:
        """Return the reason the function gives for a text, or what went wrong with it as detail."""
        _, reason, problem = _call(load(self.function), text)
        return (None, problem) if problem else (reason, None)

    def versions(self) -> dict[str, str]:
        """Return a hash of the source file: a changed function is another rule."""
        try:
            source = inspect.getsource(inspect.getmodule(load(self.function)) or load(self.function))
        except (OSError, TypeError):
            source = self.function
        return {"source": xxhash.xxh3_128_hexdigest(source.encode())}


@cache
def load(name: str) -> Callable[[str], Any]:
    """Import ``module:function``; modules beside the current folder are found too. Raises RecipeError."""
    module_name, _, attribute = name.partition(":")
    here = str(Path.cwd())
    added = here not in sys.path and "" not in sys.path
    if added:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = f"module {error.name!r}" if error.name else "it"
        raise RecipeError(f"rule {name!r}: cannot find {missing}; is its folder in PYTHONPATH?") from None
    except Exception as error:  # whatever the user's module does on import
        raise RecipeError(f"rule {name!r}: importing {module_name} failed: {type(error).__name__}: {error}") from None
    finally:
        if added:
            sys.path.remove(here)
    function = getattr(module, attribute, None)
    if not callable(function):
        raise RecipeError(f"rule {name!r}: module {module_name} has no function {attribute!r}")
    ready: Callable[[str], Any] = function
    return ready


def _call(function: Callable[[str], Any], text: str) -> tuple[float, str | None, str | None]:
    """Return (value, reason given, problem)."""
    try:
        result = function(text)
    except Exception as error:  # one document must not end the run
        return 0.0, None, f"{type(error).__name__}: {error}"
    reason = None
    if isinstance(result, tuple) and len(result) == 2:
        result, reason = result
        if reason is not None and not (isinstance(reason, str) and _REASON.fullmatch(reason)):
            return 0.0, None, f"expected a snake_case reason, got {reason!r}"
    if not isinstance(result, (bool, int, float, np.bool_, np.integer, np.floating)) or result != result:
        return 0.0, None, f"expected True, False, a number or (bool, reason), got {result!r}"
    return float(result), reason, None
