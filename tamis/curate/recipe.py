"""The recipe of ``tamis curate run``: sources and stages in YAML."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from tamis.curate.ingest import Ingest
from tamis.curate.plan import Plan, Stage, plan_files
from tamis.errors import RecipeError
from tamis.recipe import Located, build, load, unknown
from tamis.run.corpus import is_corpus, open_corpus

STAGES: Final[Mapping[str, str]] = {
    "language": "tamis.curate.language:LanguageStage",
    "filter": "tamis.curate.filter:FilterStage",
}
"""Stages by their recipe key, beside ``dedup``."""

DEDUP: Final[Mapping[str, str]] = {
    "url": "tamis.curate.dedup:UrlDedup",
    "exact": "tamis.curate.dedup:ExactDedup",
    "minhash": "tamis.curate.dedup:MinhashDedup",
    "line": "tamis.curate.dedup:LineDedup",
    "paragraph": "tamis.curate.dedup:ParagraphDedup",
    "sentence": "tamis.curate.dedup:SentenceDedup",
    "substring": "tamis.curate.dedup:SubstringDedup",
}
"""What ``dedup`` can go ``by``."""


@dataclass(frozen=True, slots=True)
class CurateRecipe:
    """The keys of a recipe; relative sources start from the folder of the recipe file."""

    sources: tuple[str, ...]
    stages: tuple[Any, ...] = ()
    format: Literal["parquet", "jsonl", "jsonl.gz", "jsonl.zst"] = "parquet"
    max_source_loss: float = 0.99
    version: Literal[1] = 1


def stage_class(kind: str, by: str | None = None) -> type[Stage]:
    """Return the class of a stage; ``by`` chooses among those of ``dedup``. Raises RecipeError."""
    if kind == "dedup":
        if by is None or by not in DEDUP:
            raise RecipeError(unknown("value of dedup: by", str(by), DEDUP))
        target = DEDUP[by]
    elif kind in STAGES:
        target = STAGES[kind]
    else:
        raise RecipeError(unknown("stage", kind, [*STAGES, "dedup", "ingest"]))
    module, name = target.split(":")
    return cast("type[Stage]", getattr(importlib.import_module(module), name))


def read_recipe(path: str) -> Plan:
    """Read a recipe file and find its sources. Raises RecipeError, InputError."""
    given = load(path)
    recipe = build(CurateRecipe, given, "recipe")
    listed = given.value["stages"].value if "stages" in given.value else []
    options, stages = read_stages(listed)
    if not recipe.sources:
        raise RecipeError(f"{given.where}: sources is empty")
    base = Path(path).parent
    corpora = [source for source in recipe.sources if is_corpus(base / source)]
    if corpora:
        return _from_corpus(recipe, base, stages, given)
    files, rejected = plan_files(recipe.sources, base)
    return Plan(
        tuple(stages),
        tuple(files),
        tuple(rejected),
        ingest=options or Ingest(),
        form=recipe.format,
        max_source_loss=recipe.max_source_loss,
    )


def _from_corpus(recipe: CurateRecipe, base: Path, stages: Sequence[Stage], given: Located) -> Plan:
    """Return the plan of a recipe whose source is a corpus folder."""
    if len(recipe.sources) > 1:
        raise RecipeError(f"{given.value['sources'].where}: a corpus folder must be the only source")
    corpus = open_corpus(str(base / recipe.sources[0]))
    return Plan(tuple(stages), corpus=corpus, form=recipe.format, max_source_loss=recipe.max_source_loss)


def read_stages(listed: Sequence[Located]) -> tuple[Ingest | None, list[Stage]]:
    """Make stages from a recipe's list; a leading ``ingest`` gives the reading options. Reports every bad entry."""
    options: Ingest | None = None
    stages: list[Stage] = []
    problems: list[str] = []
    for number, item in enumerate(listed):
        where = item.where
        try:
            kind, settings = _entry(item)
            where = settings.where
            if kind == "ingest":
                if number:
                    raise RecipeError("ingest comes first or not at all")
                options = build(Ingest, settings, "stage ingest")
            else:
                stages.append(_stage(kind, settings))
        except RecipeError as error:
            message = str(error)
            problems.append(message if message.startswith(where.split(":")[0]) else f"{where}: {message}")
    if problems:
        raise RecipeError("\n".join(problems))
    return options, stages


def _entry(item: Located) -> tuple[str, Located]:
    """Return name and settings of one entry: a word, or a mapping of one word to its settings."""
    if isinstance(item.value, str):
        return item.value, Located({}, item.where)
    if isinstance(item.value, dict) and len(item.value) == 1:
        ((kind, settings),) = item.value.items()
        return kind, settings
    raise RecipeError(f"{item.where}: a stage is a name, or one name with its settings below it")


def _stage(kind: str, settings: Located) -> Stage:
    """Make one stage."""
    if kind != "dedup":
        return cast(Stage, build(cast(Any, stage_class(kind)), settings, f"stage {kind}"))
    values = dict(settings.value or {}) if isinstance(settings.value, dict) else {}
    by = values.pop("by", Located(None, settings.where))
    cls = stage_class(kind, by.value)
    return cast(Stage, build(cast(Any, cls), Located(values, settings.where), f"dedup by {by.value}"))
