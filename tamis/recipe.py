"""YAML into frozen dataclasses; every complaint says file:line:column, what was expected and the nearest known key."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from tamis.errors import InputError, RecipeError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Located:
    """A value from a recipe with the place it was read from; mappings and lists hold Located values."""

    value: Any
    where: str

    def plain(self) -> Any:
        """Return the value without places."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


def load(path: str | Path) -> Located:
    """Read a YAML file; raise InputError where it is unreadable and RecipeError where it is no YAML mapping."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read recipe {path}: {cause.lower()}") from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Located:
    """Read YAML text; ``name`` is what the messages call the file."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise RecipeError(f"{where}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"{name}: not valid YAML: {error}") from None
    if not isinstance(node, yaml.MappingNode):
        raise RecipeError(f"{name}:1:1: a recipe is a mapping of keys to values")
    return _located(node, name)


def _located(node: yaml.Node, name: str) -> Located:
    """Turn a YAML node into values that know their place."""
    where = f"{name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
    if isinstance(node, yaml.MappingNode):
        items: dict[str, Located] = {}
        for key, value in node.value:
            spot = f"{name}:{key.start_mark.line + 1}:{key.start_mark.column + 1}"
            if not isinstance(key, yaml.ScalarNode):
                raise RecipeError(f"{spot}: a key must be a word")
            if key.value in items:
                raise RecipeError(f"{spot}: key {key.value!r} appears twice")
            items[key.value] = dataclasses.replace(_located(value, name), where=spot)
        return Located(items, where)
    if isinstance(node, yaml.SequenceNode):
        return Located([_located(item, name) for item in node.value], where)
    loader = yaml.SafeLoader("")
    try:
        return Located(loader.construct_object(node), where)
    except (ValueError, yaml.YAMLError):
        raise RecipeError(f"{where}: cannot read the value {node.value!r}") from None


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that ``name`` is no known ``kind``, which one it may have meant, and what is known."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {name!r}{hint} (known: {', '.join(names)})"


def build(cls: type[T], given: Located, kind: str) -> T:
    """Make the frozen dataclass ``cls`` from a mapping: its fields are the keys, their types are checked.

    ``kind`` names the thing in messages ("stage filter"). Raises RecipeError.
    """
    if given.value is None:
        given = Located({}, given.where)
    if not isinstance(given.value, dict):
        raise RecipeError(f"{given.where}: {kind} takes a mapping of keys to values")
    fields = {item.name: item for item in dataclasses.fields(cls) if item.init}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    for key, value in given.value.items():
        if key not in fields:
            raise RecipeError(f"{value.where}: {unknown(f'key of {kind}', key, fields)}")
        values[key] = convert(value, hints[key], f"{kind}: {key}")
    needed = dataclasses.MISSING
    for name, item in fields.items():
        if name not in values and item.default is needed and item.default_factory is needed:
            raise RecipeError(f"{given.where}: {kind} needs the key {name!r}")
    try:
        return cls(**values)
    except RecipeError as error:
        message = str(error)
        raise RecipeError(message if message.startswith(given.where) else f"{given.where}: {message}") from None
    except ValueError as error:
        raise RecipeError(f"{given.where}: {kind}: {error}") from None


def convert(given: Located, hint: Any, what: str) -> Any:
    """Check a value against a type hint and return it plain; lists become tuples. Raises RecipeError."""
    value = given.value
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return given.plain()
    if origin in (typing.Union, types.UnionType):
        return _convert_union(given, args, what)
    if origin is Literal:
        if value in args:
            return value
        raise RecipeError(f"{given.where}: {what}: {unknown('value', str(value), map(str, args))}")
    if origin is tuple:
        if isinstance(value, str) and args[0] in (str, Any):  # one word where a list may stand
            return (value,)
        if not isinstance(value, list):
            raise _mismatch(given, what, "a list")
        return tuple(convert(item, args[0], what) for item in value)
    if origin in (dict, Mapping) or hint is dict:
        if not isinstance(value, dict):
            raise _mismatch(given, what, "a mapping")
        return given.plain()
    return _convert_scalar(given, hint, what)


def _convert_scalar(given: Located, hint: Any, what: str) -> Any:
    """Return a number, word or truth value; true is no number, 1 is a float."""
    value = given.value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    names = {int: "a whole number", float: "a number", str: "a word", bool: "true or false"}
    raise _mismatch(given, what, names.get(hint, str(hint)))


def _convert_union(given: Located, options: tuple[Any, ...], what: str) -> Any:
    """Return the value as the first of several types that takes it."""
    if given.value is None and type(None) in options:
        return None
    problem = RecipeError(f"{given.where}: {what}: not understood")
    for option in options:
        if option is type(None):
            continue
        try:
            return convert(given, option, what)
        except RecipeError as error:
            problem = error
    raise problem


def _mismatch(given: Located, what: str, expected: str) -> RecipeError:
    """Say what was expected and what was found."""
    return RecipeError(f"{given.where}: {what}: expected {expected}, found {given.plain()!r}")
