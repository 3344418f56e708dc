"""datasketch: ``python peer_datasketch.py IN.parquet OUT.parquet [--bands 21] [--rows 6] [--estimate 0.8]``.

MinHash(128, affine32) over xxh32 of word 5-grams, one MinHashLSH; a document goes when the estimate for a kept one of
its buckets reaches the threshold. The usual script, with a cheaper hash than the default SHA-1.
"""

from __future__ import annotations

import argparse

import xxhash
from datasketch import MinHash, MinHashLSH
from peer_shingles import batches, shingles, write_kept

parser = argparse.ArgumentParser()
parser.add_argument("source")
parser.add_argument("out")
parser.add_argument("--bands", type=int, default=21)
parser.add_argument("--rows", type=int, default=6)
parser.add_argument("--estimate", type=float, default=0.8)
options = parser.parse_args()

index = MinHashLSH(num_perm=128, params=(options.bands, options.rows))
kept: dict[int, MinHash] = {}
keep: list[bool] = []
for batch in batches(options.source):
    values = ([text.encode() for text in shingles(one)] for one in batch["text"])
    for signature in MinHash.bulk(values, num_perm=128, seed=1, hashfunc=xxhash.xxh32_intdigest, scheme="affine32"):
        number = len(keep)
        stays = all(signature.jaccard(kept[other]) < options.estimate for other in index.query(signature))
        if stays:
            index.insert(number, signature, check_duplication=False)
            kept[number] = signature
        keep.append(stays)
write_kept(options.source, keep, options.out)
