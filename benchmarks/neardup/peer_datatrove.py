"""datatrove: ``python peer_datatrove.py IN.parquet OUT_FOLDER [--buckets 16] [--hashes 8]``: its four MinHash stages.

Signatures, buckets, clusters and filter as in its own example, one local process each; word 5-grams, English word
tokenizer (spaCy). Clusters are transitive and nothing is verified.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter
from datatrove.utils.hashing import HashConfig

parser = argparse.ArgumentParser()
parser.add_argument("source")
parser.add_argument("out")
parser.add_argument("--buckets", type=int, default=16)
parser.add_argument("--hashes", type=int, default=8)
parser.add_argument("--language", default="eng")
parser.add_argument("--only-signatures", action="store_true")
options = parser.parse_args()


def main() -> None:
    source = Path(options.source).resolve()
    settings = MinhashConfig(
        hash_config=HashConfig(precision=64), num_buckets=options.buckets, hashes_per_bucket=options.hashes, n_grams=5
    )

    def reader() -> Any:
        return ParquetReader(str(source.parent), glob_pattern=source.name)

    with tempfile.TemporaryDirectory() as work:
        steps: list[list[Any]] = [
            [reader(), MinhashDedupSignature(f"{work}/sig", settings, language=options.language)],
            [MinhashDedupBuckets(f"{work}/sig", f"{work}/buckets", config=settings)],
            [MinhashDedupCluster(f"{work}/buckets", f"{work}/remove", config=settings)],
            [
                reader(),
                MinhashDedupFilter(f"{work}/remove", exclusion_writer=ParquetWriter(f"{options.out}/removed")),
                ParquetWriter(f"{options.out}/kept"),
            ],
        ]
        tasks = [1, options.buckets, 1, 1]
        if options.only_signatures:
            steps, tasks = steps[:1], tasks[:1]
        for number, (pipeline, count) in enumerate(zip(steps, tasks, strict=True)):
            LocalPipelineExecutor(pipeline, tasks=count, workers=1, logging_dir=f"{work}/logs{number}").run()


if __name__ == "__main__":
    main()
