"""The main job: sources or a corpus folder through a list of stages into a corpus folder, resumable at every shard."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tamis import __version__
from tamis.curate.ingest import ingest_slices
from tamis.curate.plan import Plan, group_slices, input_entries
from tamis.curate.recipe import DEDUP
from tamis.document import FORMAT_VERSION
from tamis.errors import OutputError, UsageError
from tamis.run.choose import How, open_engine
from tamis.run.corpus import load_part, signal_columns
from tamis.run.counts import Counts, merge
from tamis.run.engine import TaskEngine
from tamis.run.evidence import described
from tamis.run.ledger import WORK, Ledger, code_version, locked, task_key
from tamis.run.memory import show_size
from tamis.run.publish import publish, publish_shard, write_json
from tamis.run.report import StageCounts, build_report
from tamis.run.shard import Layer, Shard, apply_removals, run_stage
from tamis.run.timing import write_timing
from tamis.stage import MapStage, Task
from tamis.storage import is_remote, upload

__all__ = ["How", "run_plan"]

WORTH_SAYING: Final = 1 << 30
"""Bytes of disk from which on a stage says what it will take, before it begins."""


@dataclass
class _Run:
    """A run in progress."""

    plan: Plan
    engine: TaskEngine
    folder: Path
    shards: list[Shard] = field(default_factory=list)
    bills: list[StageCounts] = field(default_factory=list)
    inputs: list[dict[str, Any]] = field(default_factory=list)
    before: list[str | None] = field(default_factory=list)
    """Per shard, the file of records that never became rows."""


def run_plan(plan: Plan, output: str, how: How) -> dict[str, Any]:
    """Run a plan into the corpus folder ``output`` (local path or fsspec URL) and return its report.

    Finished shards of an earlier run of the same plan are not done again. On any error what is finished stays.
    """
    how.check(output)
    with _local_folder(output) as folder:
        _check_output(folder, plan)
        with locked(folder):
            ledger = Ledger(folder)
            ledger.open(how.fresh)
            engine = open_engine(how, ledger)
            try:
                report = _run(_Run(plan, engine, folder), folder)
            finally:
                engine.close()
            ledger.sweep(engine.used)
        return report


@contextlib.contextmanager
def _local_folder(output: str) -> Iterator[Path]:
    """Yield a local folder to work in; for a URL, upload what is in it at the end."""
    if not is_remote(output):
        yield Path(output)
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="tamis-") as name:
        yield Path(name)
        upload(Path(name), output)


def _check_output(folder: Path, plan: Plan) -> None:
    """Refuse to write where something else lives, or onto the input."""
    if plan.corpus and folder.resolve() == plan.corpus.folder.resolve():
        raise UsageError(f"{folder} is the input; choose another -o")
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file; -o takes a folder")
        known = (folder / WORK).is_dir() or (folder / "manifest.json").is_file()
        if folder.is_dir() and not known and any(folder.iterdir()):
            raise OutputError(f"{folder} is not empty and holds no corpus; choose another -o")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        raise OutputError(f"cannot write {folder}: {cause}; choose another -o") from None


def _run(run: _Run, folder: Path) -> dict[str, Any]:
    """Run all stages and publish."""
    (_load_corpus if run.plan.corpus else _ingest)(run)
    for number, stage in enumerate(run.plan.stages, 1 if run.plan.corpus else 2):
        label = f"{number}-{'dedup-' if stage.kind in DEDUP else ''}{stage.kind}"
        if hasattr(stage, "reduce"):
            _reduce(run, stage, label)
        else:
            _map(run, stage, label)
    signals = signal_columns([name for shard in run.shards for layer in shard.layers for name in layer.columns])
    if run.plan.corpus:
        signals = signal_columns([*signals, *run.plan.corpus.manifest.get("signals", [])])
    tasks = []
    for shard, before in zip(run.shards, run.before, strict=True):
        labels = [(layer.label, layer.evidence) for layer in shard.layers]
        key = task_key("publish", shard.key, signals, run.plan.form, labels, shard.published)
        tasks.append(Task(key, "publish", publish_shard, (shard, signals, run.plan.form, before)))
    done = run.engine.run(tasks)
    report = build_report(run.bills, [*run.inputs, *run.plan.rejected], run.plan.max_source_loss)
    outputs = publish(folder, run.shards, done, run.plan.form)
    write_json(folder / "report.json", report)
    write_timing(folder / "timing.json", run.engine, run.bills)
    write_json(folder / "manifest.json", _manifest(run, signals, outputs))
    return report


def _manifest(run: _Run, signals: Sequence[str], outputs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the manifest: what went in, what was done, what came out."""
    plan = run.plan
    recipe = [{stage.kind: stage.signature()} for stage in plan.stages]
    if plan.corpus is None:
        recipe.insert(0, {"ingest": plan.ingest.signature()})
    return {
        "version": FORMAT_VERSION,
        "tamis": __version__,
        "code": code_version(),
        "format": plan.form,
        "signals": list(signals),
        "recipe": recipe,
        "inputs": [
            {key: entry[key] for key in ("name", "kind", "bytes", "content") if key in entry} for entry in run.inputs
        ],
        "outputs": list(outputs),
    }


