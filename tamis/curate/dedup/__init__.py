"""Deduplication across all shards: by URL, by text, by near-duplicate families."""

from typing import Final

from tamis.curate.dedup.exact import ExactDedup
from tamis.curate.dedup.minhash import MinhashDedup
from tamis.curate.dedup.url import UrlDedup

STAGES: Final = {stage.kind: stage for stage in (UrlDedup, ExactDedup, MinhashDedup)}
"""Every dedup stage by its name."""

__all__ = ["STAGES", "ExactDedup", "MinhashDedup", "UrlDedup"]
