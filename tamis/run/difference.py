"""The difference of two texts: by words, by characters where no spaces part words, and never for long.

Lines first: those that are the same, by order of the lines that either text has once (the idea of Bram Cohen's patience
diff), split the texts into gaps. Gaps are compared token by token with ``difflib.SequenceMatcher``, as far as a budget
of comparisons goes; what is beyond it is one change and the result says that it was cut. The budget counts
comparisons, not seconds, so the result is the same everywhere.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from itertools import accumulate
from typing import Final

BUDGET: Final = 4_000_000
"""Pairs of equal tokens looked at: about half a second."""

GAP: Final = 1_500
"""Tokens on either side of a gap that are compared; a longer gap is split first, at runs that either text has once."""

RUN: Final = 6
"""Tokens of such a run."""

LIMIT: Final = 800_000
"""Characters of both texts that are compared word by word; lines are compared in texts of any length."""

_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_SIGNS = "!-/:-@\\[-`{-~\u00a1-\u00bf\u2010-\u206f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
TOKEN: Final = re.compile(rf"\s+|[{_ALONE}{_SIGNS}]|[^\s{_ALONE}{_SIGNS}]+")
"""White space, a sign, a character of a script without spaces (Han, kana, Thai, Lao, Khmer, Burmese), or a word."""

_LINE = re.compile(r"[^\n]*\n|[^\n]+")

EDGE: Final = 60
"""Equal characters left at the ends of a gap."""

Block = tuple[int, int, int]
"""Equal stretch: where it begins on the left and on the right, and its length."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """One change: where one text has characters ``[left, left_end)``, the other has ``[right, right_end)``."""

    left: int
    left_end: int
    right: int
    right_end: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Changes in order; between them the texts are equal."""

    hunks: tuple[Hunk, ...]
    cut: bool
    """Whether the budget or ``LIMIT`` ended before the texts did: the changes are then coarser than need be."""


def difference(left: str, right: str) -> Difference:
    """Return where two texts differ; bounded time for texts of any size."""
    search = _Search()
    lines = (_LINE.findall(left), _LINE.findall(right))
    starts = tuple([0, *accumulate(map(len, side))] for side in lines)
    hunks: list[Hunk] = []
    for a, a_end, b, b_end in _gaps(_anchored(*lines), len(lines[0]), len(lines[1])):
        at = Hunk(starts[0][a], starts[0][a_end], starts[1][b], starts[1][b_end])
        hunks += search.gap(left, right, at)
    return Difference(tuple(_joined(hunks)), search.cut)


