"""A made-up language: a Zipf vocabulary of words and set phrases, so that texts compress about as real ones do."""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

WORDS: Final = 60_000
PHRASES: Final = 1 << 15
QUANTILES: Final = 1 << 18
WIDTH: Final = 16
"""Letters of the longest word: a word is copied as a whole line of that many, which is one instruction."""


class Language(NamedTuple):
    """The vocabulary as flat arrays."""

    letters: NDArray[np.uint8]
    """Shape (words, WIDTH)."""
    sizes: NDArray[np.int64]
    members: NDArray[np.int32]
    """Words of all phrases."""
    phrase_at: NDArray[np.int64]
    draw: NDArray[np.int32]
    """Phrase at each quantile of the Zipf distribution."""
    draw_word: NDArray[np.int32]
    """Word at each quantile: what edits put in."""


@cache
def language(seed: int) -> Language:
    """Make the vocabulary: words of one to five syllables, the frequent ones short; phrases of one to four words."""
    draw = np.random.default_rng(seed)
    syllables = [a + b for a in "bcdfghklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "er", "is", "on", "ul")]
    seen: dict[str, None] = {}
    while len(seen) < WORDS:
        length = 1 + min(int(np.log2(len(seen) + 2) / 5.3), 3) + int(draw.integers(0, 2))
        word = "".join(syllables[i] for i in draw.integers(0, len(syllables), length))
        if len(word) < WIDTH:
            seen[word] = None
    letters = np.frombuffer("".join(word.ljust(WIDTH) for word in seen).encode(), np.uint8).reshape(-1, WIDTH)
    sizes = np.array([len(word) for word in seen], np.int64)
    draw_word = _quantiles(WORDS)
    lengths = draw.integers(1, 5, PHRASES)
    members = draw_word[draw.integers(0, QUANTILES, int(lengths.sum()))]
    phrase_at = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Language(letters, sizes, members, phrase_at, _quantiles(PHRASES), draw_word)


def _quantiles(size: int) -> NDArray[np.int32]:
    """Return which of ``size`` Zipf-distributed things lies at each quantile."""
    weight = np.cumsum(1 / (np.arange(size) + 8.0))
    return np.searchsorted(weight / weight[-1], (np.arange(QUANTILES) + 0.5) / QUANTILES).astype(np.int32)
