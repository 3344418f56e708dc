"""What a rule is: signals measured on a batch, and thresholds that say which values stay."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.stage import Outcome
from tamis.text import TextBatch

Signals = Mapping[str, NDArray[np.float64]]
"""One value per row under each name; NaN where there is nothing to measure."""

EMPTY: Final = "empty"
"""Reason for a document on which nothing can be measured: null, no characters, or white space only."""

_BEGIN_SPACE: Final = np.array([*range(9, 14), *range(28, 33), 0xC2, 0xE1, 0xE2, 0xE3], np.uint8)

KEPT: Final = -1
NOT_MEASURED: Final = -2


@dataclass(frozen=True, slots=True)
class Threshold:
    """Bounds on one signal: keep iff ``minimum <= value <= maximum``; NaN goes with reason ``empty``."""

    signal: str
    reason: str
    """snake_case and stable: reports and ``dropped/`` carry it."""
    minimum: float | None = None
    maximum: float | None = None
    outcome: Outcome = "dropped"

    def bound(self, value: float) -> float | None:
        """Return the bound that ``value`` breaks, or None."""
        if self.minimum is not None and value < self.minimum:
            return self.minimum
        if self.maximum is not None and value > self.maximum:
            return self.maximum
        return None

    def broken(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which values are out of bounds; NaN is not one of them."""
        out = np.zeros(len(values), np.bool_)
        if self.minimum is not None:
            out |= values < self.minimum
        if self.maximum is not None:
            out |= values > self.maximum
        return out


@dataclass(frozen=True, slots=True)
class Edits:
    """New texts of some rows, and counts of what was changed for the report."""

    texts: Mapping[int, str] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class Rule(Protocol):
    """One set of signals with thresholds. A frozen dataclass: its fields are the thresholds and their defaults."""

    @property
    def name(self) -> str:
        """What a recipe calls it."""

    @property
    def dialect(self) -> str:
        """Whose definitions; "" where there is only one way to measure."""

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """The bounds in order; the first one broken is the reason."""

    def signals(self, batch: TextBatch) -> Signals:
        """Measure every row of the batch; NaN in all signals for a blank text."""

    def signal_names(self) -> tuple[str, ...]:
        """Return the names that ``signals`` gives."""

    def versions(self) -> Mapping[str, str]:
        """Return names and versions of the tables and code that the values depend on."""


@runtime_checkable
class Editor(Protocol):
    """A rule that also rewrites the documents that pass it."""

    def edit(self, batch: TextBatch, keep: NDArray[np.bool_]) -> Edits:
        """Return the new text of every row in ``keep`` whose text changes."""


@runtime_checkable
class Explainer(Protocol):
    """A rule whose reasons are not known beforehand."""

    def explain(self, text: str) -> tuple[str | None, str | None]:
        """Return reason and detail for a text that broke a threshold; None leaves the threshold's own."""


def limit(signal: str, reason: str, *, least: float | None = None, most: float | None = None) -> tuple[Threshold, ...]:
    """Return one threshold, or none where both bounds are switched off."""
    return () if least is None and most is None else (Threshold(signal, reason, least, most),)


def first_broken(thresholds: Sequence[Threshold], signals: Signals, n: int) -> NDArray[np.int16]:
    """Return for each of ``n`` rows the first threshold broken, ``KEPT``, or ``NOT_MEASURED`` where a NaN is first."""
    found = np.full(n, KEPT, np.int16)
    for number, threshold in enumerate(thresholds):
        values = signals[threshold.signal]
        still = found == KEPT
        found[still & np.isnan(values)] = NOT_MEASURED
        found[still & threshold.broken(values)] = number
    return found


def blank(batch: TextBatch) -> NDArray[np.bool_]:
    """Tell which rows are null, empty or white space only (as ``str.isspace`` has it)."""
    out: NDArray[np.bool_] = np.asarray(batch.n_bytes == 0)
    rows = np.flatnonzero(~out)
    # Only a text whose first byte can begin white space has to be looked at as a string.
    for row in rows[np.isin(batch.data[batch.starts[rows]], _BEGIN_SPACE)]:
        out[row] = not batch.texts[int(row)].as_py().strip()
    return out


def without_blank(signals: Mapping[str, NDArray[Any]], batch: TextBatch) -> dict[str, NDArray[np.float64]]:
    """Return the signals as float64 with NaN in the rows that hold no text."""
    empty = blank(batch)
    out: dict[str, NDArray[np.float64]] = {}
    for name, values in signals.items():
        column = np.asarray(values, np.float64)
        if empty.any():
            column = np.where(empty, np.nan, column)
        out[name] = column
    return out


def take(batch: TextBatch, rows: NDArray[np.int64], texts: Sequence[str] | None = None) -> TextBatch:
    """Return some rows as a batch of their own, with other columns, and with new texts where given."""
    if texts is None and len(rows) == batch.n:
        return batch
    index = pa.array(rows)
    chosen = batch.texts.take(index) if texts is None else pa.array(texts, type=pa.large_string())
    return TextBatch(chosen, {name: column.take(index) for name, column in batch.columns.items()})


def settings(rule: Any) -> dict[str, Any]:
    """Return the fields of a rule that differ from their defaults, by name and in order; those without are its name."""
    found = {}
    for item in dataclasses.fields(rule):
        value = getattr(rule, item.name)
        if item.default is not dataclasses.MISSING and value != item.default:
            found[item.name] = value
    return found


def full_name(rule: Rule) -> str:
    """Return ``name@dialect``, or ``name`` where there is only one way to measure."""
    return f"{rule.name}@{rule.dialect}" if rule.dialect else rule.name


def printable(rule: Rule) -> str:
    """Return the name that parses back to this rule: ``name@dialect(key=value,…)``, defaults left out."""
    return full_name(rule) + written(settings(rule))


def written(values: Mapping[str, Any]) -> str:
    """Return ``(key=value,…)`` as a rule name carries it; nothing for no values."""
    return "(" + ",".join(f"{key}={_write(value)}" for key, value in values.items()) + ")" if values else ""


def _write(value: Any) -> str:
    """Write one value so that the parser reads it back."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "+".join(map(str, value))
    return str(value)
