"""The main job on the own-written crawl: what comes out, the same bytes however it ran, and what bad input costs."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tests.conftest import ROOT

RECIPE = ROOT / "fixtures" / "recipes" / "crawl.yaml"


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "tamis", *map(str, arguments)]


def tamis(*arguments: str | Path, cwd: Path = ROOT, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a corpus folder, finished tasks included, but for the two that carry no result."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("timing.json", "lock")
    }


def assert_same(one: Path, two: Path) -> None:
    left, right = contents(one), contents(two)
    assert list(left) == list(right)
    assert [name for name in left if left[name] != right[name]] == []


@pytest.fixture(scope="session")
def needs_model() -> None:
    from tamis.errors import MissingModel
    from tamis.models import model_path

    try:
        model_path("lid.176")
    except MissingModel:
        pytest.skip("language model not fetched: tamis models fetch lid.176")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, needs_model: None) -> Path:
    out = tmp_path_factory.mktemp("run") / "one"
    done = tamis("curate", "run", RECIPE, "-o", out, "--workers", "1")
    said = [line for line in done.stderr.splitlines() if not line.startswith("first run: compiling")]
    (out.parent / "said").write_text("\n".join(said))
    return out


@pytest.fixture(scope="session")
def kept(finished: Path) -> list[dict[str, Any]]:
    return [row for part in sorted(finished.glob("part-*")) for row in pq.read_table(part).to_pylist()]


@pytest.fixture(scope="session")
def gone(finished: Path) -> list[dict[str, Any]]:
    return [row for part in sorted((finished / "dropped").iterdir()) for row in pq.read_table(part).to_pylist()]


def test_every_row_is_accounted_for(finished: Path, kept: list[dict[str, Any]], gone: list[dict[str, Any]]) -> None:
    report = json.loads((finished / "report.json").read_text())
    total = report["total"]
    assert total["balanced"]
    assert total["in"] == len(kept) + len(gone)
    assert (total["kept"], total["dropped"] + total["failed"]) == (len(kept), len(gone))
    assert total["failed"] == sum(row["outcome"] == "failed" for row in gone)
    ids = [row["id"] for row in kept] + [row["id"] for row in gone]
    assert len(set(ids)) == len(ids), "ids are unique"
    for stage in report["stages"]:
        by_reason = {**stage["dropped"], **stage["failed"]}
        assert stage["in"]["documents"] == stage["kept"]["documents"] + sum(s["documents"] for s in by_reason.values())
        for reason, size in stage["dropped"].items():
            label = "ingest" if stage["kind"] == "ingest" else stage["stage"]
            rows = [row for row in gone if (row["stage"], row["reason"], row["outcome"]) == (label, reason, "dropped")]
            assert len(rows) == size["documents"]
    last = report["stages"][-1]["kept"]
    assert last["bytes"] == sum(len(row["text"].encode()) for row in kept)
    assert last["characters"] == sum(len(row["text"]) for row in kept)


def test_every_record_goes_where_the_golden_output_says(finished: Path) -> None:
    from scripts.make_golden import GOLDEN, golden

    found, wanted = golden(finished), json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert len(wanted["records"]) == wanted["total"]["in"] > 200
    if found["versions"] != wanted["versions"]:
        pytest.skip(f"golden output was made with {wanted['versions']}")
    changed = {
        source: (found["records"].get(source), wanted["records"].get(source))
        for source in {*found["records"], *wanted["records"]}
        if found["records"].get(source) != wanted["records"].get(source)
    }
    assert changed == {}
    assert found["total"] == wanted["total"]


def test_readme_shows_what_the_demo_prints(finished: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert (finished.parent / "said").read_text().strip() in readme


def test_removals_carry_their_evidence(kept: list[dict[str, Any]], gone: list[dict[str, Any]]) -> None:
    staying = {row["id"] for row in kept}
    removed = {row["id"] for row in gone}
    for row in gone:
        assert row["stage"]
        assert row["reason"]
        if row["reason"].startswith(("duplicate", "near_duplicate")):
            keeper = json.loads(row["detail"])["keeper"]
            assert keeper in staying | removed
            assert keeper != row["id"]
    near = [row for row in gone if row["reason"] == "near_duplicate"]
    assert near
    for row in near:
        assert row["threshold"] <= row["value"] <= 1
        assert json.loads(row["detail"])["keeper"] in staying, "the last stage points to documents that stay"


@pytest.fixture(scope="session")
def expected() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "fixtures" / "crawl" / "expected.json").read_text(encoding="utf-8"))
    return loaded


def test_the_recipe_reads_what_the_fixtures_name(expected: dict[str, Any]) -> None:
    sources = yaml.safe_load(RECIPE.read_text())["sources"]
    assert sources == [f"../crawl/{name}" for name in expected["inputs"]]


def test_the_corpus_is_what_a_reader_would_choose(kept: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    """Pages are told by a phrase that only they have, since a text file has no URL."""
    texts = [row["text"] for row in kept]
    pages = [page for page in expected["pages"] if "phrase" in page]
    assert len(pages) > 90
    holds = {page["id"]: sum(page["phrase"] in text for text in texts) for page in pages}
    wanted = {"kept": {1}, "one_of_group": {1}, "dropped": {0}, "failed": {0}, "any": {0, 1}}
    wrong = {
        page["id"]: (page["expect"], holds[page["id"]])
        for page in pages
        if holds[page["id"]] not in wanted[page["expect"]]
    }
    assert wrong == {}


def test_every_encoding_comes_out_right(
    kept: list[dict[str, Any]], gone: list[dict[str, Any]], expected: dict[str, Any]
) -> None:
    texts = [row["text"] for row in (*kept, *gone)]
    encoded = [page for page in expected["pages"] if page.get("encoding")]
    assert len(encoded) >= 9
    assert [page["id"] for page in encoded if not any(page["phrase"] in text for text in texts)] == []
    assert not any("\ufffd" in text for text in texts)


def test_pages_leave_for_the_reason_one_would_give(gone: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    dropped = [page for page in expected["pages"] if page["expect"] == "dropped" and page.get("reasons")]
    found = 0
    for page in dropped:
        phrase = page.get("phrase", "\0")
        rows = [row for row in gone if row["url"] == page["url"] or phrase in row["text"]]
        families = {family(row) for row in rows}
        found += bool(rows)
        assert families & set(page["reasons"]), f"{page['id']}: {[(r['stage'], r['reason']) for r in rows]}"
    assert found == len(dropped)


def family(row: dict[str, Any]) -> str:
    """Which of the families of expected.json a removal belongs to."""
    if row["stage"] == "ingest" or row["reason"] == "empty":
        return "empty"
    if "dedup" in row["stage"]:
        return "duplicate"
    rule = (row["rule"] or "").split("@")[0].split("(")[0]
    return {
        "language": "language",
        "gopher-quality": "quality",
        "gopher-repetition": "repetition",
        "c4": "line rules",
        "fineweb": "line rules",
    }[rule]


def test_the_folder_names_no_place_or_time(finished: Path) -> None:
    for name in ("report.json", "manifest.json"):
        text = (finished / name).read_text()
        assert str(ROOT) not in text
        assert os.uname().nodename not in text or len(os.uname().nodename) < 4


@pytest.mark.parametrize("workers", ["2", "4"])
def test_bytes_do_not_depend_on_workers(finished: Path, tmp_path: Path, workers: str) -> None:
    tamis("curate", "run", RECIPE, "-o", tmp_path / "out", "--workers", workers)
    assert_same(finished, tmp_path / "out")


def test_bytes_do_not_depend_on_the_order_of_sources(tmp_path: Path, needs_model: None) -> None:
    """All stages, with sources named in two orders (and in full, since these recipes lie elsewhere)."""
    recipe = yaml.safe_load(RECIPE.read_text())
    names = [str((RECIPE.parent / name).resolve()) for name in recipe["sources"]]
    random.Random(4).shuffle(shuffled := names[:])
    assert shuffled != names
    for order, sources in (("a", names), ("b", shuffled)):
        (tmp_path / f"{order}.yaml").write_text(yaml.safe_dump({**recipe, "sources": sources}))
        tamis("curate", "run", tmp_path / f"{order}.yaml", "-o", tmp_path / order)
    assert_same(tmp_path / "a", tmp_path / "b")


def killed_then_finished(out: Path, seconds: float) -> bool:
    """Run, kill -9 after some seconds, run to the end; tell whether the kill came in time."""
    first = subprocess.Popen(
        command("curate", "run", RECIPE, "-o", out, "--workers", "2"), cwd=ROOT, stderr=subprocess.DEVNULL
    )
    time.sleep(seconds)
    in_time = first.poll() is None
    first.kill()
    first.wait()
    tamis("curate", "run", RECIPE, "-o", out, "--workers", "2")
    return in_time


def duration(out: Path) -> float:
    begin = time.monotonic()
    tamis("curate", "run", RECIPE, "-o", out, "--workers", "2")
    return time.monotonic() - begin


def test_bytes_survive_kill_9(finished: Path, tmp_path: Path) -> None:
    whole = duration(tmp_path / "whole")
    for share in (0.6, 0.3, 0.1):  # the machine may be quicker the second time
        out = tmp_path / str(share)
        killed = killed_then_finished(out, whole * share)
        assert_same(finished, out)
        if killed:
            return
    pytest.fail("no kill came in time")


@pytest.mark.slow
def test_bytes_survive_kill_9_at_ten_random_moments(finished: Path, tmp_path: Path) -> None:
    whole = min(duration(tmp_path / "one"), duration(tmp_path / "two"))
    moments = random.Random(9)
    killed = 0
    for number in range(10):
        out = tmp_path / str(number)
        killed += killed_then_finished(out, moments.uniform(0.05, 0.9) * whole)
        assert_same(finished, out)
        shutil.rmtree(out)
    assert killed > 5, "most kills must hit a run that was still going"


def test_a_finished_run_is_not_done_again_and_a_changed_stage_is(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    before = {path.name: path.stat().st_mtime_ns for path in (out / ".work" / "tasks").iterdir()}
    tamis("curate", "run", RECIPE, "-o", out)
    assert_same(finished, out)
    assert {path.name: path.stat().st_mtime_ns for path in (out / ".work" / "tasks").iterdir()} == before
    recipe = tmp_path / "recipe.yaml"
    text = RECIPE.read_text().replace("threshold: 0.8", "threshold: 0.9").replace("../crawl", f"{ROOT}/fixtures/crawl")
    assert "threshold: 0.9" in text
    recipe.write_text(text)
    tamis("curate", "run", recipe, "-o", tmp_path / "base")
    tasks = {path.name for path in (tmp_path / "base" / ".work" / "tasks").iterdir()}
    recipe.write_text(text.replace("threshold: 0.9", "threshold: 0.7"))
    tamis("curate", "run", recipe, "-o", tmp_path / "base")
    after = {path.name for path in (tmp_path / "base" / ".work" / "tasks").iterdir()}
    assert tasks & after, "stages before the change were not done again"
    assert tasks - after, "those after it were"


def heed_ctrl_c() -> None:
    """A shell job in the background ignores Ctrl-C, and what it starts inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def started(tmp_path: Path, needs_model: None) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a run and wait until it works on its first stage."""
    running: list[subprocess.Popen[str]] = []

    def start(out: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command("curate", "run", RECIPE, "-o", out, "--workers", "2"),
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_ctrl_c,
        )
        running.append(process)
        deadline = time.monotonic() + 30
        while not (out / ".work" / "drafts").is_dir() and time.monotonic() < deadline:
            time.sleep(0.01)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_ctrl_c_is_one_line_and_can_be_gone_on_from(
    finished: Path, tmp_path: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    process = started(tmp_path / "out")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.strip() == "interrupted; finished shards are kept: run the same command again to go on"
    tamis("curate", "run", RECIPE, "-o", tmp_path / "out")
    assert_same(finished, tmp_path / "out")


def test_a_second_run_into_the_same_folder_is_refused(
    tmp_path: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    process = started(tmp_path / "out")
    refused = tamis("curate", "run", RECIPE, "-o", tmp_path / "out", code=3)
    assert "is in use by another run" in refused.stderr
    assert process.wait(timeout=120) == 0


def test_a_killed_worker_changes_nothing(
    finished: Path, tmp_path: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    process = started(tmp_path / "out")
    deadline = time.monotonic() + 20
    victims: list[int] = []
    while not victims and time.monotonic() < deadline and process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        victims = [int(pid) for pid in children if b"tamis.run.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        time.sleep(0.05)
    assert victims
    os.kill(victims[0], signal.SIGKILL)
    assert process.wait(timeout=120) == 0
    assert_same(finished, tmp_path / "out")
