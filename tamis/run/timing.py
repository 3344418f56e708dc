"""timing.json: what the stages of a run cost. The only file in which two runs of the same job may differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from tamis.run.engine import TaskEngine
from tamis.run.publish import write_json
from tamis.run.report import StageCounts
from tamis.run.task import Cost


def write_timing(path: Path, engine: TaskEngine, bills: Sequence[StageCounts]) -> None:
    """Write seconds, MB/s per core and peak memory per stage; what earlier runs of the same job took is kept."""
    tasks: dict[str, Any] = {}
    try:
        old = orjson.loads(path.read_bytes())["tasks"]
        tasks = {key: cost for key, cost in old.items() if key in engine.used}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # no earlier run, or not a file of ours: nothing depends on it
    for key, cost in engine.costs.items():
        tasks[key] = _plain(cost)
    sizes = {bill.label: bill.counts.came[1] or bill.counts.kept[1] for bill in bills}
    stages: dict[str, dict[str, float]] = {}
    for cost in tasks.values():
        stage = stages.setdefault(cost["stage"], {"wall_s": 0.0, "cpu_s": 0.0, "peak_rss": 0, "tasks": 0})
        stage["wall_s"] += cost["wall_s"]
        stage["cpu_s"] += cost["cpu_s"]
        stage["tasks"] += 1
        stage["peak_rss"] = max(stage["peak_rss"], cost["peak_rss"])
    for label, stage in stages.items():
        if label in sizes and stage["cpu_s"] > 0:
            stage["text_mb_per_s_per_core"] = round(sizes[label] / 1e6 / stage["cpu_s"], 3)
    write_json(path, {"workers": engine.workers, "stages": stages, "tasks": tasks})


def _plain(cost: Cost) -> dict[str, Any]:
    """Return a cost as a JSON-able dict."""
    return {"stage": cost.label, "wall_s": round(cost.wall, 3), "cpu_s": round(cost.cpu, 3), "peak_rss": cost.rss}
