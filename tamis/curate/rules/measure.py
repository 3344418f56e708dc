"""Measuring a list of rules on a batch, each document by the dialect that fits it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tamis.curate.rules.c4 import C4
from tamis.curate.rules.dialect import DATATROVE, ZH, is_zh
from tamis.curate.rules.rule import Rule, Signals, full_name, take
from tamis.curate.rules.spec import AnyRule, Auto, resolve
from tamis.curate.rules.views import DatatroveView, Family
from tamis.text import TextBatch

Rows = NDArray[np.int64]


def by_dialect(batch: TextBatch, rules: Iterable[AnyRule]) -> list[tuple[str, Rows]]:
    """Return the dialects that the rows fall under, with their rows; all under one where no rule leaves it open."""
    everything = np.arange(len(batch), dtype=np.int64)
    if not any(isinstance(rule, Auto) for rule in rules):
        return [(DATATROVE, everything)]
    zh = is_zh(batch)
    return [(name, everything[which]) for name, which in ((DATATROVE, ~zh), (ZH, zh)) if which.any()]


def prepare(batch: TextBatch, rules: Iterable[Rule]) -> None:
    """Measure in one walk all that these rules take from the English view; results are kept on the batch."""
    families: set[Family] = set()
    c4: C4 | None = None
    for rule in rules:
        if isinstance(rule, DatatroveView):
            families.add(rule.family)
        if isinstance(rule, C4):
            c4 = rule
    if len(families) < 2:
        return  # nothing to share
    from tamis.text import en

    en.en_view(batch, families=tuple(sorted(families)), c4=c4.options() if c4 else en.DATATROVE_C4)


def variants(rule: AnyRule) -> tuple[Rule, ...]:
    """Return the rule in each dialect it may be judged by."""
    return rule.rules if isinstance(rule, Auto) else (rule,)


def column_names(rules: Iterable[AnyRule]) -> tuple[str, ...]:
    """Return ``<name@dialect>.<signal>`` of all rules in order, each once."""
    names = [f"{full_name(one)}.{signal}" for rule in rules for one in variants(rule) for signal in one.signal_names()]
    return tuple(dict.fromkeys(names))


def signals_of(batch: TextBatch, rules: Sequence[AnyRule]) -> dict[str, NDArray[np.float64]]:
    """Measure all rules on every row and drop nothing: ``<name@dialect>.<signal>`` to float64 of shape (n,).

    NaN where there is nothing to measure, and in rows that another dialect of the rule judges. A rule that edits texts
    edits none here: rules after it see the text as given.
    """
    out = {name: np.full(len(batch), np.nan) for name in column_names(rules)}
    for dialect, rows in by_dialect(batch, rules):
        chosen = [resolve(rule, dialect) for rule in rules]
        part = take(batch, rows)
        prepare(part, chosen)
        for rule in chosen:
            for name, values in rule.signals(part).items():
                out[f"{full_name(rule)}.{name}"][rows] = values
    return out


def measured(rule: Rule, batch: TextBatch, alive: NDArray[np.bool_]) -> Signals:
    """Return the signals of the rows still alive; a rule that is ``heavy`` leaves NaN in the others."""
    rows = np.flatnonzero(alive)
    if not getattr(rule, "heavy", False) or len(rows) == len(alive):
        return rule.signals(batch)
    out = {}
    for name, values in rule.signals(take(batch, rows)).items():
        out[name] = np.full(len(alive), np.nan)
        out[name][rows] = values
    return out
