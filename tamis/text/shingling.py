r"""What a shingle is: the definition alone, without the compiled kernels that make shingles (``tamis.text.shingles``).

``word:5`` (default) runs over the word view, so that Chinese is compared character by character; ``word-w:5`` over
``\w+`` of Python's ``re`` (the definition of published truth sets: no good for Chinese, where a clause is one run);
``char:5`` over characters after stripping and collapsing white space, case kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tamis.errors import UsageError
from tamis.text.codepoints import CodePoints, load

TABLE_OF: Final = {"word": "word", "word-w": "word-w", "char": "word-char"}
"""The code-point table of each kind of token."""

HASH_VERSION: Final = 2
"""Of the token, shingle and stream hashes; raise it when one of them changes."""

MAX_N: Final = 1000


@dataclass(frozen=True, slots=True)
class Shingling:
    """The kind of token, a key of ``TABLE_OF``, and how many of them make a shingle."""

    kind: str = "word"
    n: int = 5

    @classmethod
    def parse(cls, spec: str) -> Shingling:
        """Read ``KIND:N``, as ``word:5``; UsageError names what is allowed."""
        kind, colon, number = spec.partition(":")
        if kind not in TABLE_OF or not colon or not number.isdecimal() or not 1 <= int(number) <= MAX_N:
            kinds = ", ".join(f"{name}:N" for name in TABLE_OF)
            raise UsageError(f"shingle {spec!r} is not known; use one of {kinds} with N from 1 to {MAX_N}, as word:5")
        return cls(kind, int(number))

    @property
    def points(self) -> CodePoints:
        """The code-point table behind the tokens."""
        return load(TABLE_OF[self.kind])

    @property
    def by_char(self) -> bool:
        """Whether the tokens are characters."""
        return self.kind == "char"

    @property
    def identity(self) -> str:
        """All that the hashes depend on: shingles are comparable exactly where this is equal."""
        return f"{self.kind}:{self.n}, table {self.points.identity}, hash {HASH_VERSION}"
