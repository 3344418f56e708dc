"""docs/rules.md, docs/dedup.md and docs/readers.md against the tables of the code they describe."""

import dataclasses
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from tamis.cli.root import root
from tamis.curate.dedup import ExactDedup, MinhashDedup, UrlDedup, exact, url
from tamis.curate.extract import EXTRACTORS, FAILURES
from tamis.curate.ingest import MAX_LISTED_FAILURES, Ingest
from tamis.curate.language import LanguageStage
from tamis.curate.readers import READERS, http, lines, opening, plan_sources, reasons, records, rows, single
from tamis.curate.recipe import read_stages
from tamis.curate.rules import RULES, CallableRule, Rule, dialect
from tamis.recipe import parse
from tamis.stage import Page, Slice
from tamis.text import spacy_tables, zh, zh_c4
from tamis.text.shingles import TABLE_OF
from tests.conftest import ROOT

PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("rules", "dedup", "readers")}
ABSENT = "–"
DEDUP_STAGES = {stage.kind: stage for stage in (UrlDedup, ExactDedup, MinhashDedup)}
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Table:
    """One table of a page."""

    section: str
    header: list[str]
    rows: list[dict[str, str]]

    def column(self, name: str) -> list[str]:
        return [row[name] for row in self.rows]


def tables_of(page: str) -> list[Table]:
    section, found, table = "", [], None
    for line in BLOCK.sub("", PAGES[page]).splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ")
        if not line.startswith("|"):
            table = None
            continue
        cells = [cell.strip() for cell in line[1:].rstrip().removesuffix("|").split("|")]
        if table is None:
            table = Table(section, [cell.strip("`") for cell in cells], [])
            found.append(table)
        elif set(line) - set("|- "):
            assert len(cells) == len(table.header), f"{page}.md: {line}"
            table.rows.append({name: cell.strip("`") for name, cell in zip(table.header, cells, strict=True)})
    return found


def table(page: str, section: str, *columns: str) -> Table:
    """The one table of a section that begins with these columns."""
    fitting = [one for one in tables_of(page) if one.section == section and one.header[: len(columns)] == list(columns)]
    assert len(fitting) == 1, f"{page}.md, {section}: {len(fitting)} tables with {columns}"
    return fitting[0]


def value(cell: str) -> Any:
    """What a default in a table stands for."""
    fixed = {"none": None, "any": (), "true": True, "false": False}
    if cell in fixed:
        return fixed[cell]
    try:
        return float(cell.replace(",", ""))
    except ValueError:
        return cell


def fields_of(cls: Any) -> dict[str, Any]:
    return {item.name: item.default for item in dataclasses.fields(cls)}


def documented(one: Table, column: str) -> dict[str, Any]:
    return {row["key"]: value(row[column]) for row in one.rows if row["key"] and row[column] != ABSENT}


def filled(cls: type[Rule]) -> Rule:
    """The rule with every bound switched on."""
    values = {name: default for name, default in fields_of(cls).items() if default is not dataclasses.MISSING}
    values |= {name: 1 for name, default in values.items() if default is None}
    values |= {name: ("en",) for name, default in values.items() if default == ()}
    return cls(**values)


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_its_keys_defaults_and_reasons_in_order(name: str) -> None:
    family, _, kind = name.partition("@")
    column = f"@{kind}" if kind else "default"
    listed = table("rules", family, "key", "reason")
    cls, rule = RULES[name], filled(RULES[name])
    assert documented(listed, column) == fields_of(cls)
    mine = [row for row in listed.rows if row[column] != ABSENT]
    assert [row["reason"] for row in mine if row["reason"]] == [bound.reason for bound in rule.thresholds]
    sides = {bound.reason: bound for bound in rule.thresholds}
    for row in mine:
        key, reason = row["key"], row["reason"]
        if key.startswith(("min_", "max_")) and reason:
            without = dataclasses.replace(rule, **{key: None})  # type: ignore[type-var]
            assert set(sides) - {bound.reason for bound in without.thresholds} == {reason}
            assert (sides[reason].minimum if key.startswith("min_") else sides[reason].maximum) is not None


def test_own_rules_are_documented_alike() -> None:
    listed = table("rules", "Your own rule", "key", "reason")
    fields = fields_of(CallableRule)
    assert documented(listed, "default") == {key: fields[key] for key in ("minimum", "maximum")}
    found = {bound.reason for bound in CallableRule("math:sqrt").thresholds}
    assert set(listed.column("reason")) == found
    assert "`empty`" in PAGES["rules"]


