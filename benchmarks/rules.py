"""Four rule families, tamis beside datatrove: CPU seconds on the same documents in one process, decisions compared.

    python benchmarks/rules.py CORPUS.parquet [--column text] [--peer-mb 4] [--runs 3]

Needs the ``peers`` extra. CORPUS: Parquet or JSONL(.gz) of English documents, 100 MB or more for the first table.
"Cold" is an empty chunk table, filling included; kernels are compiled before anything is timed. Everything is one core.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
BATCH = 256


def read(path: str, column: str) -> Any:
    """Return the texts as one Arrow array."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.endswith(".parquet"):
        texts = pq.read_table(path, columns=[column]).column(column)
        return pa.concat_arrays(texts.cast(pa.large_string()).chunks).drop_null()
    with gzip.open(path, "rt") if path.endswith(".gz") else Path(path).open(encoding="utf-8") as lines:
        return pa.array([json.loads(line)[column] for line in lines], pa.large_string()).drop_null()


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def ours(texts: Any, table: Any) -> dict[str, Any]:
    """Measure all four families, in batches; return the signals."""
    import numpy as np

    from tamis.text import en
    from tamis.text.batch import TextBatch

    parts = []
    for at in range(0, len(texts), BATCH):
        view = en.en_view(TextBatch(texts.slice(at, BATCH)), table)
        parts.append({name: values for family in view.signals.values() for name, values in family.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def peers() -> dict[str, Any]:
    """Return datatrove's four filters with their defaults; C4 last, because it empties the shared token cache."""
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )

    return {
        "quality": GopherQualityFilter(),
        "repetition": GopherRepetitionFilter(),
        "fineweb": FineWebQualityFilter(),
        "c4": C4QualityFilter(),
    }


def peer_decisions(filters: dict[str, Any], documents: list[str]) -> dict[str, list[bool]]:
    """Return what datatrove keeps, filter by filter; every filter sees every document."""
    from datatrove.data import Document

    kept: dict[str, list[bool]] = {name: [] for name in filters}
    for text in documents:
        for name, rule in filters.items():
            kept[name].append(rule.filter(Document(text=text, id="")) is True)
    return kept


LIMITS: dict[str, list[tuple[str, float, float]]] = {
    "quality": [
        ("n_words", 50, 100_000),
        ("mean_word_length", 3, 10),
        ("hash_ratio", 0, 0.1),
        ("ellipsis_ratio", 0, 0.1),
        ("bullet_lines", 0, 0.9),
        ("ellipsis_lines", 0, 0.3),
        ("alpha_ratio", 0.8, 1),
        ("stop_words", 2, 8),
    ],
    "repetition": [
        ("dup_para_frac", 0, 0.3),
        ("dup_para_char_frac", 0, 0.2),
        ("dup_line_frac", 0, 0.3),
        ("dup_line_char_frac", 0, 0.2),
        *((f"top_{n}_gram", 0, limit) for n, limit in ((2, 0.2), (3, 0.18), (4, 0.16))),
        *(
            (f"dup_{n}_gram", 0, limit)
            for n, limit in zip(range(5, 11), (0.15, 0.14, 0.13, 0.12, 0.11, 0.1), strict=True)
        ),
    ],
    "fineweb": [
        ("line_punct_ratio", 0.12, 1),
        ("short_line_ratio", 0, 0.67),
        ("char_dup_ratio", 0, 0.01),
        ("newline_ratio", 0, 0.3),
    ],
    "c4": [("lorem_ipsum", 0, 0), ("curly_bracket", 0, 0), ("sentences", 5, float("inf"))],
}


def our_decisions(signals: dict[str, Any]) -> dict[str, Any]:
    """Return what the same thresholds keep; a missing value decides nothing, an empty text is dropped."""
    import numpy as np

    kept = {}
    for family, limits in LIMITS.items():
        keep = np.ones(len(signals["n_tokens"]), bool)
        for name, low, high in limits:
            keep &= ~((signals[name] < low) | (signals[name] > high))
        kept[family] = keep
    kept["repetition"] &= ~np.isnan(signals["dup_para_frac"])
    kept["fineweb"] &= ~np.isnan(signals["line_punct_ratio"])
    return kept


def main() -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    from tamis.text.chunks import ChunkTable

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--column", default="text")
    parser.add_argument("--peer-mb", type=float, default=4.0, help="how much of the corpus datatrove gets")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    texts = read(args.corpus, args.column)
    size = pc.sum(pc.binary_length(texts)).as_py() / 1e6
    step = max(1, round(size / args.peer_mb))
    subset = texts.take(pa.array(range(0, len(texts), step)))
    part = pc.sum(pc.binary_length(subset)).as_py() / 1e6
    documents = subset.to_pylist()
    filters = peers()
    ours(texts.slice(0, 2), None)
    peer_decisions(filters, documents[:2])

    rows: dict[str, list[float]] = {name: [] for name in ("all cold", "all warm", "cold", "warm", "datatrove")}
    agreed: dict[str, int] = {}
    for _ in range(args.runs):
        table = ChunkTable()
        rows["all cold"].append(seconds(lambda table=table: ours(texts, table)))
        rows["all warm"].append(seconds(lambda table=table: ours(texts, table)))
        table = ChunkTable()
        rows["cold"].append(seconds(lambda table=table: ours(subset, table)))
        rows["warm"].append(seconds(lambda table=table: ours(subset, table)))
        theirs: dict[str, list[bool]] = {}
        rows["datatrove"].append(seconds(lambda theirs=theirs: theirs.update(peer_decisions(filters, documents))))
        mine = our_decisions(ours(subset, table))
        agreed = {name: sum(a == b for a, b in zip(theirs[name], mine[name], strict=True)) for name in filters}
    middle = {name: statistics.median(values) for name, values in rows.items()}
    print(f"tamis, {len(texts):,} documents, {size:.1f} MB, median of {args.runs}, CPU seconds of one core")
    for name in ("all cold", "all warm"):
        print(f"  {name[4:]:10} {middle[name]:8.2f} s {size / middle[name]:8.2f} MB/s")
    print(f"side by side, {len(documents):,} documents, {part:.2f} MB")
    for name in ("cold", "warm", "datatrove"):
        ratio = middle["datatrove"] / middle[name]
        print(f"  {name:10} {middle[name]:8.2f} s {part / middle[name]:8.3f} MB/s {ratio:7.1f} x datatrove")
    ratio = (size / middle["all cold"]) / (part / middle["datatrove"])
    print(f"  the whole corpus cold against datatrove's rate: {ratio:.1f} x")
    for name, count in agreed.items():
        print(f"  same decision, {name}: {count} of {len(documents)} ({100 * count / len(documents):.3f} %)")


if __name__ == "__main__":
    main()
