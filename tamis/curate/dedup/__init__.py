"""Deduplication across all shards: of documents by URL, text or family, of lines, sentences and substrings in them."""

from tamis.curate.dedup.exact import ExactDedup
from tamis.curate.dedup.line import LineDedup
from tamis.curate.dedup.minhash import MinhashDedup
from tamis.curate.dedup.paragraph import ParagraphDedup
from tamis.curate.dedup.sentence import SentenceDedup
from tamis.curate.dedup.substring import SubstringDedup
from tamis.curate.dedup.url import UrlDedup

__all__ = [
    "ExactDedup",
    "LineDedup",
    "MinhashDedup",
    "ParagraphDedup",
    "SentenceDedup",
    "SubstringDedup",
    "UrlDedup",
]
