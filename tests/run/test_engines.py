"""Every command that runs stages, on every engine: the same bytes, whatever ran it and whoever died meanwhile."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil
import pytest

from tamis.__main__ import main
from tamis.errors import MissingModel
from tamis.models import model_path
from tests.conftest import ROOT

CRAWL = ROOT / "fixtures" / "crawl"
RECIPE = ROOT / "fixtures" / "recipes" / "crawl.yaml"

COMMANDS = {
    "ingest": ["ingest", str(CRAWL), "--shard-size", "20000"],
    "filter": ["filter", "CORPUS", "--rules", "length(min_words=5),gopher-quality,gopher-repetition,c4"],
    "url": ["dedup", "CORPUS", "--by", "url"],
    "exact": ["dedup", "CORPUS", "--by", "exact"],
    "minhash": ["dedup", "CORPUS", "--by", "minhash", "--threshold", "0.6"],
    "recipe": ["run", str(RECIPE)],
}

ENGINES = {
    "alone": ["--memory", "256MiB"],
    "two": ["--workers", "2"],
    "four": ["--workers", "4"],
    "ray": ["--engine", "ray"],
}

QUICK = {"alone": {"url", "minhash", "recipe"}, "two": {"ingest", "minhash"}, "four": {"recipe"}, "ray": set(COMMANDS)}
"""What every run of the tests looks at; the rest is marked slow."""

CASES = [
    pytest.param(command, engine, marks=[] if command in QUICK[engine] else [pytest.mark.slow])
    for command in COMMANDS
    for engine in ENGINES
    if not (engine == "alone" and command in ("ingest", "filter"))  # these take no --memory
]

PIPES: Final = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
Made = Callable[[str, list[str]], Path]


def contents(folder: Path) -> dict[str, bytes]:
    """What a run publishes, but for timing.json."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".work" not in path.parts and path.name != "timing.json"
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a function that runs a command of ``COMMANDS`` with more options, once for each combination."""
    folder = tmp_path_factory.mktemp("engines")
    done: set[Path] = set()

    def make(name: str, options: list[str]) -> Path:
        out = folder / "-".join([name, *options]).replace("/", "_")
        if out in done:
            return out
        words = COMMANDS[name]
        if "CORPUS" in words:
            words = [str(make("ingest", ["--workers", "1"])) if word == "CORPUS" else word for word in words]
        assert main(["curate", *words, "-o", str(out), "-q", *options]) == 0
        done.add(out)
        return out

    return make


@pytest.fixture
def needs_model() -> None:
    try:
        model_path("lid.176")
    except MissingModel:
        pytest.skip("language model not fetched: tamis models fetch lid.176")


@pytest.mark.parametrize(("command", "engine"), CASES)
def test_bytes_do_not_depend_on_what_ran_it(
    made: Made, request: pytest.FixtureRequest, command: str, engine: str
) -> None:
    if command == "recipe":
        request.getfixturevalue("needs_model")
    if engine == "ray":
        request.getfixturevalue("connected")
    expected, found = contents(made(command, ["--workers", "1"])), contents(made(command, ENGINES[engine]))
    assert len(expected) >= 4
    assert list(expected) == list(found)
    assert [name for name in expected if expected[name] != found[name]] == []


def test_bytes_survive_a_killed_ray_worker(made: Made, tmp_path: Path, ray_address: str, needs_model: None) -> None:
    out = tmp_path / "out"
    words = ["curate", *COMMANDS["recipe"], "-o", str(out), "--engine", "ray", "--ray-address", ray_address]
    process = subprocess.Popen([sys.executable, "-m", "tamis", *words], text=True, cwd=ROOT, **PIPES)
    victim = None
    deadline = time.monotonic() + 60
    while victim is None and time.monotonic() < deadline and process.poll() is None:
        victim = next((one.pid for one in psutil.process_iter() if title(one) == "ray::1-ingest"), None)
        time.sleep(0.01)
    assert victim is not None, "no Ray worker was seen at work"
    os.kill(victim, 9)
    rows, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert rows == "", "stdout is for rows"
    assert "Traceback" not in errors
    assert contents(out) == contents(made("recipe", ["--workers", "1"]))


def title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.Error:
        return ""
