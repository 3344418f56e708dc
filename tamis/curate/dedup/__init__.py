"""Deduplication across all shards: by URL, by text, by near-duplicate families."""

from tamis.curate.dedup.exact import ExactDedup
from tamis.curate.dedup.minhash import MinhashDedup
from tamis.curate.dedup.url import UrlDedup

__all__ = ["ExactDedup", "MinhashDedup", "UrlDedup"]