def test_sections_of_rules_come_in_the_order_of_the_table() -> None:
    families = list(dict.fromkeys(name.partition("@")[0] for name in RULES))
    assert [section for section in re.findall(r"^## (\S+)$", PAGES["rules"], re.M) if section in families] == families


def test_definitions_of_the_dialects_are_those_of_the_code() -> None:
    page = PAGES["rules"].replace("\n", " ")
    shares = table("rules", "Which dialect judges a document", "share of Han and kana among the letters")
    assert re.findall(r"0\.\d+", " ".join(shares.column(shares.header[0]))) == [
        str(share) for share in (dialect.HAN_SHARE, dialect.HAN_TRACE, dialect.HAN_SHARE, dialect.HAN_TRACE)
    ]
    for wanted in (zh.STOP_CHARACTERS, zh.STOP_TRADITIONAL, zh.STOP_KANA, zh.TERMINAL_MARKS):
        assert wanted in page
    assert set(zh.BULLETS) == set("•-") | set("·●■◆")
    assert "`·●■◆`" in page
    assert f"(`@zh` {zh.SHORT_LINE})" in page
    assert f"*{' '.join(spacy_tables.lists().stop_words)}*" in page
    assert f"*{', '.join(zh_c4.POLICY)}*" in page
    for mark in ("[编辑]", "[来源请求]", "[edit]", "[citation needed]", "[12]"):
        assert mark in page
        assert zh_c4.CITATION.fullmatch(mark)
    for phrase in zh_c4.POLICY_ZH[::2]:
        assert phrase in page
    assert set(re.findall(r"`c4\.(\w+)`", page)) <= {*zh_c4.C4}


def test_signals_named_are_signals() -> None:
    named = re.findall(r"`signal\.([a-z0-9@-]+)\.([a-z_]+)`", PAGES["rules"])
    assert named
    for name, signal in named:
        assert signal in filled(RULES[name]).signal_names()


@pytest.mark.parametrize(
    ("page", "section", "cls"),
    [
        ("rules", "language", LanguageStage),
        ("readers", "Extraction", Ingest),
        ("dedup", "URL", DEDUP_STAGES["url"]),
        ("dedup", "Exact text", DEDUP_STAGES["exact"]),
        ("dedup", "MinHash", DEDUP_STAGES["minhash"]),
    ],
)
def test_stage_fields_and_defaults(page: str, section: str, cls: Any) -> None:
    assert documented(table(page, section, "key", "default"), "default") == fields_of(cls)


ALIKE = [
    {"id": "a", "text": "The same words stand here, one after the other.", "url": "https://example.com/a"},
    {"id": "b", "text": "The same words stand here, one after the other.", "url": "https://example.com/a#top"},
]


@pytest.mark.parametrize("by", DEDUP_STAGES)
def test_dedup_stages_their_reasons_and_counts(by: str, tmp_path: Path) -> None:
    from tests.curate.dedup.conftest import apply, shards_of

    listed = {row["by"]: row for row in table("dedup", "Deduplication", "by", "equal are").rows}
    assert list(listed) == list(DEDUP_STAGES)
    done = apply(DEDUP_STAGES[by](), shards_of(ALIKE, 1), tmp_path)
    assert {row["reason"] for row in done.rows} == {listed[by]["reason"]}
    assert {row["value"] for row in done.rows} == {1.0}
    for name in done.notes:
        assert f"`{name}`" in PAGES["dedup"]
    assert '`{"keeper": "<id>"}`' in PAGES["dedup"]


def test_addresses_are_normalised_as_the_table_says() -> None:
    for row in table("dedup", "URL", "given", "compared as").rows:
        plain, bare = row["compared as"], row["with `drop_tracking"]
        assert url.normalise(row["given"]) == plain
        assert url.normalise(row["given"], drop_tracking=True) == (plain if bare == "the same" else bare)
    for name in url.TRACKING:
        assert f"`{name}`" in PAGES["dedup"]
    for scheme, port in url.DEFAULT_PORTS.items():
        assert f"{scheme} {port[1:]}" in PAGES["dedup"]


def test_exact_text_is_what_the_page_says() -> None:
    assert exact.normalise("\u3000e\u0301\xa0\n\t a ") == "é a"
    assert exact.normalise("Ａ") != exact.normalise("A") != exact.normalise("a") != exact.normalise("a.")


