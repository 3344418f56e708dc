"""CPU time of one tool's MinHash signatures: ``python peer_signatures.py TOOL IN.parquet [--megabytes 40]``.

From text to 128 values a document, all steps of the tool included; one JSON line out. The texts are in memory before
the clock starts, and a tenth of them has gone through the tool once.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def load(path: str, megabytes: float) -> pa.Array:
    """Return every k-th text, about so many MB of them."""
    texts = pq.read_table(path, columns=["text"]).column("text").cast(pa.string())
    size = pc.sum(pc.binary_length(texts)).as_py() / 1e6
    step = max(1, round(size / megabytes))
    return pa.concat_arrays(texts.take(pa.array(range(0, len(texts), step))).chunks)


def tamis(shingle: str) -> Callable[[pa.Array], Any]:
    from tamis.text import TextBatch
    from tamis.text.minhash import MinHasher
    from tamis.text.shingles import Shingling

    hasher = MinHasher(Shingling.parse(shingle), 128, 1)
    return lambda texts: [hasher.signatures(TextBatch(texts.slice(at, 256))) for at in range(0, len(texts), 256)]


def daft(normalised: bool) -> Callable[[pa.Array], Any]:
    import daft
    from daft.functions import minhash, normalize

    text = daft.col("text")
    if normalised:
        text = normalize(text, remove_punct=True, lowercase=True, nfd_unicode=False, white_space=True)
    signed = minhash(text, num_hashes=128, ngram_size=5, seed=1, hash_function="xxhash")
    return lambda texts: daft.from_arrow(pa.table({"text": texts})).select(signed.alias("signature")).collect()


def datatrove(language: str) -> Callable[[pa.Array], Any]:
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.utils.hashing import HashConfig

    settings = MinhashConfig(hash_config=HashConfig(precision=64), num_buckets=16, hashes_per_bucket=8, n_grams=5)
    step = MinhashDedupSignature(tempfile.mkdtemp(), settings, language=language)

    def sign(texts: pa.Array) -> None:
        for text in texts.to_pylist():
            shingles = step.get_shingles(text)
            if shingles.size:
                step.get_signature(shingles)

    return sign


def datasketch() -> Callable[[pa.Array], Any]:
    import xxhash
    from datasketch import MinHash
    from peer_shingles import shingles

    def sign(texts: pa.Array) -> list[Any]:
        values = ([run.encode() for run in shingles(text)] for text in texts.to_pylist())
        made: list[Any] = MinHash.bulk(values, num_perm=128, seed=1, hashfunc=xxhash.xxh32_intdigest, scheme="affine32")
        return made

    return sign


def rensa() -> Callable[[pa.Array], Any]:
    from peer_shingles import shingles
    from rensa import RMinHash

    return lambda texts: RMinHash.from_token_sets([list(shingles(text)) for text in texts.to_pylist()], 128, 1)


TOOLS: dict[str, Callable[[], Callable[[pa.Array], Any]]] = {
    "tamis word:5": lambda: tamis("word:5"),
    "tamis char:5": lambda: tamis("char:5"),
    "daft raw text": lambda: daft(False),
    "daft normalised": lambda: daft(True),
    "datatrove": lambda: datatrove("eng"),
    "datatrove zh": lambda: datatrove("zho"),
    "datasketch": datasketch,
    "rensa": rensa,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("source")
    parser.add_argument("--megabytes", type=float, default=40)
    options = parser.parse_args()
    texts = load(options.source, options.megabytes)
    sign = TOOLS[options.tool]()
    sign(texts.slice(0, max(len(texts) // 10, 1)))
    begin, wall = time.process_time(), time.perf_counter()
    sign(texts)
    cost = {"cpu": time.process_time() - begin, "wall": time.perf_counter() - wall}
    print(json.dumps(cost | {"megabytes": (pc.sum(pc.binary_length(texts)).as_py() or 0) / 1e6, "texts": len(texts)}))


if __name__ == "__main__":
    main()
