"""Compiled kernels: union-find over buckets, and the greedy sieve with exact Jaccard."""

from __future__ import annotations

import numba
import numpy as np


def warm() -> None:
    """Compile every kernel of this module, or load it from numba's cache."""
    none, one = np.zeros(1, np.int64), np.array([0, 1])
    parent = np.zeros(1, np.uint32)
    join(parent, parent, one)
    roots(parent, none)
    hashes = np.zeros(1, np.uint64)
    stored = hashes.copy()
    stored.flags.writeable = False  # as a mapped file is: another type to the compiler
    gather(stored, one, (none, none), hashes)
    sieve((hashes, one), (one, none), one, (0.8, 2))


@numba.njit(nogil=True, cache=True)
def _root(parent, doc):  # type: ignore[no-untyped-def]
    while parent[doc] != doc:
        parent[doc] = parent[parent[doc]]  # halve the path
        doc = np.int64(parent[doc])
    return doc


@numba.njit(nogil=True, cache=True)
def join(parent, members, bounds):  # type: ignore[no-untyped-def]
    """Join the members of each bucket; the least document number is the root, whatever the order."""
    for bucket in range(len(bounds) - 1):
        a = _root(parent, np.int64(members[bounds[bucket]]))
        for i in range(bounds[bucket] + 1, bounds[bucket + 1]):
            b = _root(parent, np.int64(members[i]))
            if a < b:
                parent[b] = a
            elif b < a:
                parent[a] = b
                a = b


@numba.njit(nogil=True, cache=True)
def roots(parent, docs):  # type: ignore[no-untyped-def]
    """Return the root of each document."""
    out = np.empty(len(docs), np.uint32)
    for i in range(len(docs)):
        out[i] = _root(parent, docs[i])
    return out


@numba.njit(nogil=True, cache=True)
def gather(hashes, offsets, chosen, out):  # type: ignore[no-untyped-def]
    """Copy the chosen sets into ``out``: set ``source[i]`` to position ``target[i]``."""
    source, target = chosen
    for i in range(len(source)):
        start, end = offsets[source[i]], offsets[source[i] + 1]
        out[target[i] : target[i] + end - start] = hashes[start:end]


@numba.njit(nogil=True, cache=True)
def _needed(total, threshold):  # type: ignore[no-untyped-def]
    """Return the least intersection with which two sets of ``total`` members together reach the threshold."""
    shared = max(np.int64(threshold / (1.0 + threshold) * total) - 2, np.int64(0))
    while shared / (total - shared) < threshold:
        shared += 1
    return shared


@numba.njit(nogil=True, cache=True)
def _shared(hashes, a, a_end, b, b_end, needed):  # type: ignore[no-untyped-def]
    """Return the size of the intersection of two sorted sets, or -1 as soon as it cannot reach ``needed``."""
    spare_a, spare_b = a_end - a - needed, b_end - b - needed
    shared = 0
    while a < a_end and b < b_end:
        left, right = hashes[a], hashes[b]
        if left == right:
            shared += 1
            a += 1
            b += 1
        elif left < right:
            a += 1
            spare_a -= 1
            if spare_a < 0:
                return -1
        else:
            b += 1
            spare_b -= 1
            if spare_b < 0:
                return -1
    return shared if shared >= needed else -1


@numba.njit(nogil=True, cache=True)
def _candidates(buckets_of, doc, state, found):  # type: ignore[no-untyped-def]
    """Write the kept members of the buckets of ``doc``, each once, best first, into ``found``; return how many."""
    bounds, buckets = buckets_of
    begins, filled, members, stamp = state
    n = 0
    for i in range(bounds[doc], bounds[doc + 1]):
        bucket = buckets[i]
        for j in range(begins[bucket], begins[bucket] + filled[bucket]):
            other = members[j]
            if stamp[other] != doc:
                stamp[other] = doc
                found[n] = other
                n += 1
    found[:n].sort()
    return n


@numba.njit(nogil=True, cache=True)
def sieve(sets, buckets_of, sizes, settings):  # type: ignore[no-untyped-def]  # long: one loop over shared state
    """Take documents from the best keeper to the worst; remove those that are near a kept one.

    Args:
        sets: Sorted hashes of all documents, and their bounds of shape (n + 1,); documents in keeper order.
        buckets_of: Bounds of shape (n + 1,) into the bucket numbers of each document.
        sizes: Bounds of shape (buckets + 1,): how many documents each bucket has.
        settings: Threshold, and how many kept documents a bucket remembers.

    Returns:
        Keeper of each document (-1 where it is kept itself), their Jaccard similarity, the number of times a kept
        document found a bucket full, and the number of comparisons. A document is compared with every kept one in its
        buckets, best first; nothing that is kept is ever removed, so whatever a removed one points at stays.
    """
    hashes, offsets = sets
    bounds, buckets = buckets_of
    threshold, limit = settings
    n, n_buckets = len(offsets) - 1, len(sizes) - 1
    begins = np.zeros(n_buckets + 1, np.int64)
    for bucket in range(n_buckets):
        begins[bucket + 1] = begins[bucket] + min(sizes[bucket + 1] - sizes[bucket], limit)
    filled = np.zeros(n_buckets, np.int64)
    members = np.empty(begins[n_buckets], np.int64)
    state = (begins, filled, members, np.full(n, -1, np.int64))
    most = 0
    for doc in range(n):
        most = max(most, bounds[doc + 1] - bounds[doc])
    found = np.empty(most * limit, np.int64)
    keeper, value = np.full(n, -1, np.int64), np.zeros(n)
    overflow, compared = 0, 0
    for doc in range(n):
        size = offsets[doc + 1] - offsets[doc]
        for i in range(_candidates(buckets_of, doc, state, found)):
            other = found[i]
            other_size = offsets[other + 1] - offsets[other]
            if min(size, other_size) / max(size, other_size) < threshold:
                continue
            compared += 1
            needed = _needed(size + other_size, threshold)
            shared = _shared(hashes, offsets[doc], offsets[doc + 1], offsets[other], offsets[other + 1], needed)
            if shared >= 0:
                keeper[doc], value[doc] = other, shared / (size + other_size - shared)
                break
        if keeper[doc] >= 0:
            continue
        for i in range(bounds[doc], bounds[doc + 1]):
            bucket = buckets[i]
            if begins[bucket] + filled[bucket] < begins[bucket + 1]:
                members[begins[bucket] + filled[bucket]] = doc
                filled[bucket] += 1
            else:
                overflow += 1
    return keeper, value, overflow, compared
