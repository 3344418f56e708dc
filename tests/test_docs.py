"""Docs that cannot rot: every command has help, stands in README, and README's commands parse and run."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tamis.cli.root import LazyGroup, root
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, LazyGroup):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None
                yield from walk(found, (*path, name))


COMMANDS = dict(walk(root))
LEAVES = {path: command for path, command in COMMANDS.items() if not isinstance(command, click.Group)}


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_help_an_example_and_a_place_in_readme(path: tuple[str, ...]) -> None:
    command = LEAVES[path]
    assert command.help
    assert f"Example: tamis {' '.join(path)}" in " ".join(command.help.split())
    assert f"tamis {' '.join(path)}" in README
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.name} has no help"


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_the_one_line_help_of_a_group_is_that_of_the_command(path: tuple[str, ...]) -> None:
    group = COMMANDS[path[:-1]]
    assert isinstance(group, LazyGroup)
    listed = group.lazy[path[-1]][1]
    first = LEAVES[path].help or ""
    words = set(re.findall(r"\w+", listed.lower())) & set(re.findall(r"\w+", first.split("\n\n")[0].lower()))
    assert len(words) >= 3, f"{listed!r} and {first.splitlines()[0]!r} say different things"


def written_commands() -> list[str]:
    found = []
    for block in re.findall(r"```(?:sh|bash|console)\n(.*?)```", README, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.removeprefix("$ ").split(" #")[0].strip()
            if line.startswith("tamis "):
                found.append(line)
    return found


def test_readme_shows_commands() -> None:
    assert len(written_commands()) >= len(LEAVES)
    assert "make demo" in README
    assert "make test" in README


@pytest.mark.parametrize("line", written_commands())
def test_commands_in_readme_parse(line: str) -> None:
    """Every option README names exists, with a value it takes."""
    words = shlex.split(line)[1:]
    command: click.Command = root
    while isinstance(command, click.Group):
        with click.Context(command) as context:
            found = command.get_command(context, words[0])
        assert found is not None, line
        command, words = found, words[1:]
    words = [word for word in words if word != ">" and not word.startswith("2>")]
    command.make_context("tamis", words, resilient_parsing=False)


def test_readme_commands_run_on_fixtures(tmp_path: Path) -> None:
    """The ones that work on fixtures/ alone do work, in the order README gives them."""
    for line in written_commands():
        if "fixtures/" not in line or "run fixtures/recipes" in line:
            continue
        words = [sys.executable, "-m", *shlex.split(line)]
        place = {"-o": 1, "--html": 1}
        for number, word in enumerate(words):
            if words[number - 1] in place:
                words[number] = str(tmp_path / word.replace("/", "_"))
        done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 0, f"{line}: {done.stderr}"


DEFAULTS = [
    (("curate", "ingest"), "tamis.curate.ingest:Ingest", ()),
    (("curate", "dedup"), "tamis.curate.dedup:MinhashDedup", ("keeper", "verify", "by")),
]


@pytest.mark.parametrize(("path", "target", "without"), DEFAULTS, ids=[" ".join(d[0]) for d in DEFAULTS])
def test_defaults_shown_in_help_are_those_of_the_stage(
    path: tuple[str, ...], target: str, without: tuple[str, ...]
) -> None:
    import dataclasses
    import importlib

    module, name = target.split(":")
    fields = {f.name: f.default for f in dataclasses.fields(getattr(importlib.import_module(module), name)) if f.init}
    options = {p.name: p for p in LEAVES[path].params if isinstance(p, click.Option)}
    for key, default in fields.items():
        if key in without:
            continue
        assert key in options, f"stage key {key} is no option"
        assert options[key].default is None
        if default is not None:  # else the help says in words what is done
            assert options[key].show_default == str(default), key


def test_exit_codes_are_documented() -> None:
    assert root.help
    for code in ("0 ", "1 ", "2 ", "3 "):
        assert code in root.help


def test_changelog_has_an_unreleased_section() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"## Unreleased\n\n- \S", text)
