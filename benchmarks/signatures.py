"""MinHash signatures, text to band keys, against datasketch given the shingle hashes, in one run on the same texts.

    python benchmarks/signatures.py TEXTS [--megabytes 40] [--repeats 5]

TEXTS is a Parquet or JSON lines file with a text column; also cut into texts of 800 characters, and joined into one.
One core; CPU seconds; medians of runs that take turns, since a shared machine has good and bad minutes. datasketch does
less here: its figure has no tokenising in it, since the shingle hashes are handed to it ready made.
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

Job = tuple[int, Callable[[], Any]]


def load(path: str, limit: int) -> pa.Array:
    table = pq.read_table(path, columns=["text"]) if path.endswith(".parquet") else pyarrow.json.read_json(path)
    texts = table.column("text").combine_chunks()
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.chunk(0)
    sizes = np.cumsum(pa.compute.binary_length(texts).to_numpy())
    return texts.slice(0, int(np.searchsorted(sizes, limit)) + 1)


def shaped(texts: pa.Array) -> dict[str, pa.Array]:
    """Return the same text as it is, in short texts, and as one."""
    joined = "\n".join(texts.to_pylist())
    short = [joined[at : at + 800] for at in range(0, len(joined), 800)]
    return {"as given": texts, "800 chars": pa.array(short), "one text": pa.array([joined], pa.large_string())}


def ours(texts: pa.Array, name: str, scheme: str) -> Job:
    """Return a job that makes band keys, and its bytes."""
    from tamis.text import TextBatch
    from tamis.text.minhash import MinHasher
    from tamis.text.shingling import Shingling

    hasher = MinHasher(Shingling.parse(name), scheme=scheme)
    batches = [TextBatch(texts.slice(start, 256)) for start in range(0, len(texts), 256)]
    size = sum(int(batch.n_bytes.sum()) for batch in batches)
    return size, lambda: [hasher.band_keys(batch, 21, 6) for batch in batches]


def sketched(texts: pa.Array, name: str, scheme: str) -> Job:
    """Return a job that makes datasketch's signatures of the shingle hashes of some texts, and the bytes of these."""
    from datasketch import MinHash

    from tamis.text import TextBatch
    from tamis.text.shingles import shingle_hashes
    from tamis.text.shingling import Shingling

    batch = TextBatch(texts.slice(0, 512))
    hashes, offsets = shingle_hashes(batch, Shingling.parse(name))
    high = hashes >> np.uint64(32)
    given = [high[a:b].tolist() for a, b in itertools.pairwise(offsets)]

    def sign() -> None:
        for values in given:
            MinHash(128, seed=1, hashfunc=int, scheme=scheme).update_batch(values)

    return int(batch.n_bytes.sum()), sign


def compare(texts: pa.Array, repeats: int) -> None:
    """Time all of them in turns and print a table."""
    jobs: dict[tuple[str, str, str], Job] = {}
    for name in ("word:5", "char:5"):
        for shape, some in shaped(texts).items():
            jobs[name, "tamis affine32", shape] = ours(some, name, "affine32")
        for scheme in ("affine32", "legacy"):
            jobs[name, f"tamis {scheme}", "as given"] = ours(texts, name, scheme)
            jobs[name, f"datasketch {scheme}", "hashes given"] = sketched(texts, name, scheme)
    seconds: dict[tuple[str, str, str], list[float]] = {key: [] for key in jobs}
    for turn in range(repeats + 1):
        for key, (_, job) in jobs.items():
            begin = time.process_time()
            job()
            if turn:  # the first one compiles
                seconds[key].append(time.process_time() - begin)
    for key, (size, _) in jobs.items():
        print("{:8}{:22}{:14}".format(*key) + f"{size / 1e6 / statistics.median(seconds[key]):8.1f} MB/s per core")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts")
    parser.add_argument("--megabytes", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    texts = load(options.texts, options.megabytes << 20)
    compare(texts, options.repeats)


if __name__ == "__main__":
    main()
