"""Options of ``tamis curate dedup`` for what lies below the document: lines, paragraphs, sentences, substrings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

SPAN_KINDS: Final = ("line", "paragraph", "sentence", "substring")

_SHORT = "line, paragraph: never compare shorter ones"

OPTIONS: Final = {
    "scope": click.option("--scope", default=None, show_default="global", help="line, paragraph: global or site."),
    "normalise": click.option(
        "--normalise", default=None, show_default="ccnet", help="line, paragraph: compare as ccnet does, or exact."
    ),
    "action": click.option(
        "--action", default=None, show_default="cut", help="Below the document: cut repeats, or drop by their share."
    ),
    "min_chars": click.option(
        "--min-chars", type=int, default=None, show_default="0", help=f"{_SHORT}, in characters."
    ),
    "min_tokens": click.option("--min-tokens", type=int, default=None, show_default="0", help=f"{_SHORT}, in tokens."),
    "sentences": click.option(
        "--sentences", type=int, default=None, show_default="3", help="sentence: sentences of a repeated run."
    ),
    "min_doc_words": click.option(
        "--min-doc-words", type=int, default=None, show_default="50", help="sentence: drop what has fewer words left."
    ),
    "min_num_sentences": click.option(
        "--min-num-sentences", type=int, default=None, show_default="3", help="sentence: the same for sentences."
    ),
    "tokens": click.option(
        "--tokens", type=int, default=None, show_default="50", help="substring: least tokens of a repeated one."
    ),
}
"""By recipe key, in the order of the help."""


def span_options(command: F) -> F:
    """Add the options."""
    for option in reversed(OPTIONS.values()):
        command = option(command)
    return command
