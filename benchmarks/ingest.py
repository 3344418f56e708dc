"""Ingest against a bare FastWARC + resiliparse loop on the same archives in the same run, and memory over time.

    python benchmarks/ingest.py ARCHIVE... [--megabytes 500] [--repeats 3]

ARCHIVES are per-record-gzip WARC files; they are joined (which the format allows) until the size is reached. Prints CPU
seconds per pass with medians, the ratio, and the resident memory of the whole process tree of
`tamis curate ingest --workers 2` over time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def bare(path: Path) -> tuple[int, int]:
    """The least a reader can do: every good HTML response, decoded and extracted. Returns pages and characters."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    pages = characters = 0
    with path.open("rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response, auto_decode="all"):
            if record.http_headers is None or "html" not in (record.http_content_type or ""):
                continue
            if not str(record.http_headers.status_code).startswith("2"):
                continue
            body = record.reader.read()
            pages += 1
            characters += len(extract_plain_text(bytes_to_str(body, detect_encoding(body)), main_content=True))
    return pages, characters


def ours(path: Path) -> tuple[int, int]:
    """The task a worker runs, on the whole file."""
    from tamis.curate.ingest import Ingest, ingest_slices
    from tamis.curate.plan import group_slices, plan_files

    files, _ = plan_files([str(path)])
    pages = characters = 0
    for slices in group_slices(files, 64 << 20):
        with tempfile.TemporaryDirectory() as out:
            counts = ingest_slices(slices, Ingest(), Path(out))["counts"]
        pages += counts["kept"][0]
        characters += counts["kept"][2]
    return pages, characters


def joined(archives: list[str], size: int, target: Path) -> None:
    parts = [Path(name).read_bytes() for name in archives]
    written = 0
    with target.open("wb") as out:
        while written < size:
            for part in parts:
                written += out.write(part)


def memory(path: Path, out: Path) -> list[tuple[float, int]]:
    """Run the command and sample the resident memory of its process tree, in bytes."""
    import psutil

    begin = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "tamis", "curate", "ingest", str(path), "-o", str(out), "--workers", "2", "--fresh"],
        stderr=subprocess.DEVNULL,
    )
    samples = []
    root = psutil.Process(process.pid)
    while process.poll() is None:
        total = 0
        for member in [root, *root.children(recursive=True)]:
            try:
                total += member.memory_info().rss
            except psutil.Error:
                continue
        samples.append((time.monotonic() - begin, total))
        time.sleep(0.5)
    assert process.returncode == 0
    return samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archives", nargs="+")
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    from tamis.run.task import cpu_seconds, settle_collector

    cores = os.sched_getaffinity(0)
    settle_collector()  # as in a worker
    with tempfile.TemporaryDirectory() as scratch:
        big, small = Path(scratch) / "big.warc.gz", Path(scratch) / "small.warc.gz"
        joined(options.archives, options.megabytes << 20, big)
        joined(options.archives, min(options.megabytes, 60) << 20, small)
        os.sched_setaffinity(0, {min(cores)})  # per core: both processes of ours on the one that the loop has
        ours(small)  # compile and load before the clock starts
        times: dict[str, list[float]] = {"bare": [], "tamis": []}
        for _ in range(options.repeats):
            for name, job in (("bare", bare), ("tamis", ours)):
                begin = cpu_seconds()
                pages, _ = job(small)
                times[name].append(cpu_seconds() - begin)
                size = small.stat().st_size / 1e6
                print(
                    f"{name:6} {times[name][-1]:7.2f} CPU s {pages:8,} pages {size / times[name][-1]:7.1f} MB/s stored"
                )
        ratio = statistics.median(times["tamis"]) / statistics.median(times["bare"])
        print(f"median CPU tamis / bare: {ratio:.3f}")
        os.sched_setaffinity(0, cores)
        samples = memory(big, Path(scratch) / "out")
        third = max(len(samples) // 3, 1)
        levels = [
            max(rss for _, rss in part) / 2**20 for part in (samples[:third], samples[third:-third], samples[-third:])
        ]
        size = big.stat().st_size / 1e6
        print(f"{size:.0f} MB, 2 workers: {samples[-1][0]:.0f} s, peak RSS of the tree per third of the run:")
        print("  " + ", ".join(f"{level:.0f} MiB" for level in levels))


if __name__ == "__main__":
    main()
