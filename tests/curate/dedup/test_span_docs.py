"""docs/dedup-spans.md against the stages it describes, and the options of the command against their fields."""

import dataclasses
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from tamis.cli.spans import OPTIONS, SPAN_KINDS
from tamis.curate.dedup import LineDedup, ParagraphDedup, SentenceDedup, SubstringDedup
from tamis.curate.dedup.cover import Verdicts
from tamis.curate.recipe import DEDUP, read_stages
from tamis.recipe import parse
from tests.conftest import ROOT

from .span_oracle import result_of, row, shards

PAGE = (ROOT / "docs" / "dedup-spans.md").read_text(encoding="utf-8")
STAGES: dict[str, Any] = {stage.kind: stage for stage in (LineDedup, ParagraphDedup, SentenceDedup, SubstringDedup)}
SECTIONS = {"line": "Lines and paragraphs", "paragraph": "Lines and paragraphs", "sentence": "Sentences"}


def tables(section: str) -> list[list[list[str]]]:
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0] if section else PAGE
    found: list[list[list[str]]] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("|"):
            if not inside:
                found.append([])
            found[-1].append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
        inside = line.startswith("|")
    return [table[2:] for table in found]


@pytest.mark.parametrize("by", STAGES)
def test_keys_and_defaults(by: str) -> None:
    listed = {cells[0]: cells[1] for cells in tables(SECTIONS.get(by, "Substrings"))[0]}
    assert listed == {field.name: str(field.default) for field in dataclasses.fields(STAGES[by])}


def test_every_kind_and_reason_is_listed() -> None:
    rows = {cells[0]: cells[3] for cells in tables("")[0]}
    assert list(rows) == list(STAGES) == list(SPAN_KINDS)
    assert set(SPAN_KINDS) <= set(DEDUP)
    for by, reason in rows.items():
        assert reason == f"repeated_{by}s"
    for reason, _ in Verdicts("repeated_lines").rules[1:]:
        assert f"`{reason}`" in PAGE


def test_seams_of_the_table(tmp_path: Path) -> None:
    for number, (before, after) in enumerate(tables("What is cut")[0]):
        text = before.replace("\\n", "\n")
        rows = [row("long", "X\n" + "a line that is the longest by far"), row("it", text)]
        found = result_of(LineDedup(), shards(rows, 1), tmp_path / str(number))
        assert found.texts["it"] == after.replace("\\n", "\n")


def test_the_recipe_of_the_page_is_one() -> None:
    block = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
    assert len(yaml.safe_load(block)["stages"]) == 5
    _, stages = read_stages(parse(block, "page").value["stages"].value)
    assert [stage.kind for stage in stages] == ["line", "line", "paragraph", "sentence", "substring"]


def test_the_commands_of_the_page_parse() -> None:
    from tamis.cli.curate import dedup

    lines = re.findall(r"^tamis curate dedup (.*)$", PAGE, re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        dedup.make_context("dedup", shlex.split(line))


def test_options_are_the_fields_of_the_stages_and_show_their_defaults() -> None:
    from tamis.cli.curate import dedup

    options = {parameter.name: parameter for parameter in dedup.params}
    fields = {field.name: field.default for stage in STAGES.values() for field in dataclasses.fields(stage)}
    assert set(OPTIONS) == set(fields) - {"threshold", "keeper"}
    for name in OPTIONS:
        assert options[name].show_default == str(fields[name])  # type: ignore[attr-defined]
    assert "--sentences" in CliRunner().invoke(dedup, ["--help"]).output
