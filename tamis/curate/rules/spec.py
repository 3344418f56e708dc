"""Rule names that parse: ``name[@dialect][(key=value,…)]``, the YAML mapping form, and the rules they stand for."""

from __future__ import annotations

import dataclasses
import math
import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tamis.curate.rules.function import CallableRule
from tamis.curate.rules.rule import Rule, printable, written
from tamis.errors import RecipeError
from tamis.recipe import Located, convert, unknown

_SPEC: Final = re.compile(r"(?P<name>[^@()]+)(?:@(?P<dialect>[^@()]+))?(?:\((?P<settings>.*)\))?", re.DOTALL)


@dataclass(frozen=True)
class Auto:
    """The dialects of one rule; each document is judged by the one that fits its language (``dialect.dialects``)."""

    name: str
    rules: tuple[Rule, ...]
    settings: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        """Return the printable name."""
        return self.name + written(dict(self.settings))


AnyRule = Rule | Auto


def spec_of(rule: AnyRule) -> str:
    """Return the printable name of a rule, which parses back to it."""
    return str(rule) if isinstance(rule, Auto) else printable(rule)


def resolve(rule: AnyRule, dialect: str) -> Rule:
    """Return the rule that judges documents of a dialect."""
    if not isinstance(rule, Auto):
        return rule
    return next(one for one in rule.rules if one.dialect == dialect)


def split_rules(text: str) -> list[str]:
    """Split ``a,b(c=1,d=2)`` at the commas outside parentheses."""
    parts = re.findall(r"(?:[^,()]|\([^()]*\)?|\))+", text)
    return [part.strip() for part in parts if part.strip()]


def parse_rules(given: str | Iterable[str | Mapping[str, Any]], known: Mapping[str, type[Rule]]) -> tuple[AnyRule, ...]:
    """Return the rules named by a comma list, or by a list of names and ``{name: {key: value}}`` mappings.

    Raises RecipeError that reports all that is wrong with all of them together.
    """
    items = split_rules(given) if isinstance(given, str) else list(given)
    rules: list[AnyRule] = []
    problems: list[str] = []
    for item in items:
        for name, settings in _entries(item):
            try:
                rules.append(_rule(name, settings, known))
            except RecipeError as error:
                problems.append(str(error))
    if problems:
        raise RecipeError("; ".join(dict.fromkeys(problems)))
    names = [spec_of(rule) for rule in rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RecipeError(f"rule {', '.join(twice)} is given twice; leave one")
    return tuple(rules)


def _entries(item: object) -> list[tuple[str, object]]:
    """Return names with their settings from one list item."""
    if isinstance(item, str):
        return [(item, None)]
    if isinstance(item, Mapping):
        return [(str(name), {} if value is None else value) for name, value in item.items()]
    return [(str(item), None)]


def _rule(text: str, given: object, known: Mapping[str, type[Rule]]) -> AnyRule:
    """Make the rule with this name; ``given`` is the mapping of the YAML form, or None."""
    found = _SPEC.fullmatch(text.strip())
    if not found:
        raise RecipeError(f"cannot read rule {text!r}; write it as name, name@dialect or name(key=value,…)")
    name, dialect = found["name"].strip(), (found["dialect"] or "").strip()
    where = f"rule {text.strip()!r}"
    values = _written_settings(found["settings"] or "", where)
    if given is not None:
        if not isinstance(given, Mapping):
            raise RecipeError(f"{where}: expected a mapping of keys to values, found {given!r}")
        values |= {str(key): value for key, value in given.items()}
    if ":" in name:
        if dialect:
            raise RecipeError(f"{where}: a function of your own has no dialect")
        return _make(CallableRule, values, where, {"function": name})
    return _known_rule(name, dialect, values, known, where)


def _known_rule(
    name: str, dialect: str, values: dict[str, object], known: Mapping[str, type[Rule]], where: str
) -> AnyRule:
    """Find the rule in the table; without a dialect, all its dialects."""
    family = {key.partition("@")[2]: cls for key, cls in known.items() if key.partition("@")[0] == name}
    if not family:
        raise RecipeError(unknown("rule", name, {key.partition("@")[0] for key in known}))
    if dialect and dialect != "auto":
        if dialect not in family:
            raise RecipeError(unknown(f"dialect of rule {name!r}", dialect, {key for key in family if key} | {"auto"}))
        return _make(family[dialect], values, where)
    if list(family) == [""]:
        if dialect:
            raise RecipeError(f"{where}: rule {name!r} has no dialects")
        return _make(family[""], values, where)
    fields = {one: {item.name for item in dataclasses.fields(cls)} for one, cls in family.items()}  # type: ignore[arg-type]
    for key in values:
        if not any(key in names for names in fields.values()):
            raise RecipeError(f"{where}: {unknown('key', key, set().union(*fields.values()))}")
    parts = tuple(
        _make(cls, {key: value for key, value in values.items() if key in fields[one]}, f"{where} (dialect {one})")
        for one, cls in family.items()
    )
    merged: dict[str, Any] = {}
    for key in values:
        merged[key] = next(getattr(part, key) for part in parts if key in fields[part.dialect])
    return Auto(name, parts, tuple(merged.items()))


def _make(cls: type[Rule], values: Mapping[str, object], where: str, fixed: Mapping[str, object] | None = None) -> Rule:
    """Make the frozen dataclass from its settings, each checked against the type of its field."""
    fields = [item.name for item in dataclasses.fields(cls)]  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    ready: dict[str, Any] = dict(fixed or {})
    for key, value in values.items():
        if key not in fields or key in ready:
            raise RecipeError(f"{where}: {unknown('key', key, set(fields) - set(fixed or ()))}")
        ready[key] = _value(value, hints[key], key, where)
    try:
        rule = cls(**ready)
    except ValueError as error:
        raise RecipeError(f"{where}: {error}") from None
    for key in ready:
        least, most = (getattr(rule, side + key[4:], None) for side in ("min_", "max_"))
        if key[:4] in ("min_", "max_") and least is not None and most is not None and least > most:
            raise RecipeError(f"{where}: min_{key[4:]} is above max_{key[4:]} ({least} > {most})")
    return rule


def _value(value: object, hint: Any, key: str, where: str) -> Any:
    """Return a setting as the type of its field; text from a rule name and values from YAML alike."""
    if isinstance(value, _Written):
        value = value.split("+") if typing.get_origin(hint) is tuple else _scalar(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise RecipeError(f"{where}: {key}: expected a finite number, found {value}")
    if isinstance(value, (list, tuple)):
        value = [Located(item, where) for item in value]
    return convert(Located(value, where), hint, key)


class _Written(str):
    """A value as it stands in a rule name, not yet read."""

    __slots__ = ()


def _written_settings(text: str, where: str) -> dict[str, object]:
    """Read ``key=value,…``."""
    values: dict[str, object] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign or not key or not value:
            raise RecipeError(f"{where}: expected key=value, found {part!r}")
        if key in values:
            raise RecipeError(f"{where}: key {key!r} appears twice")
        values[key] = _Written(value)
    return values


def _scalar(text: str) -> object:
    """Read a number, true, false or none; anything else is a word."""
    fixed = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in fixed:
        return fixed[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return str(text)
