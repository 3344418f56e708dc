"""The signals of the ``en-spacy`` view from their definitions, in plain Python with Python's own string methods.

Tokens come from ``tamis.text.en_tokens`` (held against spaCy itself in test_resolver.py); the rest is written anew.
"""

import itertools
import re
import unicodedata
from collections import Counter

from tamis.text.en_tokens import chunk_tokens, tokens
from tamis.text.spacy_tables import lists

SYMBOL, SENTENCE_MARK, TERMINAL = 1 << 15, 1 << 17, 1 << 18
PHRASES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
NAN = float("nan")


def has(char: str, bit: int) -> bool:
    source = lists()
    return bool(source.blocks[source.block_index[ord(char) >> 8], ord(char) & 255] & bit)


def share(part: float, whole: float) -> float:
    return part / whole if whole else NAN


def quality(text: str) -> dict[str, float]:
    found = tokens(text)
    words = [token for token in found if not all(has(char, SYMBOL) for char in token)]
    lines = text.splitlines()
    return {
        "n_tokens": len(found),
        "n_words": len(words),
        "mean_word_length": share(sum(map(len, words)), len(words)),
        "hash_ratio": share(text.count("#"), len(found)),
        "ellipsis_ratio": share(text.count("...") + text.count("…"), len(found)),
        "bullet_lines": share(sum(line.lstrip().startswith(("•", "-")) for line in lines), len(lines)),
        "ellipsis_lines": share(sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)),
        "alpha_ratio": share(sum(any(map(str.isalpha, token)) for token in found), len(found)),
        "stop_words": len({"the", "be", "to", "of", "and", "that", "have", "with"} & set(found)),
    }


def repeats(items: list[str]) -> tuple[int, int]:
    """How many items are second or later copies, and their characters."""
    seen = Counter(items)
    return sum(n - 1 for n in seen.values()), sum((n - 1) * len(item) for item, n in seen.items())


def top(found: list[str], n: int) -> float:
    grams = [" ".join(found[i : i + n]) for i in range(len(found) - n + 1)]
    if not grams:
        return NAN
    counts = Counter(grams)
    most = max(counts.values())
    return most * len(next(gram for gram in grams if counts[gram] == most))


def greedy(found: list[str], n: int) -> int:
    seen: set[str] = set()
    total = i = 0
    while i + n <= len(found):
        gram = "".join(found[i : i + n])
        total += len(gram) if gram in seen else 0
        i += n if gram in seen else 1
        seen.add(gram)
    return total


def repetition(text: str) -> dict[str, float]:
    size, found = len(text), tokens(text)
    paragraphs, lines = re.split("\n{2,}", text.strip()), re.split("\n+", text)
    out = {
        "dup_para_frac": share(repeats(paragraphs)[0], len(paragraphs)),
        "dup_para_char_frac": share(repeats(paragraphs)[1], size),
        "dup_line_frac": share(repeats(lines)[0], len(lines)),
        "dup_line_char_frac": share(repeats(lines)[1], size),
        **{f"top_{n}_gram": share(top(found, n), size) for n in (2, 3, 4)},
        **{f"dup_{n}_gram": share(greedy(found, n), size) for n in range(5, 11)},
    }
    return out if text else dict.fromkeys(out, NAN)


def fineweb(text: str) -> dict[str, float]:
    lines = [line for line in text.split("\n") if line.strip()]
    size = len(text) - text.count("\n")
    out = {
        "line_punct_ratio": share(sum(has(line[-1], TERMINAL) for line in lines), len(lines)),
        "short_line_ratio": share(sum(len(line) <= 30 for line in lines), len(lines)),
        "char_dup_ratio": share(repeats(lines)[1], size),
        "newline_ratio": share(text.count("\n"), len(tokens(text))),
    }
    return out if lines else dict.fromkeys(out, NAN)


def spaced_tokens(line: str) -> list[str]:
    """Tokens as spaCy has them: white space is one too, less the blank that ends a word."""
    found: list[str] = []
    for space, run in itertools.groupby(line, str.isspace):
        part = "".join(run)
        if space and found and part.startswith(" "):
            part = part[1:]
        if part:
            found += [part] if space else chunk_tokens(part)
    return found


def sentences(line: str) -> int:
    found = spaced_tokens(line)
    count, done = int(bool(found)), False
    for token in found:
        mark = len(token) == 1 and has(token, SENTENCE_MARK)
        if done and not mark and not all(unicodedata.category(char).startswith("P") for char in token):
            count, done = count + 1, False
        elif mark:
            done = True
    return count


def c4_line(line: str, terminal_punct: bool) -> tuple[str, str]:
    """The line as rewritten, and the verdict."""
    words = line.split()
    if any(len(word) > 1000 for word in words):
        return line, "lines_long_word"
    line = CITATION.sub("", line)
    if terminal_punct and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
        return line, "lines_no_terminal_punct"
    if len(words) < 3:
        return line, "lines_few_words"
    low = line.lower()
    for phrase, verdict in (("lorem ipsum", "lorem_ipsum"), ("javascript", "lines_javascript"), ("{", "curly_bracket")):
        if phrase in low:
            return line, verdict
    return line, "lines_policy" if any(phrase in low for phrase in PHRASES) else "kept_lines"


def c4(text: str, terminal_punct: bool = True) -> tuple[dict[str, float], str | None]:
    """The signals, and the text that is left (None where the document is dropped for a phrase)."""
    names = ("kept_lines", "sentences", "lorem_ipsum", "curly_bracket", "lines_long_word", "lines_no_terminal_punct")
    out: dict[str, float] = dict.fromkeys((*names, "lines_few_words", "lines_javascript", "lines_policy"), 0.0)
    kept = []
    lines = text.splitlines()
    for raw in lines:
        line, verdict = c4_line(raw.strip(), terminal_punct)
        if verdict in ("lorem_ipsum", "curly_bracket") and out["lorem_ipsum"] + out["curly_bracket"]:
            continue
        out[verdict] += 1
        if verdict == "kept_lines":
            kept.append(line)
            out["sentences"] += sentences(line)
    dropped = out["lorem_ipsum"] + out["curly_bracket"]
    return {"lines": len(lines), **out}, None if dropped else "\n".join(kept).strip()
