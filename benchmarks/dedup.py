"""Deduplication benchmarks: real corpora, whole jobs and signatures beside the peers, scaling, worst cases.

    python benchmarks/dedup.py corpus OUT.parquet [--chinese] [--packages DIR]
    python benchmarks/dedup.py jobs CORPUS.parquet... [--python-for daft=PYTHON]... [--json FILE]
    python benchmarks/dedup.py signatures ENGLISH.parquet [CHINESE.parquet] [--python-for ...] [--json FILE]
    python benchmarks/dedup.py generate OUT --documents N [--copies 0.3] [--seed 1]
    python benchmarks/dedup.py scale 100000 1000000 10000000 [--scratch DIR]
    python benchmarks/dedup.py worst [identical empty template long ...] [--documents 1000000] [--scratch DIR]

CPU seconds are those of the whole process tree, peak memory is the sum over the tree sampled every 50 ms (Linux only).
See docs/benchmarks.md for what each figure means and how to install the peers.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent))  # one name for the parts: numba's cache holds it


@contextmanager
def scratch_folder(given: str | None) -> Iterator[Path]:
    """Yield the folder that was asked for, kept afterwards, or a temporary one."""
    if given:
        Path(given).mkdir(parents=True, exist_ok=True)
        yield Path(given).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="tamis-bench-") as name:
        yield Path(name)


def pairs(values: list[str]) -> dict[str, str]:
    """Return NAME=VALUE options as a dict."""
    return dict(value.split("=", 1) for value in values)


def setup_of(options: argparse.Namespace, scratch: Path) -> Any:
    """Return how to run the comparison."""
    from benchmarks.neardup.jobs import PEERS, Setup

    return Setup(
        pythons=pairs(options.python_for),
        samples={name: float(value) for name, value in pairs(options.sample).items()},
        repeats=options.repeats,
        workers=options.workers,
        scratch=scratch,
        tools=tuple(options.tools or ("tamis", "tamis-parquet", *PEERS)),
        truth_sample=options.truth_sample,
    )


def save(path: str | None, value: Any) -> None:
    """Write a JSON file if one is asked for."""
    if path:
        Path(path).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def do_corpus(options: argparse.Namespace) -> None:
    from benchmarks.neardup.corpora import build

    build(options.out, options.chinese, options.packages)


def do_jobs(options: argparse.Namespace) -> None:
    from benchmarks.neardup import jobs

    results = []
    with scratch_folder(options.scratch) as scratch:
        setup = setup_of(options, scratch)
        known = jobs.versions(setup)
        setup = replace(setup, tools=tuple(tool for tool in setup.tools if known[tool.split("-v")[0]] != jobs.ABSENT))
        print(", ".join(f"{tool} {version}" for tool, version in known.items()) + "\n", flush=True)
        for corpus in options.corpora:
            results.append(jobs.compare(Path(corpus), setup))
            print(jobs.table(results[-1]) + "\n", flush=True)
    save(options.json, {"versions": known, "results": results})


def do_signatures(options: argparse.Namespace) -> None:
    from benchmarks.neardup import jobs

    with scratch_folder(options.scratch) as scratch:
        setup = setup_of(options, scratch)
        rows = jobs.signatures(Path(options.english), Path(options.chinese) if options.chinese else None, setup)
    print(jobs.signature_table(rows))
    save(options.json, {"versions": jobs.versions(setup), "signatures": rows})


def do_generate(options: argparse.Namespace) -> None:
    from benchmarks.neardup.generate import Plan, generate

    plan = Plan(options.documents, options.copies, options.seed)
    size = generate(plan, Path(options.out), options.workers)
    print(f"{options.out}: {plan.documents:,} documents, {size / 1e9:.2f} GB on disk")


def do_scale(options: argparse.Namespace) -> None:
    from benchmarks.neardup.generate import Plan
    from benchmarks.neardup.scaling import scale

    with scratch_folder(options.scratch) as scratch:
        plan = Plan(0, options.copies, options.seed)
        rows = scale(options.sizes, plan, scratch, ["--workers", str(options.workers), *options.option])
    save(options.json, rows)


def do_worst(options: argparse.Namespace) -> None:
    from benchmarks.neardup.scaling import worst

    with scratch_folder(options.scratch) as scratch:
        cases = options.cases or ["identical", "empty", "template", "long"]
        rows = worst(cases, options.documents, scratch, ["--workers", str(options.workers), *options.option])
    save(options.json, rows)


def arguments() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    def command(name: str, job: Any, *, peers: bool = False) -> argparse.ArgumentParser:
        sub = commands.add_parser(name)
        sub.set_defaults(job=job)
        sub.add_argument("--workers", type=int, default=2)
        sub.add_argument("--scratch", help="folder for inputs and outputs, kept; a temporary one without it")
        sub.add_argument("--json", help="file for all figures")
        if peers:
            sub.add_argument("--python-for", action="append", default=[], metavar="TOOL=PYTHON")
            sub.add_argument("--sample", action="append", default=[], metavar="TOOL=MB", help="part a peer gets")
            sub.add_argument("--tools", nargs="*", help="tamis, tamis-parquet and the peers; all without it")
            sub.add_argument("--repeats", type=int, default=3)
            sub.add_argument("--truth-sample", type=int, default=3000, help="documents whose exact pairs are counted")
        return sub

    corpus = command("corpus", do_corpus)
    corpus.add_argument("out")
    corpus.add_argument("--chinese", action="store_true")
    corpus.add_argument("--packages", help="folder that keeps the downloads; needs apt-get and dpkg-deb")
    command("jobs", do_jobs, peers=True).add_argument("corpora", nargs="+", metavar="CORPUS.parquet")
    signatures = command("signatures", do_signatures, peers=True)
    signatures.add_argument("english")
    signatures.add_argument("chinese", nargs="?")
    generate = command("generate", do_generate)
    generate.add_argument("out")
    generate.add_argument("--documents", type=int, required=True)
    scale = command("scale", do_scale)
    scale.add_argument("sizes", type=int, nargs="+")
    for sub in (generate, scale):
        sub.add_argument("--copies", type=float, default=0.3)
        sub.add_argument("--seed", type=int, default=1)
    worst = command("worst", do_worst)
    worst.add_argument("cases", nargs="*")
    worst.add_argument("--documents", type=int, default=1_000_000)
    for sub in (scale, worst):
        sub.add_argument("--option", action="append", default=[], help="handed to tamis curate dedup")
    return parser


def main() -> None:
    options = arguments().parse_args()
    options.job(options)


if __name__ == "__main__":
    main()
