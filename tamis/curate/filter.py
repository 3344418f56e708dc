"""The filter stage: rules in order, the first one broken drops the document, with the reason, value and bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.curate.rules import parse_rules
from tamis.curate.rules.dialect import identity
from tamis.curate.rules.measure import by_dialect, column_names, measured, prepare, variants
from tamis.curate.rules.rule import (
    EMPTY,
    KEPT,
    NOT_MEASURED,
    Editor,
    Explainer,
    Rule,
    Signals,
    first_broken,
    full_name,
    printable,
    take,
)
from tamis.curate.rules.spec import AnyRule, Auto, resolve, spec_of
from tamis.document import SIGNAL_PREFIX
from tamis.errors import RecipeError
from tamis.stage import REMOVAL_SCHEMA, Verdict
from tamis.text import TextBatch

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class FilterStage:
    """Keeps the documents that meet every bound of every rule.

    ``rules``: names (``name[@dialect][(key=value,…)]``, ``module:function``), ``{name: {key: value}}`` mappings, or one
    comma list. Held as printable names, which parse back. Raises RecipeError that names all bad ones.
    """

    rules: tuple[Any, ...]
    keep_signals: bool = False
    """Add what was measured as float64 columns ``signal.<name@dialect>.<signal>``: null where a row was not measured,
    because another dialect judges it or because it had gone before."""

    kind: ClassVar[str] = "filter"
    reads: ClassVar[tuple[str, ...]] = ("text", "language", "language_score")

    def __post_init__(self) -> None:
        parsed = parse_rules(self.rules)
        if not parsed:
            raise RecipeError("filter needs at least one rule, for example gopher-quality")
        object.__setattr__(self, "rules", tuple(spec_of(rule) for rule in parsed))

    @cached_property
    def parsed(self) -> tuple[AnyRule, ...]:
        """The rules themselves, in order."""
        return parse_rules(self.rules)

    def signature(self) -> dict[str, Any]:
        """Return rules, bounds and the versions of all tables and definitions behind them."""
        listed: list[dict[str, Any]] = []
        for rule in self.parsed:
            entry: dict[str, Any] = {"rule": spec_of(rule), "variants": [_described(one) for one in variants(rule)]}
            if isinstance(rule, Auto):
                entry["dialect"] = identity()
            listed.append(entry)
        return {"kind": self.kind, "rules": listed, "keep_signals": self.keep_signals}

    def open(self) -> FilterWorker:
        """Make the rules ready; kernels compile at the first batch, or come from numba's cache."""
        return FilterWorker(self.parsed, self.keep_signals)


def _described(rule: Rule) -> dict[str, Any]:
    """Return what the result of a rule depends on."""
    bounds = [[one.signal, one.reason, one.minimum, one.maximum] for one in rule.thresholds]
    return {"rule": printable(rule), "thresholds": bounds, "versions": dict(rule.versions())}


@dataclass(frozen=True)
class FilterWorker:
    """Judges batches by a list of rules."""

    rules: tuple[AnyRule, ...]
    keep_signals: bool = False

    @cached_property
    def _rewrites(self) -> bool:
        """Whether some rule may edit texts: then every batch carries its texts, changed or not."""
        return any(isinstance(one, Editor) for rule in self.rules for one in variants(rule))

    def judge(self, batch: pa.Table) -> Verdict:
        """Return the rows that broke a bound, the texts that rules edited, and the signals if wanted.

        Each row is judged by itself: neither its neighbours nor their order change anything.
        """
        columns = {name: batch[name].combine_chunks() for name in FilterStage.reads[1:] if name in batch.column_names}
        texts = TextBatch(batch["text"], columns)
        names = column_names(self.rules) if self.keep_signals else ()
        found = _Found(len(texts), {name: np.full(len(texts), np.nan) for name in names})
        for dialect, rows in by_dialect(texts, self.rules):
            _sift(take(texts, rows), rows, [resolve(rule, dialect) for rule in self.rules], found)
        return found.verdict(texts, self._rewrites)


