"""Tests that replace process: sizes, layers, lazy imports, tables that must not drift."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tamis
from tests.conftest import ROOT

SOURCES = sorted((ROOT / "tamis").rglob("*.py"))
MAX_MODULE = 300
MAX_FUNCTION = 50
LONG_MODULES: dict[str, str] = {}
"""Modules over the limit, each with its reason."""


def test_the_package_was_found() -> None:
    assert len(SOURCES) > 40


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    name = path.relative_to(ROOT).as_posix()
    if len(lines) > MAX_MODULE:
        assert name in LONG_MODULES, f"{name} has {len(lines)} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            head = "\n".join(lines[node.lineno - 1 : node.body[0].lineno])
            size = node.end_lineno - node.lineno + 1
            assert size <= MAX_FUNCTION or "# long: " in head, f"{name}:{node.lineno} {node.name} has {size} lines"


HEAVY = [
    "numpy",
    "pyarrow",
    "numba",
    "pandas",
    "torch",
    "fasttext",
    "fastwarc",
    "resiliparse",
    "trafilatura",
    "yaml",
    "rich",
]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["curate", "--help"], ["models", "--help"], ["curate", "run", "--help"]]
)
def test_help_imports_no_heavy_module(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom tamis.__main__ import main\n"
        f"code = main({arguments!r})\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], code, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr.strip() == "[] 0"
    assert "Usage: tamis" in done.stdout


def test_all_names_what_is_public() -> None:
    assert all(hasattr(tamis, name) for name in tamis.__all__)
    assert tamis.__version__.count(".") == 2


def defined_in(folder: str, attribute: str) -> set[str]:
    """Classes in the modules of a folder that carry a class attribute of this name: the units of one table."""
    found = set()
    for path in sorted((ROOT / "tamis" / folder).rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                names = {
                    t.id
                    for s in node.body
                    if isinstance(s, ast.AnnAssign)
                    for t in [s.target]
                    if isinstance(t, ast.Name)
                }
                names |= {
                    t.id for s in node.body if isinstance(s, ast.Assign) for t in s.targets if isinstance(t, ast.Name)
                }
                if attribute in names:
                    found.add(node.name)
    return found


def test_every_rule_stands_in_its_table() -> None:
    from tamis.curate.rules import RULES, CallableRule

    listed = {cls.__name__ for cls in RULES.values()} | {CallableRule.__name__, "Rule"}
    assert defined_in("curate/rules", "dialect") & defined_in("curate/rules", "name") <= listed


def test_every_reader_stands_in_its_table() -> None:
    from tamis.curate.readers import READERS

    listed = {type(reader).__name__ for reader in READERS.values()}
    assert len(listed) == len(READERS)
    assert defined_in("curate/readers", "kind") - {"Record", "Head"} <= listed


def test_every_stage_stands_in_its_table() -> None:
    from tamis.curate.recipe import DEDUP, STAGES

    listed = {target.split(":")[1] for target in (*STAGES.values(), *DEDUP.values())}
    assert defined_in("curate/dedup", "kind") <= listed
    made = {"FilterStage", "LanguageStage"}
    assert made <= listed