def _ingest(run: _Run) -> None:
    """Read the sources into base shards."""
    options = run.plan.ingest
    groups = group_slices(run.plan.files, options.shard_size)
    tasks = []
    for slices in groups:
        cuts = [[part.file.content, part.file.copy, part.file.name, part.start, part.end] for part in slices]
        key = task_key("ingest", options.signature(), cuts)
        tasks.append(Task(key, "1-ingest", ingest_slices, (slices, options)))
    done = run.engine.run(tasks)
    for index, (task, part) in enumerate(zip(tasks, done, strict=True)):
        run.shards.append(Shard(index, task.key, str(part.folder / "base.parquet"), part.result["rows"]))
        run.before.append(str(part.folder / "removed.parquet"))
    run.bills.append(_bill("1-ingest", options, [part.result["counts"] for part in done]))
    run.inputs = input_entries(run.plan.files, [part.result["files"] for part in done])


def _load_corpus(run: _Run) -> None:
    """Take the parts of a corpus folder as shards."""
    corpus = run.plan.corpus
    assert corpus is not None
    signals = list(corpus.manifest.get("signals", []))
    published = corpus.manifest.get("code") == code_version()
    tasks = [
        Task(
            task_key("load", entry["content"], signals),
            "load",
            load_part,
            (str(corpus.folder / entry["file"]), signals, entry["content"], corpus.sizes.get(entry["file"])),
        )
        for entry in corpus.parts
    ]
    for entry, task, part in zip(corpus.parts, tasks, run.engine.run(tasks), strict=True):
        index = int(entry["file"].split(".")[0].removeprefix("part-"))
        rows = part.result["rows"]
        if part.result["base"]:
            shard = Shard(index, task.key, str(part.folder / part.result["base"]), rows)
        else:
            layer = Layer(str(part.folder), "load", tuple(part.result["columns"]), rows)
            shard = Shard(index, task.key, str(corpus.folder / entry["file"]), rows, (layer,), published)
        run.shards.append(shard)
        run.before.append(None)
        run.inputs.append(
            {
                "name": f"{corpus.name.rstrip('/')}/{entry['file']}",
                "kind": "corpus",
                "bytes": entry["bytes"],
                "content": entry["content"],
                "status": "ok",
                "records": rows,
                "documents": rows,
            }
        )


def _bill(label: str, stage: Any, counts: Sequence[Mapping[str, Any]]) -> StageCounts:
    """Add up the counts of the shards of a stage."""
    total: Counts = merge(counts)
    return StageCounts(label, stage.kind, total, stage.signature())


def _map(run: _Run, stage: MapStage, label: str) -> None:
    """Run a map stage on every shard."""
    signature = stage.signature()
    keys = [task_key("map", stage.kind, signature, shard.key) for shard in run.shards]
    tasks = [Task(key, label, run_stage, (stage, shard)) for key, shard in zip(keys, run.shards, strict=True)]
    done = run.engine.run(tasks)
    for number, (key, part) in enumerate(zip(keys, done, strict=True)):
        layer = Layer(str(part.folder), label, tuple(part.result["columns"]), part.result["rows"])
        run.shards[number] = run.shards[number].with_layer(key, layer)
    run.bills.append(_bill(label, stage, [part.result["counts"] for part in done]))


def _state_disk(run: _Run, stage: Any, label: str) -> None:
    """Say how much disk a stage will take, before it takes it."""
    if not hasattr(stage, "disk") or not run.shards:
        return
    text = run.bills[-1].counts.kept[1] if run.bills else 3 * sum(entry["bytes"] for entry in run.inputs)
    need = stage.disk(sum(shard.rows for shard in run.shards), text)
    free = shutil.disk_usage(run.folder).free
    if need >= WORTH_SAYING or need > free:
        short = ": NOT ENOUGH if the estimate is right" if need > free else ""
        run.engine.say(f"{label} will take about {show_size(need)} of disk; {show_size(free)} are free{short}")


def _reduce(run: _Run, stage: Any, label: str) -> None:
    """Run a reduce stage over all shards and apply what it removes."""
    _state_disk(run, stage, label)
    removed = stage.reduce(run.shards, run.engine)
    tasks = []
    for shard, part in zip(run.shards, removed, strict=True):
        path = part.folder / "removed.parquet"
        # Two shards of equal content lose different rows: the index tells them apart.
        key = task_key("apply", part.folder.name, shard.key, shard.index)
        tasks.append(Task(key, label, apply_removals, (shard, str(path))))
    done = run.engine.run(tasks)
    counts = [part.result["counts"] for part in done]
    for number, (task, part) in enumerate(zip(tasks, done, strict=True)):
        columns = tuple(part.result["columns"])
        layer = Layer(str(part.folder), label, columns, part.result["rows"], described(stage))
        run.shards[number] = run.shards[number].with_layer(task.key, layer)
    bill = _bill(label, stage, counts)
    folders = {part.folder: part.result for part in removed}
    for result in folders.values():
        bill.counts.note(result.get("notes", {}))
    run.bills.append(bill)
