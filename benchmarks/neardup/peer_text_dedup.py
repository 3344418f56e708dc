"""text-dedup: ``python peer_text_dedup.py IN.parquet OUT_FOLDER [--bands 16] [--rows 8]``.

Its own program (``text_dedup.minhash``) with a configuration file, 128 hashes, word 5-grams, threshold 0.8, all cores,
no check of false positives (its default; with it, every pair of a cluster is compared). It writes an Arrow folder,
which is read once more to leave Parquet, as everybody else does.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("source")
parser.add_argument("out")
parser.add_argument("--bands", type=int, default=16)
parser.add_argument("--rows", type=int, default=8)
parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
options = parser.parse_args()

SETTINGS = """
[input]
input_type = "local_files"
file_type = "parquet"
[input.read_arguments]
path = "parquet"
data_files = "{source}"
split = "train"
cache_dir = "{work}/cache"
[algorithm]
algorithm_name = "minhash"
text_column = "text"
seed = 1
num_proc = {processes}
num_perm = 128
threshold = 0.8
ngram_size = 5
bands = {bands}
rows = {rows}
hash_bits = 64
min_length = 1
[output]
output_dir = "{work}/out"
[debug]
enable_profiling = false
"""

with tempfile.TemporaryDirectory() as work:
    Path(work, "config.toml").write_text(
        SETTINGS.format(**vars(options) | {"source": Path(options.source).resolve(), "work": work})
    )
    subprocess.run([sys.executable, "-m", "text_dedup.minhash"], cwd=work, check=True)
    Path(options.out).mkdir(parents=True, exist_ok=True)
    from datasets import load_from_disk

    load_from_disk(f"{work}/out").to_parquet(f"{options.out}/kept.parquet")
