"""Rules: what is measured on a document, and the bounds that keep or drop it.

Adding a rule: one small file, one line in ``RULES``, its positive and negative fixtures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tamis.curate.rules.c4 import C4, C4Zh
from tamis.curate.rules.fineweb import FineWeb, FineWebZh
from tamis.curate.rules.function import CallableRule
from tamis.curate.rules.gopher_quality import GopherQuality, GopherQualityZh
from tamis.curate.rules.gopher_repetition import GopherRepetition, GopherRepetitionZh
from tamis.curate.rules.language import Language
from tamis.curate.rules.length import Length
from tamis.curate.rules.measure import by_dialect, signals_of
from tamis.curate.rules.rule import Rule, Signals, Threshold, full_name, printable
from tamis.curate.rules.spec import AnyRule, Auto, resolve, spec_of, split_rules
from tamis.curate.rules.spec import parse_rules as _parse_rules

RULES: Final[Mapping[str, type[Rule]]] = {
    "length": Length,
    "language": Language,
    "gopher-quality@datatrove": GopherQuality,
    "gopher-quality@zh": GopherQualityZh,
    "gopher-repetition@datatrove": GopherRepetition,
    "gopher-repetition@zh": GopherRepetitionZh,
    "c4@datatrove": C4,
    "c4@zh": C4Zh,
    "fineweb@datatrove": FineWeb,
    "fineweb@zh": FineWebZh,
}
"""Every rule by its full name. A name without dialect stands for all of them; each document gets the one that fits."""


def parse_rules(given: str | Iterable[str | Mapping[str, Any]]) -> tuple[AnyRule, ...]:
    """Return the rules of a comma list, or of a list of names and ``{name: {key: value}}`` mappings.

    A name is ``name[@dialect][(key=value,…)]`` or ``module:function``. Raises RecipeError that names every bad one.
    """
    return _parse_rules(given, RULES)


__all__ = [
    "RULES",
    "AnyRule",
    "Auto",
    "CallableRule",
    "Rule",
    "Signals",
    "Threshold",
    "by_dialect",
    "full_name",
    "parse_rules",
    "printable",
    "resolve",
    "signals_of",
    "spec_of",
    "split_rules",
]
