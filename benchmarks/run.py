"""Run the side-by-side benchmarks that the given files allow: ``python benchmarks/run.py [TEXTS] [ARCHIVE...]``.

TEXTS is a Parquet or JSON lines file with a text column (100 MB or more of real text for stable figures; Parquet with
id and text is also deduplicated); ARCHIVEs are per-record-gzip WARC files. Without arguments the fixtures are used:
enough to see that the scripts run, no more.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parent / "fixtures" / "crawl"


def main(arguments: list[str]) -> int:
    archives = [name for name in arguments if ".warc" in name or ".arc" in name]
    texts = [name for name in arguments if name not in archives] or [str(FIXTURES / "articles.jsonl")]
    small = not arguments
    jobs = [
        ["rules.py", texts[0], *(["--peer-mb", "1"] if small else [])],
        ["signatures.py", texts[0]],
        ["ingest.py", *(archives or [str(FIXTURES / "site-a.warc.gz")]), *(["--megabytes", "5"] if small else [])],
        ["dedup.py", "scale", *(["2000", "20000"] if small else ["100000", "1000000"])],
        ["dedup.py", "worst", "--documents", "20000" if small else "1000000"],
        *(["dedup.py", "jobs", name] for name in texts if name.endswith(".parquet")),
    ]
    failed = 0
    for script, *rest in jobs:
        print(f"\n== {script} {' '.join(rest)}", flush=True)
        failed |= subprocess.run([sys.executable, str(HERE / script), *rest], check=False).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
