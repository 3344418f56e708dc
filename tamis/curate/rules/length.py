"""Bounds on the length of a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tamis.curate.rules.rule import Signals, Threshold, limit, without_blank
from tamis.text import TextBatch


@dataclass(frozen=True)
class Length:
    """Bounds on characters (code points), words (word view: a Han or kana character is one) and tokens.

    Tokens are words plus signs, each sign one. No bound by default: give at least one.
    """

    name: ClassVar[str] = "length"
    dialect: ClassVar[str] = ""

    min_characters: int | None = None
    max_characters: int | None = None
    min_words: int | None = None
    max_words: int | None = None
    min_tokens: int | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if not self.thresholds:
            raise ValueError("rule length needs a bound, for example length(min_words=50,max_words=100000)")

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """The bounds in order."""
        return (
            *limit("characters", "too_few_characters", least=self.min_characters),
            *limit("characters", "too_many_characters", most=self.max_characters),
            *limit("words", "too_few_words", least=self.min_words),
            *limit("words", "too_many_words", most=self.max_words),
            *limit("tokens", "too_few_tokens", least=self.min_tokens),
            *limit("tokens", "too_many_tokens", most=self.max_tokens),
        )

    def signals(self, batch: TextBatch) -> Signals:
        """Count."""
        from tamis.text.words import char_counts, count_chars, count_words

        words = count_words(batch)
        classes = char_counts(batch)
        signs = classes["other"] + classes["punctuation"] + classes["symbols"]
        return without_blank({"characters": count_chars(batch), "words": words, "tokens": words + signs}, batch)

    def signal_names(self) -> tuple[str, ...]:
        """Return the names that ``signals`` gives."""
        return ("characters", "words", "tokens")

    def versions(self) -> dict[str, str]:
        """Return the identity of the word table."""
        from tamis.text.codepoints import load

        return {"words": load("word").identity}
