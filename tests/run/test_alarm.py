"""The alarm when a source is wiped out, and which stage it blames."""

import json
from pathlib import Path

from tamis.run.counts import Counts
from tamis.run.report import StageCounts, build_report
from tests.run.conftest import run_tamis, write_lines


def page(number: int, word: str) -> str:
    return " ".join(f"{word}{i}" for i in range(200)) + f" page {number}"


def test_a_source_wiped_out_by_near_duplicates_raises_the_alarm(tmp_path: Path) -> None:
    """Every page of the mirror is nearly one of the original, which is longer and stays."""
    write_lines(tmp_path / "original.jsonl", [{"text": page(i, f"w{i}x") + " and more"} for i in range(12)])
    mirror = [{"text": page(i, f"w{i}x")} for i in range(12)]
    write_lines(tmp_path / "mirror.jsonl", [*mirror, {"text": "short"}])
    sources = [tmp_path / "original.jsonl", tmp_path / "mirror.jsonl"]
    run_tamis("curate", "ingest", *sources, "-o", tmp_path / "in")
    done = run_tamis(
        *("curate", "dedup", tmp_path / "in", "-o", tmp_path / "out", "--by", "minhash"), "--max-source-loss", "0.9"
    )
    wanted = f"ALARM: {sources[1]} lost 92.3% of its 13 documents, most of them at 1-dedup-minhash (12)"
    assert wanted in done.stderr.splitlines()
    assert done.stderr.count("ALARM") == 1
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["alarm_count"] == 1
    [alarm] = report["alarms"]
    assert alarm == {
        **{"source": str(sources[1]), "in": 13, "kept": 1, "loss": 0.923077},
        **{"stage": "1-dedup-minhash", "taken": 12},
    }
    assert wanted in run_tamis("curate", "report", tmp_path / "out").stdout
    page_file = tmp_path / "report.html"
    run_tamis("curate", "report", tmp_path / "out", "--html", page_file)
    assert "most of them at" in page_file.read_text()
    quiet = run_tamis("curate", "dedup", tmp_path / "in", "-o", tmp_path / "out", "--by", "minhash")
    assert "ALARM" not in quiet.stderr, "the default allows 99 %"


def counted(came: dict[str, int], kept: dict[str, int]) -> Counts:
    counts = Counts()
    counts.came, counts.kept = [sum(came.values()), 0, 0, 0], [sum(kept.values()), 0, 0, 0]
    counts.gone["dropped"]["some_reason"] = [counts.came[0] - counts.kept[0], 0, 0, 0]
    counts.sources = {name: [came[name], kept.get(name, 0)] for name in came}
    return counts


def test_the_stage_that_took_most_is_named() -> None:
    """Small files are judged by folder, so what a stage took of each is added up; the first of equals is named."""
    names = [f"site/{i}.html" for i in range(12)]
    steps = [
        {"big": 100, **dict.fromkeys(names, 2)},
        {"big": 60, **dict.fromkeys(names, 2)},
        {"big": 20, **dict.fromkeys(names[:3], 1)},
        {"big": 0},
    ]
    stages = [StageCounts("1-ingest", "ingest", counted({**steps[0]}, steps[0]))]
    for number, label in enumerate(("2-filter", "3-dedup-minhash", "4-filter")):
        stages.append(StageCounts(label, "x", counted(steps[number], steps[number + 1])))
    alarms = {one["source"]: one for one in build_report(stages, [], 0.5)["alarms"]}
    assert set(alarms) == {"big", "site/"}
    assert (alarms["big"]["stage"], alarms["big"]["taken"]) == ("2-filter", 40)
    assert (alarms["site/"]["stage"], alarms["site/"]["taken"]) == ("3-dedup-minhash", 21)
