"""Write the tables of the ``en-spacy`` token view from an installed spaCy and datatrove.

    python scripts/make_spacy_tables.py [FOLDER]

Run it where ``spacy`` and ``datatrove`` are installed (the ``peers`` extra) and commit the result. The same versions of
spaCy, datatrove, numpy and Python give the same bytes. Character classes, special cases and lists are facts taken from
spaCy (MIT licence, Explosion) and datatrove (Apache-2.0, Hugging Face); see the README beside the tables.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

# The order of the bits is read by tamis.text.layout: append only, and raise the version when a meaning changes.
BITS = (  # noqa: SIM905 - one line reads better than 22
    "PREFIX SUFFIX ICON ALPHA LOWER UPPER LOWER_OR_QUOTE UPPER_OR_QUOTE BEFORE_STOP UNIT_END DIGIT ND WORD URL PY_ALPHA"
    " SYMBOL CATEGORY_P SENTENCE_MARK TERMINAL HYPHEN SPACE INFIX"
).split()
LIMIT = 0x110000
BLOCK = 256


def classes(tokenizer: Any, units: list[str]) -> np.ndarray:
    """Return the class bits of every code point."""
    from datatrove.utils import text as datatrove_text
    from spacy.lang import char_classes as c
    from spacy.pipeline import Sentencizer

    everything = "".join(map(chr, range(LIMIT)))

    def matching(pattern: str) -> set[int]:
        return {ord(found) for found in re.findall(pattern, everything, re.DOTALL)}

    def where(test: Callable[[str], object]) -> set[int]:
        return {code for code, char in enumerate(everything) if test(char)}

    quotes, punct = c.CONCAT_QUOTES, c.PUNCT
    sets = {
        # '+' depends on what follows, so the tokeniser asks for it by itself.
        "PREFIX": where(lambda ch: ch != "+" and tokenizer.find_prefix(ch) == 1),
        "SUFFIX": where(lambda ch: tokenizer.find_suffix(ch) == 1),
        "ICON": matching(c.LIST_ICONS[0]),
        "ALPHA": matching(f"[{c.ALPHA}]"),
        "LOWER": matching(f"[{c.ALPHA_LOWER}]"),
        "UPPER": matching(f"[{c.ALPHA_UPPER}]"),
        "LOWER_OR_QUOTE": matching(f"[{c.ALPHA_LOWER}{quotes}]"),
        "UPPER_OR_QUOTE": matching(f"[{c.ALPHA_UPPER}{quotes}]"),
        "BEFORE_STOP": matching(rf"[0-9{c.ALPHA_LOWER}%²\-\+{punct}(?:{quotes})]"),
        "UNIT_END": {ord(unit[-1]) for unit in units},
        "DIGIT": matching("[0-9]"),
        "ND": matching(r"\d"),
        "WORD": matching(r"\w"),
        "URL": matching("[A-Za-z0-9\u00a1-\uffff]"),
        "PY_ALPHA": where(str.isalpha),
        "SYMBOL": set(map(ord, datatrove_text.PUNCTUATION_SET)),
        "CATEGORY_P": where(lambda ch: unicodedata.category(ch).startswith("P")),
        "SENTENCE_MARK": set(map(ord, Sentencizer.default_punct_chars)),
        "TERMINAL": set(map(ord, datatrove_text.TERMINAL_PUNCTUATION)),
        "HYPHEN": {ord(hyphen) for hyphen in c.LIST_HYPHENS if len(hyphen) == 1},
        "SPACE": where(str.isspace),
    }
    sets["INFIX"] = sets["ICON"] | sets["HYPHEN"] | set(map(ord, ".…+-*^,:<>=/"))
    table = np.zeros(LIMIT, np.uint32)
    for bit, name in enumerate(BITS):
        table[sorted(sets[name])] |= np.uint32(1 << bit)
    return table


def unit_list() -> list[str]:
    """Return what may follow a digit as one suffix: units of measure and currencies."""
    from spacy.lang import char_classes as c

    return sorted({unit.replace("\\", "") for unit in [*c.UNITS.split("|"), *c.CURRENCY.split("|")]})


def special_cases(nlp: Any) -> tuple[list[str], list[list[str]], list[list[str]]]:
    """Return the special cases, their tokens, and for those matched over finished tokens what they look like there."""
    from spacy.symbols import ORTH
    from spacy.tokenizer import Tokenizer

    full = nlp.tokenizer
    plain = Tokenizer(
        nlp.vocab,
        rules={},
        prefix_search=full.prefix_search,
        suffix_search=full.suffix_search,
        infix_finditer=full.infix_finditer,
        url_match=full.url_match,
    )
    names = sorted(name for name in full.rules if not any(map(str.isspace, name)))
    tokens, patterns = [], []
    for name in names:
        tokens.append([part[ORTH] for part in full.rules[name]])
        broken = full.find_prefix(name) or full.find_suffix(name) or full.find_infix(name)
        pattern = [token.text for token in plain(name)] if broken else []
        patterns.append(pattern if len(pattern) > 1 else [])  # one token stays itself
        assert len(pattern) != 1 or tokens[-1] == pattern
    return names, tokens, patterns


def blocks(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the table as distinct blocks and the number of the block of each run of code points."""
    distinct: dict[bytes, int] = {}
    index = np.zeros(LIMIT // BLOCK, np.uint16)
    for number in range(LIMIT // BLOCK):
        part = table[number * BLOCK : (number + 1) * BLOCK].tobytes()
        index[number] = distinct.setdefault(part, len(distinct))
    return index, np.frombuffer(b"".join(distinct), np.uint32).reshape(-1, BLOCK)


def main() -> None:
    """Write the table file."""
    import spacy
    from datatrove.pipeline.filters.gopher_quality_filter import STOP_WORDS

    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "tamis" / "text" / "tables")
    nlp = spacy.blank("en")
    units = unit_list()
    table = classes(nlp.tokenizer, units)
    index, distinct = blocks(table)
    names, tokens, patterns = special_cases(nlp)
    version = f"1+spacy-{spacy.__version__}+datatrove-{metadata.version('datatrove')}"
    # numpy dates every member 1980-01-01: no clock in the bytes.
    np.savez_compressed(
        folder / "spacy_en.npz",
        version=np.array(version),
        bits=np.array(BITS),
        block_index=index,
        blocks=distinct,
        specials=np.array("\n".join(names)),
        special_tokens=np.array("\n".join(" ".join(parts) for parts in tokens)),
        special_patterns=np.array("\n".join(" ".join(parts) for parts in patterns)),
        units=np.array("\n".join(units)),
        stop_words=np.array("\n".join(STOP_WORDS)),
    )
    print(version, len(names), "special cases,", sum(map(bool, patterns)), "patterns,", len(distinct), "blocks")


if __name__ == "__main__":
    main()
