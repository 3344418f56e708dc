"""rensa: ``python peer_rensa.py IN.parquet OUT.parquet [--bands 21]``: RMinHash(128) and its own deduplicator.

Word 5-grams made in Python, hashed and signed in rensa; ``RMinHashDeduplicator`` keeps the first of what its index and
signatures call similar at 0.8.
"""

from __future__ import annotations

import argparse

from peer_shingles import batches, shingles, write_kept
from rensa import RMinHash, RMinHashDeduplicator

parser = argparse.ArgumentParser()
parser.add_argument("source")
parser.add_argument("out")
parser.add_argument("--bands", type=int, default=16)
options = parser.parse_args()

dedup = RMinHashDeduplicator(0.8, 128, True, options.bands, 1)
keep: list[bool] = []
for batch in batches(options.source):
    signatures = RMinHash.from_token_sets([list(shingles(text)) for text in batch["text"]], 128, 1)
    start = len(keep)
    keep += dedup.add_pairs([(str(start + i), signature) for i, signature in enumerate(signatures)])
write_kept(options.source, keep, options.out)
