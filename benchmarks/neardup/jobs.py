"""Whole jobs side by side, Parquet in and kept Parquet out, and signature rates; medians of interleaved rounds."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from . import tree, truth
from .folder import from_parquet
from .scaling import warm

HERE: Final = Path(__file__).resolve().parent

PEERS: Final = {
    "datatrove": ["peer_datatrove.py"],
    "text-dedup": ["peer_text_dedup.py"],
    "datasketch": ["peer_datasketch.py"],
    "rensa": ["peer_rensa.py"],
    "daft": ["peer_daft.py"],
    "daft-verified": ["peer_daft.py", "--bands", "21", "--rows", "6", "--verify"],
}
SLOW: Final = {"datatrove": 10.0}
"""MB of a corpus that a peer gets unless told otherwise; rates per MB are compared."""

ABSENT: Final = "not installed"

TARGETS: Final = {
    "datatrove": 100.0,
    "text-dedup": 5.0,
    "datasketch": 5.0,
    "rensa": 5.0,
    "daft": 1.5,
    "daft-verified": 1.5,
}


@dataclass(frozen=True, slots=True)
class Setup:
    """How to run the comparison."""

    pythons: dict[str, str]
    """Interpreter of each tool; this one where none is given."""
    samples: dict[str, float]
    repeats: int
    workers: int
    scratch: Path
    tools: tuple[str, ...]
    truth_sample: int

    def python(self, tool: str) -> str:
        """Return the interpreter of a tool."""
        return self.pythons.get(tool.removesuffix("-verified"), sys.executable)


@dataclass(frozen=True, slots=True)
class Job:
    """One tool on one input."""

    tool: str
    source: Path
    megabytes: float
    command: list[str]
    out: Path

    def kept(self) -> NDArray[np.bool_]:
        """Return which rows of the source the output still has."""
        if self.tool.startswith("tamis"):
            return truth.kept_rows(self.out, truth.rows_of(self.source))
        return _kept_ids(self.out, self.source)


def text_bytes(path: Path) -> int:
    """Return the bytes of text of a Parquet file."""
    return int(pc.sum(pc.binary_length(pq.read_table(path, columns=["text"]).column("text"))).as_py() or 0)


def thin(source: Path, megabytes: float, out: Path) -> Path:
    """Write every k-th document, about so many MB of text."""
    step = max(1, round(text_bytes(source) / 1e6 / megabytes))
    table = pq.read_table(source)
    pq.write_table(table.take(pa.array(range(0, table.num_rows, step))), out, compression="zstd", row_group_size=1000)
    return out


def plan(source: Path, setup: Setup) -> list[Job]:
    """Return the jobs of one corpus; makes the inputs that need making."""
    jobs = []
    whole = text_bytes(source) / 1e6
    for tool in setup.tools:
        out = setup.scratch / f"out-{tool}"
        if tool.startswith("tamis"):
            given = source
            if tool == "tamis":
                given = setup.scratch / "corpus"
                shutil.rmtree(given, ignore_errors=True)
                from_parquet(str(source), given)
            command = [setup.python(tool), "-m", "tamis", "curate", "dedup", str(given), "-o", str(out)]
            command += ["--by", "minhash", "--workers", str(setup.workers), "--fresh", "-q"]
            jobs.append(Job(tool, source, whole, command, out))
            continue
        file, size = source, whole
        wanted = setup.samples.get(tool, SLOW.get(tool, whole))
        if wanted < whole:
            file = thin(source, wanted, setup.scratch / f"{source.stem}-{wanted:g}.parquet")
            size = text_bytes(file) / 1e6
        script, *options = PEERS[tool]
        out = out.with_suffix(".parquet") if tool in ("datasketch", "rensa") else out
        command = [setup.python(tool), str(HERE / script), str(file), str(out), *options]
        jobs.append(Job(tool, file, size, command, out))
    return jobs


def _kept_ids(out: Path, source: Path) -> NDArray[np.bool_]:
    """Return which rows of a Parquet file an output has; by id."""
    files = [out] if out.is_file() else sorted(path for path in out.rglob("*.parquet") if "removed" not in path.parts)
    ids = pa.chunked_array([chunk for path in files for chunk in pq.read_table(path, columns=["id"])["id"].chunks])
    return truth.kept_flags(source, ids)


def _clear(out: Path) -> None:
    if out.is_dir():
        shutil.rmtree(out)
    else:
        out.unlink(missing_ok=True)


def compare(source: Path, setup: Setup) -> dict[str, Any]:
    """Run all tools on a corpus, round after round; return figures of each."""
    jobs = plan(source, setup)
    costs: dict[str, list[tree.Cost]] = {job.tool: [] for job in jobs}
    if any(job.tool.startswith("tamis") for job in jobs):
        warm(setup.scratch, ["--workers", str(setup.workers)])
    kept: dict[str, NDArray[np.bool_]] = {}
    for turn in range(setup.repeats):
        for job in jobs:
            if costs[job.tool] and costs[job.tool][-1].code:
                continue
            _clear(job.out)
            cost = tree.run(job.command)
            costs[job.tool].append(cost)
            print(f"  round {turn + 1} {job.tool:14} {cost.cpu:8.1f} CPU s {cost.wall:8.1f} s", file=sys.stderr)
            if cost.code:
                print(cost.log[-2000:], file=sys.stderr)
            else:
                kept[job.tool] = job.kept()
    truths = {job.source: truth.exact(job.source, setup.truth_sample) for job in jobs}
    rows = []
    for job in jobs:
        good = [cost for cost in costs[job.tool] if not cost.code]
        if good:
            rows.append(_figures(job, good, kept[job.tool], truths[job.source]))
    return {"corpus": source.name, "megabytes": text_bytes(source) / 1e6, "jobs": rows}


def _figures(job: Job, costs: list[tree.Cost], kept: NDArray[np.bool_], exact: truth.Truth) -> dict[str, Any]:
    cpu = statistics.median(cost.cpu for cost in costs)
    return {
        "tool": job.tool,
        "megabytes": job.megabytes,
        "cpu": cpu,
        "wall": statistics.median(cost.wall for cost in costs),
        "rss": max(cost.rss for cost in costs),
        "rate": job.megabytes / cpu,
        "runs": len(costs),
        "documents": len(kept),
        "kept": int(kept.sum()),
        **asdict(truth.score(exact, kept)),
    }


def table(result: dict[str, Any]) -> str:
    """Return the figures as a Markdown table."""
    own = next((row for row in result["jobs"] if row["tool"] == "tamis"), None)
    lines = [
        f"Whole job, {result['corpus']}, {result['megabytes']:.0f} MB of text, medians",
        "",
        "| tool | input MB | CPU s | wall s | MB per CPU s | tamis is | target | peak RSS MiB | documents | kept"
        " | exact pairs, both kept | gone without cause |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in result["jobs"]:
        ratio = f"{own['rate'] / row['rate']:.1f} x" if own and row is not own else ""
        target = f"{TARGETS[row['tool']]:g} x" if row["tool"] in TARGETS else ""
        lines.append(
            f"| {row['tool']} | {row['megabytes']:.0f} | {row['cpu']:.1f} | {row['wall']:.1f} | {row['rate']:.2f}"
            f" | {ratio} | {target} | {row['rss'] / 2**20:.0f} | {row['documents']:,} | {row['kept']:,}"
            f" | {row['left']:,} of {row['pairs']:,} | {row['lost']:,} of {row['sampled']:,} |"
        )
    return "\n".join(lines)


RATES: Final = (
    # (tool, corpus, MB, the tamis line it is compared with, target)
    ("tamis word:5", "english", 60.0, "", 0.0),
    ("tamis char:5", "english", 60.0, "", 0.0),
    ("daft raw text", "english", 60.0, "tamis word:5", 3.0),
    ("daft normalised", "english", 60.0, "tamis word:5", 3.0),
    ("datatrove", "english", 3.0, "tamis word:5", 250.0),
    ("datasketch", "english", 10.0, "tamis word:5", 0.0),
    ("rensa", "english", 10.0, "tamis word:5", 0.0),
    ("tamis word:5", "chinese", 20.0, "", 0.0),
    ("daft raw text", "chinese", 20.0, "tamis word:5", 0.0),
    ("datasketch", "chinese", 5.0, "tamis word:5", 0.0),
)


def signatures(english: Path, chinese: Path | None, setup: Setup) -> list[dict[str, Any]]:
    """Measure the signature rates of all tools; rounds interleaved, medians."""
    places = {"english": english, "chinese": chinese}
    seen: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for turn in range(setup.repeats):
        for tool, corpus, megabytes, _, _ in RATES:
            if places[corpus] is None:
                continue
            name = tool.split()[0]
            script = [str(HERE / "peer_signatures.py"), tool, str(places[corpus]), "--megabytes", f"{megabytes:g}"]
            done = subprocess.run([setup.python(name), *script], capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"  {tool} cannot run: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
                continue
            seen.setdefault((tool, corpus), []).append(json.loads(done.stdout.splitlines()[-1]))
            print(f"  round {turn + 1} {tool:16} {corpus}", file=sys.stderr)
    rows: list[dict[str, Any]] = []
    for tool, corpus, _, against, target in RATES:
        if runs := seen.get((tool, corpus)):
            rate = statistics.median(run["megabytes"] / run["cpu"] for run in runs)
            row = {"tool": tool, "corpus": corpus, "megabytes": runs[0]["megabytes"], "rate": rate, "runs": len(runs)}
            own = next((one["rate"] for one in rows if (one["tool"], one["corpus"]) == (against, corpus)), None)
            rows.append(row | {"ratio": own / rate if own else None, "target": target or None})
    return rows


def signature_table(rows: list[dict[str, Any]]) -> str:
    """Return the rates as a Markdown table."""
    lines = [
        "Signatures, text to 128 values, medians",
        "",
        "| tool | corpus | MB | MB per CPU s | tamis is | target |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        ratio = f"{row['ratio']:.1f} x" if row["ratio"] else ""
        target = f"{row['target']:g} x" if row["target"] else ""
        lines.append(
            f"| {row['tool']} | {row['corpus']} | {row['megabytes']:.1f} | {row['rate']:.2f} | {ratio} | {target} |"
        )
    return "\n".join(lines)


def versions(setup: Setup) -> dict[str, str]:
    """Return the versions of the tools, asked of their interpreters."""
    own = importlib.metadata.version("tamis")
    found = {"tamis": own, "tamis-parquet": own}
    code = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
    for tool in (name for name in PEERS if "verified" not in name):
        done = subprocess.run([setup.python(tool), "-c", code, tool], capture_output=True, text=True, check=False)
        found[tool] = done.stdout.strip() or ABSENT
    return found
