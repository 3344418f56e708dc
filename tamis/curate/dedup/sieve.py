"""The greedy pass over one batch: documents in keeper order, each against the kept ones in its buckets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tamis.curate.dedup.pairs import save_pairs
from tamis.curate.dedup.records import keeper_order
from tamis.curate.dedup.sets import Section, read_members, read_section

VERIFY: Final = {"jaccard": 0, "containment": 1, "none": 2}
"""Numbers by which the kernels of ``tamis.curate.dedup.greedy`` know the ways to verify."""

Sets = tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Rule:
    """How the sieve decides."""

    threshold: float
    limit: int
    """Kept documents that a bucket remembers."""
    verify: str
    n_fixed: int
    """Documents of an index: the first ones by number. They stay, and are compared with none."""


class Ranked(NamedTuple):
    """The documents of a section from the best keeper to the worst, and what the kernels need of them."""

    docs: NDArray[np.int64]
    sets: Sets
    buckets_of: tuple[NDArray[np.int64], NDArray[np.int64]]
    """Bounds and buckets of each document."""
    sizes: NDArray[np.int64]
    """Members of each bucket."""
    keys: NDArray[np.uint64]
    """What the buckets are called in all sections."""
    fixed: int


def ranked(sources: tuple[Sequence[Path], Sequence[Path]], section: int, n_fixed: int) -> Ranked:
    """Read a section from its set and member folders and put it into keeper order."""
    from tamis.curate.dedup import greedy  # compiled kernels: only workers load them

    found: Section = read_section(sources[0], section)
    numbers = found.entries["doc"].astype(np.int64)
    fixed = numbers < n_fixed
    best = keeper_order(found.entries["record"], fixed)
    rank = np.empty(len(best), np.int64)
    rank[best] = np.arange(len(best))
    docs, buckets = read_members(sources[1], section)
    at = np.searchsorted(numbers, docs)
    owners = rank[at]
    # Members of one bucket lie together; where weak links were dropped, a bucket may reach into several components.
    order = _by_component(found.entries["root"][at], buckets)
    if order is not None:
        owners, buckets, at = owners[order], buckets[order], at[order]
    roots = found.entries["root"][at]
    first = np.ones(len(buckets), np.bool_)
    first[1:] = (buckets[1:] != buckets[:-1]) | (roots[1:] != roots[:-1])
    names = np.cumsum(first) - 1
    begins = np.flatnonzero(first)
    bounds, listed = greedy.listed(owners, names, len(numbers))
    starts = found.starts[best]
    sets = (found.hashes, starts, starts + found.entries["size"][best].astype(np.int64))
    sizes = np.diff(np.append(begins, len(buckets)))
    return Ranked(numbers[best], sets, (bounds, listed), sizes, buckets[begins], int(fixed.sum()))


def _by_component(roots: NDArray[np.uint32], buckets: NDArray[np.uint64]) -> NDArray[np.int64] | None:
    """Return an order that puts the members of a bucket with one root together, or None where they already are."""
    if not ((buckets[1:] == buckets[:-1]) & (roots[1:] != roots[:-1])).any():
        return None
    order: NDArray[np.int64] = np.lexsort((roots, buckets))
    return order


class Verdicts(NamedTuple):
    """What the sieve said of a section."""

    keeper: NDArray[np.int64]
    """Rank of the keeper of each document; -1 where it stays, -2 where it was removed before."""
    value: NDArray[np.float64]
    begins: NDArray[np.int64]
    filled: NDArray[np.int64]
    members: NDArray[np.int64]
    """Kept documents that each bucket remembers, from ``begins`` on."""
    overflow: int
    compared: int


def judge(
    these: Ranked, rule: Rule, before: NDArray[np.int64] | None = None, gone: NDArray[np.bool_] | None = None
) -> Verdicts:
    """Sieve a section. ``before`` says how many each bucket remembers already, ``gone`` which documents are out."""
    from tamis.curate.dedup import greedy

    room = np.minimum(these.sizes, rule.limit if before is None else np.maximum(rule.limit - before, 0))
    capacity = np.concatenate([np.zeros(1, np.int64), np.cumsum(room)])
    keeper, value = np.full(len(these.docs), -1, np.int64), np.zeros(len(these.docs))
    if gone is not None:
        keeper[gone] = -2
    members = np.empty(int(capacity[-1]), np.int64)
    per_doc = np.diff(these.buckets_of[0]).max(initial=0)
    settings = (
        rule.threshold,
        int(per_doc) * int(room.max(initial=0)),
        VERIFY[rule.verify],
        these.fixed,
    )
    filled, overflow, compared = greedy.sieve(
        these.sets, these.buckets_of, capacity, settings, (keeper, value, members)
    )
    return Verdicts(keeper, value, capacity[:-1], filled, members, int(overflow), int(compared))


def sieve_batch(sources: tuple[Sequence[Path], Sequence[Path]], section: int, rule: Rule, out: Path) -> dict[str, Any]:
    """Sieve one batch of components; write its pairs of removed document and keeper."""
    these = ranked(sources, section, rule.n_fixed)
    found = judge(these, rule)
    gone = np.flatnonzero(found.keeper >= 0)
    save_pairs(out, these.docs[gone], these.docs[found.keeper[gone]], found.value[gone])
    return {"removed": len(gone), "overflow": found.overflow, "compared": found.compared}
