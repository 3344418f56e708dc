"""Write fixtures/golden/crawl.json from a finished run of fixtures/recipes/crawl.yaml.

    tamis curate run fixtures/recipes/crawl.yaml -o out/demo && python scripts/make_golden.py out/demo

The golden file says where every record went and what the kept texts are. Look at its diff before you commit it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

GOLDEN = Path(__file__).resolve().parent.parent / "fixtures" / "golden" / "crawl.json"
LIBRARIES = ("resiliparse", "fasttext-community")
"""Their versions decide what texts and languages come out."""


def golden(folder: Path) -> dict[str, Any]:
    """Return what a run made of every record, by source."""
    records: dict[str, Any] = {}
    for part in sorted(folder.glob("part-*.parquet")):
        for row in pq.read_table(part).to_pylist():
            text = hashlib.sha256(row["text"].encode()).hexdigest()[:16]
            records[row["source"]] = {"id": row["id"], "kept": text, "language": row["language"]}
    for part in sorted((folder / "dropped").glob("part-*.parquet")):
        for row in pq.read_table(part).to_pylist():
            fate = f"{row['stage']}: {row['reason']}"
            records[row["source"]] = {"id": row["id"], row["outcome"]: fate, "rule": row["rule"]}
    report = json.loads((folder / "report.json").read_text())
    return {
        "versions": {name: version(name) for name in LIBRARIES},
        "total": report["total"],
        "records": dict(sorted(records.items())),
    }


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(Path(sys.argv[1])), indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    print(GOLDEN)
