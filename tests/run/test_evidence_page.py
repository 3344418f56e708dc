"""docs/evidence.md against the code it describes."""

import re

import pytest

from tamis.cli.curate import dedup
from tamis.cli.inspect import explain
from tamis.curate.dedup import near
from tamis.document import EVIDENCE_SCHEMA
from tamis.run import difference, report
from tamis.run.explain import MOST_HUNKS
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")


def test_the_columns_are_those_of_the_schema() -> None:
    table = PAGE.split("| column | holds |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == EVIDENCE_SCHEMA.names


@pytest.mark.parametrize(
    "said",
    [
        f"{difference.BUDGET // 10**6} million looks",
        f"{difference.LIMIT:,} characters",
        f"({MOST_HUNKS:,} at most)",
        f"with probability {near.RECALL} ({' × '.join(map(str, near.audit_bands(0.8, 128)))} at\n0.8)",
        f"the {near.NEIGHBOURS} that follow",
        f"the {near.CANDIDATES:,} that agree most",
        f"{near.EXACT:,} that agree most",
        f"{near.RANGE_KEYS // 10**6} million\nband keys",
        f"({4 * 128 + 8 * near.audit_bands(0.8, 128)[0]} at the defaults)",
        f"fewer than {report.MIN_ALARM_DOCUMENTS} documents",
    ],
)
def test_numbers_are_those_of_the_code(said: str) -> None:
    assert " ".join(said.split()) in " ".join(PAGE.split())


def test_options_exist() -> None:
    known = {name for command in (dedup, explain) for parameter in command.params for name in parameter.opts}
    assert set(re.findall(r"--[a-z][a-z-]+", PAGE)) <= known
