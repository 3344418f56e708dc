"""Compiled kernels: the greedy sieve with exact similarity."""

from __future__ import annotations

import numba
import numpy as np

from tamis.curate.dedup.sieve import VERIFY

JACCARD, CONTAINMENT, NONE = VERIFY["jaccard"], VERIFY["containment"], VERIFY["none"]


def warm() -> None:
    """Compile every kernel of this module, or load it from numba's cache."""
    one = np.array([0, 1])
    zero, row = np.zeros(1, np.int64), np.zeros(1, np.int64)
    hashes = np.zeros(1, np.uint64)
    gather(hashes, one, (zero, zero), hashes.copy())
    listed(zero, zero, 1)
    sets = (hashes, zero, one[1:])
    sieve(sets, (one, zero), one, (0.8, 2, JACCARD, 0), (np.full(1, -1, np.int64), np.zeros(1), row))
    compare((sets, sets), (one, zero), (one, zero), (0.8, JACCARD), (np.full(1, -1, np.int64), np.zeros(1)))


@numba.njit(nogil=True, cache=True)
def gather(hashes, offsets, chosen, out):  # type: ignore[no-untyped-def]
    """Copy the chosen sets into ``out``: set ``source[i]`` to position ``target[i]``."""
    source, target = chosen
    for i in range(len(source)):
        start, end = offsets[source[i]], offsets[source[i] + 1]
        out[target[i] : target[i] + end - start] = hashes[start:end]


@numba.njit(nogil=True, cache=True)
def listed(keys, values, n):  # type: ignore[no-untyped-def]
    """Return bounds of shape (n + 1,) and the values of each key from 0 to n - 1, in the order they came."""
    bounds = np.zeros(n + 1, np.int64)
    for i in range(len(keys)):
        bounds[keys[i] + 1] += 1
    for i in range(n):
        bounds[i + 1] += bounds[i]
    free = bounds[:-1].copy()
    out = np.empty(len(values), values.dtype)
    for i in range(len(keys)):
        out[free[keys[i]]] = values[i]
        free[keys[i]] += 1
    return bounds, out


@numba.njit(nogil=True, cache=True)
def _needed(size, other, threshold, verify):  # type: ignore[no-untyped-def]
    """Return the least intersection with which two sets reach the threshold, or -1 where sizes rule it out."""
    if verify == CONTAINMENT:
        shared = max(np.int64(threshold * size) - 2, np.int64(0))
        while shared / size < threshold:
            shared += 1
        return shared if shared <= other else np.int64(-1)
    if min(size, other) / max(size, other) < threshold:
        return np.int64(-1)
    total = size + other
    shared = max(np.int64(threshold / (1.0 + threshold) * total) - 2, np.int64(0))
    while shared / (total - shared) < threshold:
        shared += 1
    return shared


