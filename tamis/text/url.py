"""What spaCy takes for a URL: optional scheme, optional login, host name or public IP address, port, path.

The pattern is spaCy's (lang/tokenizer_exceptions.py, after Diego Perini's, MIT); matched here in one pass, because its
parts are delimited by single signs and nothing needs to be tried twice.
"""

# mypy: disable-error-code="no-any-return,assignment,return-value"
# (numba types the kernels; their scalars are numpy's)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from tamis.text.layout import DIGIT, LOWER, ND, URL, WORD

_DOT, _COLON, _SLASH, _AT, _QUERY, _HASH = 46, 58, 47, 64, 63, 35


@njit(nogil=True, cache=True)
def is_url(cp: Any, cl: Any, a: int, b: int) -> bool:
    """Tell whether characters ``[a, b)`` (code points, classes) are one URL."""
    dot = False
    for i in range(a, b):
        dot |= cp[i] == _DOT
    if not dot:
        return False
    if _host(cp, cl, a, b):
        return True
    colon = a
    while colon < b and cp[colon] != _COLON:
        colon += 1
    if colon - a >= 2 and colon + 2 < b and cp[colon + 1] == _SLASH and cp[colon + 2] == _SLASH:
        scheme = True
        for i in range(a, colon):
            scheme &= (cl[i] & WORD) != 0 or cp[i] == 43 or cp[i] == 45 or cp[i] == _DOT
        if scheme and _host(cp, cl, colon + 3, b):
            return True
    for i in range(a + 1, b):  # a login may hold anything, an @ too  # noqa: SIM110
        if cp[i] == _AT and _host(cp, cl, i + 1, b):
            return True
    return False


@njit(nogil=True, cache=True)
def _host(cp: Any, cl: Any, a: int, b: int) -> bool:
    """Tell whether a host begins at ``a`` and a port and path, if any, fill the rest."""
    end = a
    while end < b and cp[end] != _COLON and cp[end] != _SLASH and cp[end] != _QUERY and cp[end] != _HASH:
        if cp[end] == _AT:
            return False  # and a chunk of nothing but @ stays linear
        end += 1
    if not (_name(cp, cl, a, end) or _address(cp, cl, a, end)):
        return False
    i = end
    if i < b and cp[i] == _COLON:
        i += 1
        first = i
        while i < b and cl[i] & ND and i - first < 5:
            i += 1
        if i - first < 2:
            return False
    return i == b or cp[i] == _SLASH or cp[i] == _QUERY or cp[i] == _HASH


@njit(nogil=True, cache=True)
def _name(cp: Any, cl: Any, a: int, end: int) -> bool:
    """Tell whether ``[a, end)`` is labels joined by dots, the last one of 2 to 63 lower-case letters."""
    label = a
    labels = 0
    for i in range(a, end):
        if cp[i] == _DOT:
            size = i - label
            if size < 1 or size > 64 or not cl[label] & URL or not cl[i - 1] & URL:
                return False
            labels += 1
            label = i + 1
        elif not (cl[i] & URL or cp[i] == 95 or cp[i] == 45 or cl[i] & LOWER):
            return False
    if not labels or end - label < 2 or end - label > 63:
        return False
    for i in range(a, label):  # letters beyond U+FFFF may stand in the last label only
        if not (cl[i] & URL or cp[i] == 95 or cp[i] == 45 or cp[i] == _DOT):
            return False
    for i in range(label, end):  # noqa: SIM110 - numba compiles no generators
        if not cl[i] & LOWER:
            return False
    return True


@njit(nogil=True, cache=True)
def _address(cp: Any, cl: Any, a: int, end: int) -> bool:  # noqa: C901
    """Tell whether ``[a, end)`` is a public IPv4 address as the pattern writes it."""
    part = np.zeros(4, np.int64)
    size = np.zeros(4, np.int64)
    k = 0
    for i in range(a, end):
        if cp[i] == _DOT:
            k += 1
            if k > 3:
                return False
        elif cl[i] & DIGIT:
            part[k] = part[k] * 10 + np.int64(cp[i]) - 48
            size[k] += 1
            if size[k] > 3:
                return False
        else:
            return False
    if k != 3 or size.min() == 0:
        return False
    if cp[a] == 48 or cp[end - size[3]] == 48:  # the outer numbers begin with 1-9
        return False
    for j in range(1, 3):
        if size[j] == 3 and part[j] < 100:
            return False
    if part[0] > 223 or part[1] > 255 or part[2] > 255 or part[3] > 254:
        return False
    private = part[0] == 10 or part[0] == 127 or (part[0] == 169 and part[1] == 254)
    private |= part[0] == 192 and part[1] == 168
    private |= part[0] == 172 and size[1] == 2 and 16 <= part[1] <= 31
    return not private