def test_chances_of_bands() -> None:
    listed = table("dedup", "MinHash", "bands × rows")
    assert len(listed.rows) == 2
    for row in listed.rows:
        bands, rows_ = map(int, row["bands × rows"].split(" × "))
        for similarity in listed.header[1:]:
            assert row[similarity] == f"{1 - (1 - float(similarity) ** rows_) ** bands:.4f}"
    stage = MinhashDedup()
    assert listed.rows[0]["bands × rows"] == "{} × {}".format(*stage.banding)
    assert table("dedup", "MinHash", "kind", "tokens").column("kind") == [f"{kind}:N" for kind in TABLE_OF]


def test_readers_stand_in_the_order_in_which_they_are_asked() -> None:
    assert table("readers", "Formats", "kind").column("kind") == list(READERS)
    text = PAGES["readers"]
    for word in (*opening.MAGIC, *rows.TEXT_FIELDS, *rows.OWN_COLUMNS, *single.TEXT_NAMES, *EXTRACTORS):
        assert f"`{word}`" in text, word
    for coding in set(http.CODINGS) - {"x-gzip"}:
        assert re.search(rf"\b{coding}\b", text), coding
    assert f"{records.MAX_BODY >> 20} MiB" in text
    assert f"{lines.LONGEST >> 20} MiB" in text
    assert f"up to {MAX_LISTED_FAILURES} of each file" in text


def test_every_reason_of_readers_and_extraction() -> None:
    dropped, failed = (one.column("reason") for one in tables_of("readers") if one.header == ["reason", "meaning"])
    assert dropped == [*reasons.DROPPED, "no_text"]
    assert failed == [*reasons.FAILED, *FAILURES]


def test_meta_keys_are_documented(fixtures: Path) -> None:
    keys = set(table("readers", "Columns and meta", "key", "from", "meaning").column("key"))
    files, _ = plan_sources([str(fixtures / "crawl")])
    found: set[str] = set()
    for file in files:
        if file.kind in ("warc", "arc", "html", "text"):
            read = READERS[file.kind].read(Slice(file, 0, file.size))
            found |= {key for page in read if isinstance(page, Page) for key in page.meta}
    assert found >= {"record_id", "truncated"}
    assert found <= keys


def commands(page: str) -> list[list[str]]:
    found = []
    for kind, block in BLOCK.findall(PAGES[page]):
        if kind == "sh":
            found += [shlex.split(line, comments=True) for line in block.replace("\\\n", " ").splitlines() if line]
    return found


ALL_COMMANDS = [(page, words) for page in PAGES for words in commands(page)]


@pytest.mark.parametrize(("page", "words"), ALL_COMMANDS, ids=[" ".join(words) for _, words in ALL_COMMANDS])
def test_commands_parse(page: str, words: Sequence[str]) -> None:
    assert words[0] == "tamis"
    command: click.Command = root
    rest = list(words[1:])
    while isinstance(command, click.Group):
        with click.Context(command) as context:
            found = command.get_command(context, rest[0])
        assert found is not None, words
        command, rest = found, rest[1:]
    command.make_context("tamis", rest, resilient_parsing=False)


@pytest.mark.parametrize("page", PAGES)
def test_commands_run(page: str, tmp_path: Path) -> None:
    """In the order of the page, with its Python block as ``mine.py``; those that need a fetched model are left out."""
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    for kind, block in BLOCK.findall(PAGES[page]):
        if kind == "python":
            (tmp_path / "mine.py").write_text(block, encoding="utf-8")
    skipped = 0
    for words in commands(page):
        if "models" in words or "--language" in words or any("out/tagged" in word for word in words):
            skipped += 1
            continue
        call = [sys.executable, "-m", *words]
        done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr}"
    assert skipped == (3 if page == "rules" else 0)
    if page == "rules":
        assert _reasons(tmp_path / "out" / "mine") == {"rejected", "cookie_notice"}


def _reasons(folder: Path) -> set[str]:
    import pyarrow.parquet as pq

    parts = (folder / "dropped").glob("*.parquet")
    rows = [row for part in parts for row in pq.read_table(part, columns=["rule", "reason"]).to_pylist()]
    return {row["reason"] for row in rows if row["rule"]}


def test_recipes_are_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [block for page in PAGES for kind, block in BLOCK.findall(PAGES[page]) if kind == "yaml"]
    assert len(blocks) == len(PAGES)
    (tmp_path / "mine.py").write_text("def no_notice(text):\n    return True\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for block in blocks:
        assert list(yaml.safe_load(block)) == ["stages"]
        read_stages(parse(block, "docs").value["stages"].value)


def test_links_lead_somewhere() -> None:
    for text in PAGES.values():
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / "docs" / target).exists(), target
        for target in re.findall(r"`(tests/\S+\.py)`", text):
            assert (ROOT / target).exists(), target
