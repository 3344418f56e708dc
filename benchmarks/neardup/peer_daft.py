"""Daft: ``peer_daft.py IN.parquet OUT_FOLDER [--bands 16] [--rows 8] [--verify]``: minhash, bands, group-by, join.

The usual Daft pipeline with the least work: a document goes when it is not the first of one of its buckets; nothing is
verified and no components are built. With ``--verify`` it goes only if its signature agrees with that of the first in
0.8 of all values, which is what a careful user adds when bands are many. Text is normalised (lower case, no
punctuation, white space) because Daft's minhash splits on spaces only: Chinese is not deduplicated in earnest.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import daft
from daft import col
from daft.functions import chunk, minhash, monotonically_increasing_id, normalize

parser = argparse.ArgumentParser()
parser.add_argument("source")
parser.add_argument("out")
parser.add_argument("--bands", type=int, default=16)
parser.add_argument("--rows", type=int, default=8)
parser.add_argument("--verify", action="store_true")
options = parser.parse_args()


@daft.func.batch(return_dtype=daft.DataType.float64())
def agreement(one: daft.Series, other: daft.Series) -> Any:
    """Share of signature values that are equal."""
    import numpy as np

    left, right = (np.asarray(side.to_arrow().flatten()).reshape(-1, 128) for side in (one, other))
    return (left == right).mean(axis=1)


clean = normalize(col("text"), remove_punct=True, lowercase=True, nfd_unicode=False, white_space=True)
signed = minhash(clean, num_hashes=128, ngram_size=5, seed=1, hash_function="xxhash")
documents = daft.read_parquet(options.source).with_column("number", monotonically_increasing_id()).collect()
signatures = documents.select("number", signed.alias("signature"))
if options.verify:  # needed twice then
    signatures = signatures.collect()
buckets = (
    signatures.select("number", chunk(col("signature"), options.rows).alias("values"))
    .explode("values", index_column="band")
    .where(col("band") < options.bands)
    .select("number", "band", col("values").hash().alias("key"))
    .collect()
)
first = (
    buckets.groupby("band", "key")
    .agg(col("number").min().alias("first"), col("number").count().alias("members"))
    .where(col("members") > 1)
)
pairs = buckets.join(first, on=["band", "key"]).where(col("number") > col("first")).select("number", "first").distinct()
if options.verify:
    pairs = (
        pairs.join(signatures, on="number")
        .join(signatures.select(col("number").alias("first"), col("signature").alias("other")), on="first")
        .where(agreement(col("signature"), col("other")) >= 0.8)
    )
gone = pairs.select("number").distinct().collect()
kept = documents.join(gone, on="number", how="anti").exclude("number")
kept.write_parquet(options.out, compression="zstd")
os._exit(0)  # the output is whole; Daft 0.7.26 with a Python function now and then crashes while the interpreter ends
