"""spaCy's English tokeniser in plain Python: what the compiled form in ``tamis.text.resolver`` must equal.

Rules and lists: spaCy 3.8 (MIT; tokenizer.pyx, lang/en/punctuation.py, lang/char_classes.py). For explaining a document
and for tests; short, and about fifty times slower than the compiled form.
"""

from __future__ import annotations

import re
from functools import cache

from tamis.text import layout
from tamis.text.layout import ALPHA, BEFORE_STOP, DIGIT, HYPHEN, ICON, LOWER, LOWER_OR_QUOTE, UPPER, UPPER_OR_QUOTE
from tamis.text.spacy_tables import lists

_LONGEST_PATTERN = 11
_OCTET = r"(?:\.(?:1?\d{1,2}|2[0-4]\d|25[0-5]))"
_ADDRESS = re.compile(
    r"(?!(?:10|127)(?:\.\d{1,3}){3})(?!(?:169\.254|192\.168)(?:\.\d{1,3}){2})(?!172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2})"
    rf"(?:[1-9]\d?|1\d\d|2[01]\d|22[0-3]){_OCTET}{{2}}\.(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-4])",
    re.ASCII,
)
_AFTER_HOST = re.compile(r"(?::\d{2,5})?(?:[/?#].*)?", re.DOTALL)
_HOST = re.compile(r"[^:/?#]*")
_SCHEME = re.compile(r"[\w+\-.]{2,}://")
_LABEL = re.compile("[A-Za-z0-9\u00a1-\uffff](?:[A-Za-z0-9\u00a1-\uffff_-]{0,62}[A-Za-z0-9\u00a1-\uffff])?")
_DOT_RUN = re.compile(r"\.\.+")


def tokens(text: str) -> list[str]:
    """Return the tokens of a text, white space left out."""
    return [token for chunk in text.split() for token in chunk_tokens(chunk)]


def chunk_tokens(chunk: str) -> list[str]:
    """Return the tokens of a run of characters without white space."""
    special = lists().specials
    rest, before, after = chunk, [], []
    size = -1
    while rest and len(rest) != size and rest not in special:
        size = len(rest)
        head = _prefix(rest)
        if head and rest[head:] in special:
            before.append(rest[:head])
            rest = rest[head:]
            break
        tail = _suffix(rest[head:])
        if tail and rest[:-tail] in special:
            after.append(rest[-tail:])
            rest = rest[:-tail]
            break
        if head:
            before.append(rest[:head])
        if tail:
            after.append(rest[-tail:])
        rest = rest[head : len(rest) - tail]
    return _put_together(before + _middle(rest) + after[::-1])


@cache
def _is(char: str, bits: int) -> bool:
    """Tell whether a character has one of the class bits."""
    code, source = ord(char), lists()
    return bool(int(source.blocks[source.block_index[code >> 8], code & 255]) & bits)


def _prefix(text: str) -> int:
    run = _DOT_RUN.match(text)
    if run:
        return run.end()
    if _is(text[0], layout.PREFIX) or (text[0] == "+" and not (len(text) > 1 and _is(text[1], DIGIT))):
        return 1
    return next((len(sign) for sign in ("US$", "C$", "A$") if text.startswith(sign)), 0)


def _suffix(text: str) -> int:
    """Return the length of the longest suffix."""
    if not text:
        return 0
    sizes = [0, len(text) - len(text.rstrip("."))]
    stem = text[:-1]
    if text[-1] == "." and sizes[1] == 1:
        stop = bool(stem) and _is(stem[-1], BEFORE_STOP)
        stop |= len(stem) > 1 and _is(stem[-1], UPPER) and _is(stem[-2], UPPER)
        return int(stop or bool(re.search("°[FfCcKk]$", stem)))
    sizes.append(int(_is(text[-1], layout.SUFFIX) or (text[-1] == "+" and bool(stem) and _is(stem[-1], DIGIT))))
    sizes += [2 for ending in ("……", "'s", "'S", "’s", "’S") if text.endswith(ending)]
    for unit in lists().units:
        number = text[: -len(unit)]
        if text.endswith(unit) and number and _is(number[-1], DIGIT):
            sizes.append(len(unit))
    return max(sizes)


def _middle(text: str) -> list[str]:
    """Return the tokens of what the affixes have left: a special case, a URL, or pieces and infixes."""
    if not text or text in lists().specials:
        return list(lists().specials.get(text, ()))
    if _is_url(text):
        return [text]
    found, piece, i = [], 0, 0
    while i < len(text):
        size = _infix(text, i)
        if size and i:
            found += [text[piece:i], text[i : i + size]]
            piece = i + size
        i += size or 1
    return [part for part in [*found, text[piece:]] if part]


def _infix(text: str, i: int) -> int:  # noqa: C901 - one rule after another, as in the original
    char = text[i]
    run = _DOT_RUN.match(text, i)
    if run:
        return run.end() - i
    if char == "…" or _is(char, ICON):
        return 1
    if not 0 < i < len(text) - 1:
        return 0
    left, right = text[i - 1], text[i + 1]
    if char in "+-*^" and _is(left, DIGIT) and (_is(right, DIGIT) or right == "-"):
        return 1
    if char == ".":
        return int(_is(left, LOWER_OR_QUOTE) and _is(right, UPPER_OR_QUOTE))
    if char == ",":
        return int(_is(left, ALPHA) and _is(right, ALPHA))
    if not _is(left, ALPHA | DIGIT):
        return 0
    if _is(char, HYPHEN):
        for sign in (char, "--", "---", "——"):
            after = text[i + len(sign) : i + len(sign) + 1]
            if text.startswith(sign, i) and after and _is(after, ALPHA):
                return len(sign)
    return int(char in ":<>=/" and _is(right, ALPHA))


def _is_url(text: str) -> bool:
    scheme = _SCHEME.match(text)
    starts = [0, scheme.end() if scheme else 0, *(at.end() for at in re.finditer("@", text) if at.start())]
    return any(_is_host(text[start:]) for start in starts)


def _is_host(text: str) -> bool:
    found = _HOST.match(text)
    host = found.group() if found else ""
    if not _AFTER_HOST.fullmatch(text, len(host)):
        return False
    *labels, last = host.split(".")
    name = bool(labels) and all(map(_LABEL.fullmatch, labels)) and 2 <= len(last) <= 63
    return (name and all(_is(char, LOWER) for char in last)) or bool(_ADDRESS.fullmatch(host))


def _put_together(parts: list[str]) -> list[str]:
    """Replace runs of tokens that are a broken special case by its own tokens; longest first, then leftmost."""
    patterns = lists().patterns
    found: dict[int, int] = {}
    seen: set[int] = set()
    for size in range(min(len(parts), _LONGEST_PATTERN), 1, -1):
        for i in range(len(parts) - size + 1):
            if tuple(parts[i : i + size]) in patterns:
                if i not in seen and i + size - 1 not in seen:
                    found[i] = size
                seen.update(range(i, i + size))
    whole: list[str] = []
    i = 0
    while i < len(parts):
        size = found.get(i, 1)
        whole += lists().specials[patterns[tuple(parts[i : i + size])]] if i in found else [parts[i]]
        i += size
    return whole
