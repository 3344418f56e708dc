"""MinHash signatures, text to signature, against datasketch given the shingle hashes, in one run on the same texts.

    python benchmarks/signatures.py TEXTS [--megabytes 40] [--repeats 3]

TEXTS is a Parquet or JSON lines file with a text column. One core; CPU seconds; medians. datasketch does less here: its
figure has no tokenising in it, since the shingle hashes are handed to it ready made.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq


def load(path: str, limit: int) -> pa.Array:
    table = pq.read_table(path, columns=["text"]) if path.endswith(".parquet") else pyarrow.json.read_json(path)
    texts = table.column("text").combine_chunks()
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.chunk(0)
    sizes = np.cumsum(pa.compute.binary_length(texts).to_numpy())
    return texts.slice(0, int(np.searchsorted(sizes, limit)) + 1)


def timed(job: Callable[[], Any], repeats: int) -> float:
    job()
    seconds = []
    for _ in range(repeats):
        begin = time.process_time()
        job()
        seconds.append(time.process_time() - begin)
    return statistics.median(seconds)


def compare(texts: pa.Array, name: str, repeats: int) -> None:
    """Time both on one shingle definition and print a line."""
    from datasketch import MinHash

    from tamis.text import TextBatch
    from tamis.text.minhash import MinHasher
    from tamis.text.shingles import Shingling, shingle_hashes

    shingling = Shingling.parse(name)
    hasher = MinHasher(shingling, 128, 1)
    batches = [TextBatch(texts.slice(start, 256)) for start in range(0, len(texts), 256)]
    ours = timed(lambda: [hasher.band_keys(batch, 21, 6) for batch in batches], repeats)
    few, given = batches[:8], []
    for batch in few:
        hashes, offsets = shingle_hashes(batch, shingling)
        high = (hashes >> np.uint64(32)).astype(np.uint64)
        given += [high[a:b].tolist() for a, b in itertools.pairwise(offsets)]
    theirs = timed(
        lambda: [MinHash(128, seed=1, hashfunc=int, scheme="affine32").update_batch(values) for values in given], 1
    )
    size, part = (sum(int(batch.n_bytes.sum()) for batch in some) / 1e6 for some in (batches, few))
    print(
        f"{name}: tamis {size / ours:7.1f} MB/s per core ({size:.1f} MB), datasketch, hashes given, "
        f"{part / theirs:7.1f} MB/s, ratio {size / ours / (part / theirs):.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts")
    parser.add_argument("--megabytes", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    texts = load(options.texts, options.megabytes << 20)
    for name in ("word:5", "char:5"):
        compare(texts, name, options.repeats)


if __name__ == "__main__":
    main()
