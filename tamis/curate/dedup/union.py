"""Compiled kernels: union-find over buckets, and the weights of components."""

from __future__ import annotations

import numba
import numpy as np

from tamis.curate.dedup.layout import NONE


def warm() -> None:
    """Compile every kernel of this module, or load it from numba's cache."""
    one = np.array([0, 1])
    parent = np.zeros(1, np.uint32)
    join(parent, parent, one)
    flatten(parent)
    weight, count = np.zeros(1, np.int64), np.zeros(1, np.uint32)
    tally(parent, parent, (0, 0, 1), (8, 8), (weight, count))
    pack(weight, count, (0, 4), np.array([0, -1]), parent)
    drop_single(parent, count, 0)
    join_strong(parent, (parent, one, np.zeros(1, np.int64)), np.ones(1, np.bool_), np.zeros((1, 1), np.uint8), (1, 64))


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
def flatten(parent):  # type: ignore[no-untyped-def]
    """Let every document point at its root; roots are the least numbers, so one pass is enough."""
    for doc in range(len(parent)):
        if parent[doc] != NONE:
            parent[doc] = parent[parent[doc]]


@numba.njit(nogil=True, cache=True)
def tally(parent, tokens, where, cost, sums):  # type: ignore[no-untyped-def]
    """Add documents from number ``base`` on to weight and count of their roots in ``[low, high)``."""
    base, low, high = where
    each, per_token = cost
    weight, count = sums
    for i in range(len(tokens)):
        root = np.int64(parent[base + i])
        if low <= root < high:
            weight[root - low] += each + per_token * (np.int64(tokens[i]) + 1)
            count[root - low] += np.uint32(1)


@numba.njit(nogil=True, cache=True)
def drop_single(parent, count, low):  # type: ignore[no-untyped-def]
    """Take documents that are alone out of their own component, for roots counted from ``low`` on."""
    for i in range(len(count)):
        if count[i] == 1:
            parent[low + i] = NONE


@numba.njit(nogil=True, cache=True)
def pack(weight, count, where, state, starts):  # type: ignore[no-untyped-def]
    """Fill batches with components by rising root; write the first root of each batch into ``starts``.

    ``where`` is the least root and the weight a batch may have; ``state`` is the weight and the number of the batch
    being filled. A component heavier than a batch gets one of its own. Returns how many batches were begun.
    """
    low, limit = where
    begun = 0
    for i in range(len(weight)):
        if count[i] < 2:
            continue
        if state[1] < 0 or state[0] + weight[i] > limit:
            starts[begun] = low + i
            begun += 1
            state[0] = 0
            state[1] += 1
        state[0] += weight[i]
    return begun


@numba.njit(nogil=True, cache=True)
def join_strong(parent, buckets, wanted, sketches, rule):  # type: ignore[no-untyped-def]
    """Join members of the ``wanted`` buckets whose sketches agree in enough places; of large buckets, all members.

    ``buckets`` is members, bounds, and the place of each member among the sketches; ``rule`` is the least agreement,
    and the most members for which all pairs are looked at.
    """
    members, bounds, places = buckets
    least, most = rule
    for bucket in range(len(bounds) - 1):
        if not wanted[bucket]:
            continue
        start, end = bounds[bucket], bounds[bucket + 1]
        for i in range(start + 1, end):
            first = start if end - start <= most else i - 1
            for j in range(first, i):
                a, b = _root(parent, np.int64(members[i])), _root(parent, np.int64(members[j]))
                if a == b:
                    continue
                if end - start <= most:
                    agree = np.int64(0)
                    left, right = sketches[places[i]], sketches[places[j]]
                    for k in range(len(left)):
                        agree += np.int64(left[k] == right[k])
                    if agree < least:
                        continue
                if a < b:
                    parent[b] = a
                else:
                    parent[a] = b