@numba.njit(nogil=True, cache=True)
def _shared(left, a, a_end, right, b, b_end, needed):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Return the size of the intersection of two sorted sets, or -1 as soon as it cannot reach ``needed``."""
    # No branch on which is less: that is what a branch predictor cannot know.
    first, other_first = a, b
    spare_a, spare_b = a_end - a - needed, b_end - b - needed
    shared = np.int64(0)
    while a < a_end and b < b_end:
        one, other = left[a], right[b]
        a_step, b_step = np.int64(one <= other), np.int64(other <= one)
        a += a_step
        b += b_step
        shared += a_step & b_step
        if a - first - shared > spare_a or b - other_first - shared > spare_b:
            return np.int64(-1)
    return shared if shared >= needed else np.int64(-1)


@numba.njit(nogil=True, cache=True)
def _first_match(sets, doc, others, found, rule):  # type: ignore[no-untyped-def]
    """Return the first of the ``found`` others that ``doc`` is near to or -1, the similarity, and the comparisons."""
    hashes, starts, ends = sets
    other_hashes, other_starts, other_ends = others
    threshold, verify = rule
    compared = np.int64(0)
    size = ends[doc] - starts[doc]
    for i in range(len(found)):
        other = found[i]
        if verify == NONE:
            return other, np.nan, compared
        other_size = other_ends[other] - other_starts[other]
        needed = _needed(size, other_size, threshold, verify)
        if needed < 0:
            continue
        compared += 1
        shared = _shared(hashes, starts[doc], ends[doc], other_hashes, other_starts[other], other_ends[other], needed)
        if shared >= 0:
            union = size if verify == CONTAINMENT else size + other_size - shared
            return other, shared / union, compared
    return np.int64(-1), 0.0, compared


@numba.njit(nogil=True, cache=True)
def _mark(marks, span, member):  # type: ignore[no-untyped-def]
    """Set the bit of a member; ``span`` holds the first and last word with one."""
    word = member >> 6
    marks[word] |= np.uint64(1) << np.uint64(member & 63)
    span[0] = min(span[0], word)
    span[1] = max(span[1], word)


@numba.njit(nogil=True, cache=True)
def _take(marks, span, found):  # type: ignore[no-untyped-def]
    """Write the marked members, rising, into ``found`` and clear the marks; return how many.

    Bits come out in order and each once: several times as fast as sorting, where a document has hundreds of candidates.
    """
    count = 0
    for word in range(span[0], span[1] + 1):
        bits = marks[word]
        if bits == 0:
            continue
        marks[word] = 0
        for bit in range(64):
            if bits & np.uint64(1):
                found[count] = (word << 6) + bit
                count += 1
            bits >>= np.uint64(1)
            if bits == 0:
                break
    span[0], span[1] = len(marks), -1
    return count


@numba.njit(nogil=True, cache=True)
def sieve(sets, buckets_of, capacity, settings, state):  # type: ignore[no-untyped-def]  # long: one loop over shared state
    """Take documents from the best keeper to the worst; remove those that are near a kept one.

    Args:
        sets: Sorted hashes of all documents, and where the set of each begins and ends; documents in keeper order.
        buckets_of: Bounds of shape (n + 1,) into the bucket numbers of each document.
        capacity: Bounds of shape (buckets + 1,): how many kept documents each bucket has room for.
        settings: Threshold, most candidates a document can have, how to verify, and how many documents stay whatever
            they are near to (those of an index, which come first).
        state: Keeper and similarity of each document, filled in here; documents that have a keeper already (not -1)
            are only passed by. And the members found by each bucket: an array as long as the last bound.

    Returns:
        How many members each bucket has, the number of times a kept document found a bucket full, and the number of
        comparisons. A document is compared with every kept one in its buckets, best first; nothing that is kept is ever
        removed, so whatever a removed one points at stays.
    """
    bounds, buckets = buckets_of
    threshold, most, verify, fixed = settings
    keeper, value, members = state
    n = len(keeper)
    filled = np.zeros(len(capacity) - 1, np.int64)
    marks, span = np.zeros((n >> 6) + 1, np.uint64), np.array([(n >> 6) + 1, -1])
    found = np.empty(min(most, n), np.int64)
    overflow, compared = 0, 0
    for doc in range(n):
        if keeper[doc] != -1:
            continue
        if doc >= fixed:
            for i in range(bounds[doc], bounds[doc + 1]):
                bucket = buckets[i]
                for j in range(capacity[bucket], capacity[bucket] + filled[bucket]):
                    _mark(marks, span, members[j])
            count = _take(marks, span, found)
            keeper[doc], value[doc], tried = _first_match(sets, doc, sets, found[:count], (threshold, verify))
            compared += tried
            if keeper[doc] >= 0:
                continue
        for i in range(bounds[doc], bounds[doc + 1]):
            bucket = buckets[i]
            if capacity[bucket] + filled[bucket] < capacity[bucket + 1]:
                members[capacity[bucket] + filled[bucket]] = doc
                filled[bucket] += 1
            else:
                overflow += 1
    return filled, overflow, compared


@numba.njit(nogil=True, cache=True)
def compare(both, buckets_of, kept, rule, state):  # type: ignore[no-untyped-def]
    """Remove documents that are near a document which an earlier block kept.

    Args:
        both: The sets of the documents, and those of the kept ones in keeper order.
        buckets_of: Bounds and buckets of each document, numbered as the kept ones' are; -1 for one they do not have.
        kept: Bounds and members of each bucket.
        rule: Threshold, and how to verify.
        state: Keeper and similarity of each document, filled in here; those with a keeper (not -1) are passed by.

    Returns:
        The number of comparisons.
    """
    sets, others = both
    bounds, buckets = buckets_of
    begins, members = kept
    keeper, value = state
    n = len(others[1])
    marks, span = np.zeros((n >> 6) + 1, np.uint64), np.array([(n >> 6) + 1, -1])
    found = np.empty(n, np.int64)
    compared = 0
    for doc in range(len(keeper)):
        if keeper[doc] != -1:
            continue
        for i in range(bounds[doc], bounds[doc + 1]):
            if buckets[i] >= 0:
                for j in range(begins[buckets[i]], begins[buckets[i] + 1]):
                    _mark(marks, span, members[j])
        count = _take(marks, span, found)
        keeper[doc], value[doc], tried = _first_match(sets, doc, others, found[:count], rule)
        compared += tried
    return compared