@dataclass
class _Found:
    """What is known of a batch so far."""

    n: int
    signals: dict[str, NDArray[np.float64]]
    removed: dict[int, dict[str, Any]] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

    def remove(self, row: int, rule: Rule, evidence: Mapping[str, Any]) -> None:
        """Take a row out; its edited text goes with it, so that ``dropped/`` shows what came in."""
        self.removed[row] = {"row": row, "outcome": "dropped", "rule": full_name(rule), **evidence}
        self.texts.pop(row, None)

    def count(self, rule: Rule, notes: Mapping[str, int]) -> None:
        """Add counts of a rule under its name."""
        for name, count in notes.items():
            key = f"{rule.name}.{name}"
            self.notes[key] = self.notes.get(key, 0) + count

    def keep(self, rule: Rule, signals: Signals, rows: Rows, alive: NDArray[np.bool_]) -> None:
        """Store the signals of the rows still in, where they are wanted."""
        for name, values in signals.items():
            column = self.signals.get(f"{full_name(rule)}.{name}")
            if column is not None:
                column[rows[alive]] = values[alive]

    def verdict(self, texts: TextBatch, rewrites: bool) -> Verdict:
        """Return it all as the engine takes it."""
        removed = pa.Table.from_pylist([self.removed[row] for row in sorted(self.removed)], schema=REMOVAL_SCHEMA)
        columns: dict[str, pa.Array] = {}
        if rewrites:
            mask = np.zeros(self.n, np.bool_)
            mask[list(self.texts)] = True
            new = pa.array([self.texts[row] for row in sorted(self.texts)], type=texts.texts.type)
            columns["text"] = pc.replace_with_mask(texts.texts, pa.array(mask), new)
        for name, values in self.signals.items():
            columns[SIGNAL_PREFIX + name] = pa.array(values, type=pa.float64(), from_pandas=True)
        return Verdict(removed, columns, dict(sorted(self.notes.items())))


def _sift(batch: TextBatch, rows: Rows, rules: Sequence[Rule], found: _Found) -> None:
    """Judge documents of one dialect by the rules in order; ``rows`` are their numbers in the whole batch."""
    alive = np.ones(len(batch), np.bool_)
    prepare(batch, _first_look(rules))
    for number, rule in enumerate(rules):
        if not alive.any():
            return
        signals = measured(rule, batch, alive)
        found.keep(rule, signals, rows, alive)
        broken = first_broken(rule.thresholds, signals, len(batch))
        for row in np.flatnonzero(alive & (broken != KEPT)):
            found.remove(int(rows[row]), rule, _evidence(rule, int(broken[row]), signals, batch, int(row)))
        alive &= broken == KEPT
        if isinstance(rule, Editor):
            alive &= ~_edit(batch, rows, alive, rule, rules[number + 1 :], found)


def _first_look(rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules to measure in one walk: up to the first that edits, without heavy ones that may see less."""
    chosen: list[Rule] = []
    for rule in rules:
        if not chosen or not getattr(rule, "heavy", False):
            chosen.append(rule)
        if isinstance(rule, Editor):
            break
    return chosen


def _evidence(rule: Rule, broken: int, signals: Signals, batch: TextBatch, row: int) -> dict[str, Any]:
    """Return reason, outcome, value and bound for a document that broke a threshold."""
    if broken == NOT_MEASURED:
        return {"reason": EMPTY}
    threshold = rule.thresholds[broken]
    value = float(signals[threshold.signal][row])
    reason, detail = rule.explain(batch.texts[row].as_py()) if isinstance(rule, Explainer) else (None, None)
    return {
        "reason": reason or threshold.reason,
        "outcome": threshold.outcome,
        "value": value,
        "threshold": threshold.bound(value),
        "detail": detail,
    }


def _edit(
    batch: TextBatch, rows: Rows, alive: NDArray[np.bool_], rule: Rule, later: Sequence[Rule], found: _Found
) -> NDArray[np.bool_]:
    """Let a rule rewrite what passed it, and later rules judge the new texts; return which rows that were."""
    assert isinstance(rule, Editor)
    edits = rule.edit(batch, alive)
    found.count(rule, edits.notes)
    changed = np.zeros(len(batch), np.bool_)
    for row, text in sorted(edits.texts.items()):
        changed[row] = True
        if text.strip():
            found.texts[int(rows[row])] = text
        else:
            found.remove(int(rows[row]), rule, {"reason": EMPTY})
    fresh = np.array([row for row in sorted(edits.texts) if edits.texts[row].strip()], np.int64)
    if later and len(fresh):
        _sift(take(batch, fresh, [edits.texts[int(row)] for row in fresh]), rows[fresh], later, found)
    return changed