class _Search:
    """Compares gaps until the budget is used up."""

    def __init__(self) -> None:
        self.pairs = BUDGET
        self.characters = LIMIT
        self.cut = False

    def gap(self, left: str, right: str, at: Hunk) -> list[Hunk]:
        """Return the changes of one gap; what the budget does not reach is one change."""
        at = _trimmed(left, right, at)
        one = left[at.left : min(at.left_end, at.left + self.characters // 2)]
        two = right[at.right : min(at.right_end, at.right + self.characters // 2)]
        self.characters -= len(one) + len(two)
        hunks = self._tokens(one, two, at)
        rest = Hunk(at.left + len(one), at.left_end, at.right + len(two), at.right_end)
        if rest.left < rest.left_end or rest.right < rest.right_end:
            self.cut = True
            hunks.append(rest)
        return hunks

    def _tokens(self, one: str, two: str, at: Hunk) -> list[Hunk]:
        """Return the changes between two texts that begin where ``at`` does."""
        a_side, b_side = TOKEN.findall(one), TOKEN.findall(two)
        a_starts = [*accumulate(map(len, a_side), initial=at.left)]
        b_starts = [*accumulate(map(len, b_side), initial=at.right)]
        blocks = self._blocks(a_side, b_side)
        gaps = _gaps(blocks, len(a_side), len(b_side))
        return [Hunk(a_starts[a], a_starts[a_end], b_starts[b], b_starts[b_end]) for a, a_end, b, b_end in gaps]

    def _blocks(self, one: Sequence[str], two: Sequence[str]) -> list[Block]:
        """Return the equal stretches of two runs of tokens of any length, in order."""
        if max(len(one), len(two)) <= GAP:
            return self._match(one, two, 0, 0)
        anchors = _anchored(one, two, RUN)
        blocks: list[Block] = []
        for a, a_end, b, b_end in _gaps(anchors, len(one), len(two)):
            blocks += self._match(one[a:a_end], two[b:b_end], a, b)
        return sorted([*anchors, *blocks])

    def _match(self, one: Sequence[str], two: Sequence[str], a: int, b: int) -> list[Block]:
        """Return the equal stretches of two runs of tokens that begin at ``a`` and ``b``."""
        if not one or not two:
            return []
        if max(len(one), len(two)) > GAP:
            self.cut = True
            return []
        start, tail = _ends(one, two)  # difflib takes no stretch of spaces alone
        left, right = one[start : len(one) - tail], two[start : len(two) - tail]
        matcher = _Matcher(left, right, self.pairs)
        inner = matcher.get_matching_blocks()
        self.pairs = matcher.pairs
        self.cut |= matcher.cut
        found = [(0, 0, start), *((m.a + start, m.b + start, m.size) for m in inner)]
        found.append((len(one) - tail, len(two) - tail, tail))
        return [(i + a, j + b, size) for i, j, size in found if size]


class _Matcher(SequenceMatcher[str]):
    """Looks at a limited number of pairs of equal tokens; beyond it, nothing is equal."""

    def __init__(self, one: Sequence[str], two: Sequence[str], pairs: int) -> None:
        # Spaces stand everywhere and tell nothing: as junk they begin no stretch but are taken into one.
        super().__init__(str.isspace, one, two, autojunk=False)
        self.pairs = pairs
        self.cut = False
        often: dict[str, list[int]] = self.b2j  # type: ignore[attr-defined]
        self._tokens = len(one)
        self._cost = [*accumulate((1 + len(often.get(token, ())) for token in one), initial=0)]

    def find_longest_match(
        self, a_low: int = 0, a_high: int | None = None, b_low: int = 0, b_high: int | None = None
    ) -> Match:
        """Return the longest equal stretch of two ranges; it looks at all places of each token on the left."""
        cost = self._cost[self._tokens if a_high is None else a_high] - self._cost[a_low]
        if cost > self.pairs:
            self.cut = True
            return Match(a_low, b_low, 0)
        self.pairs -= cost
        return super().find_longest_match(a_low, a_high, b_low, b_high)


def _anchored(one: Sequence[str], two: Sequence[str], run: int = 1) -> list[Block]:
    """Return equal stretches of two sequences: their common ends, and around runs of values that either has once."""
    start, tail = _ends(one, two)
    blocks: list[Block] = [(0, 0, start)] if start else []
    ends = (len(one) - tail, len(two) - tail)
    a, b = start, start
    for left, right in _unique_pairs(_runs(one[start : ends[0]], run), _runs(two[start : ends[1]], run)):
        i, j = left + start, right + start
        if i < a or j < b:
            continue
        back = 0
        while i - back > a and j - back > b and one[i - back - 1] == two[j - back - 1]:
            back += 1
        on = run
        while i + on < ends[0] and j + on < ends[1] and one[i + on] == two[j + on]:
            on += 1
        blocks.append((i - back, j - back, back + on))
        a, b = i + on, j + on
    return [*blocks, (*ends, tail)] if tail else blocks


def _ends(one: Sequence[str], two: Sequence[str]) -> tuple[int, int]:
    """Return how many values two sequences have in common at the start, and of the rest at the end."""
    start, stop = 0, min(len(one), len(two))
    while start < stop and one[start] == two[start]:
        start += 1
    tail = 0
    while tail < stop - start and one[-1 - tail] == two[-1 - tail]:
        tail += 1
    return start, tail


def _runs(values: Sequence[str], run: int) -> Sequence[str]:
    """Return the runs of so many values, as one string each: its hash is computed once."""
    if run == 1:
        return values
    return list(map("".join, zip(*(values[shift:] for shift in range(run)), strict=False)))


def _unique_pairs(one: Sequence[str], two: Sequence[str]) -> list[tuple[int, int]]:
    """Return the longest chain of positions, rising in both, of the values that either sequence has exactly once."""
    counts = (Counter(one), Counter(two))
    shared = {value for value, count in counts[0].items() if count == 1 and counts[1].get(value) == 1}
    where = {value: j for j, value in enumerate(two) if value in shared}
    pairs = [(i, where[value]) for i, value in enumerate(one) if value in shared]
    tops: list[int] = []  # least last position of a chain of each length
    chain: list[int] = []
    before: list[int] = []
    for number, (_, j) in enumerate(pairs):
        length = bisect_left(tops, j)
        tops[length : length + 1] = [j]
        chain[length : length + 1] = [number]
        before.append(chain[length - 1] if length else -1)
    found: list[tuple[int, int]] = []
    number = chain[-1] if chain else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]


def _gaps(blocks: Sequence[Block], one: int, two: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield what lies between equal stretches, as start and end on either side."""
    a = b = 0
    for left, right, size in (*blocks, (one, two, 0)):
        if left > a or right > b:
            yield a, left, b, right
        a, b = left + size, right + size


def _trimmed(left: str, right: str, at: Hunk) -> Hunk:
    """Take equal ends off a gap, but for some characters: it may begin or end within a word."""
    one, two = left[at.left : at.left_end], right[at.right : at.right_end]
    least = min(len(one), len(two))
    start = bisect_left(range(1, least + 1), True, key=lambda size: one[:size] != two[:size])
    start = max(0, start - EDGE)
    stop = bisect_left(range(1, least - start + 1), True, key=lambda size: one[-size:] != two[-size:])
    stop = max(0, stop - EDGE)
    return Hunk(at.left + start, at.left_end - stop, at.right + start, at.right_end - stop)


def _joined(hunks: Sequence[Hunk]) -> list[Hunk]:
    """Join changes that touch."""
    joined: list[Hunk] = []
    for hunk in hunks:
        if joined and (joined[-1].left_end, joined[-1].right_end) == (hunk.left, hunk.right):
            last = joined.pop()
            hunk = Hunk(last.left, hunk.left_end, last.right, hunk.right_end)
        joined.append(hunk)
    return joined
