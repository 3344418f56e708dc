"""Slow definitions of the zh signals in plain Python, written apart from the compiled ones."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter

from tamis.text import zh, zh_c4

STOPS = ["的", "了", "是", "在", "和", "不", "有", "我", "这這", "他", "也", "就", "都", "一", "与與", "为為", "以"]
STOPS += [
    "而",
    "及",
    "或",
    "中",
    "对對",
    "被",
    "将將",
    "但",
    "从從",
    "到",
    "の",
    "は",
    "を",
    "に",
    "が",
    "と",
    "で",
    "も",
]
OWN = ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "IDEOGRAPHIC NUMBER ZERO", "HIRAGANA LETTER", "KATAKANA LETTER")
OWN += ("HALFWIDTH KATAKANA LETTER",)
TERMINAL = "。！？；…．｡.!?"
CLOSING = "”’」』）】》〉〕\"')]"


def tokens(text: str) -> tuple[list[str], int]:
    """Word tokens (folded) and the number of signs."""
    words: list[str] = []
    signs = 0
    inside = False
    for character in text:
        word = unicodedata.category(character)[0] in "LMN"
        own = word and unicodedata.name(character, "").startswith(OWN)
        if own:
            words.append(character)
        elif word and inside:
            words[-1] += character.lower()[0]
        elif word:
            words.append(character.lower()[0])
        elif not character.isspace():
            signs += 1
        inside = word and not own
    return words, signs


def ends_in_ellipsis(line: str) -> bool:
    return line.rstrip().endswith(("...", "…", "。。。"))


def quality(text: str) -> dict[str, float]:
    words, signs = tokens(text)
    total = len(words) + signs
    lines = text.splitlines()
    if not total:
        return dict.fromkeys(zh.QUALITY, math.nan)
    return {
        "n_tokens": total,
        "n_words": len(words),
        "mean_word_length": sum(map(len, words)) / len(words) if words else math.nan,
        "hash_ratio": text.count("#") / total,
        "ellipsis_ratio": len(re.findall(r"…+|\.{3,}|。{3,}", text)) / total,
        "bullet_lines": sum(line.strip()[:1] in tuple("•-·●■◆") for line in lines) / len(lines),
        "ellipsis_lines": sum(map(ends_in_ellipsis, lines)) / len(lines),
        "alpha_ratio": sum(any(c.isalpha() or c == "〇" for c in word) for word in words) / total,
        "stop_words": sum(any(c in text for c in group) for group in STOPS),
    }


def copies(parts: list[str]) -> tuple[int, int]:
    seen: set[str] = set()
    count = characters = 0
    for part in parts:
        if part in seen:
            count += 1
            characters += len(part)
        seen.add(part)
    return count, characters


def top(words: list[str], n: int) -> int:
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    if not grams:
        return 0
    gram, count = Counter(grams).most_common(1)[0]
    return len("".join(gram)) * count


def repeated(words: list[str], n: int) -> int:
    seen = set()
    characters = i = 0
    while i + n <= len(words):
        gram = tuple(words[i : i + n])
        if gram in seen:
            characters += len("".join(gram))
            i += n
        else:
            seen.add(gram)
            i += 1
    return characters


def repetition(text: str) -> dict[str, float]:
    if not text.strip():
        return dict.fromkeys(zh.REPETITION, math.nan)
    words, _ = tokens(text)
    paragraphs, lines = re.split(r"\n{2,}", text.strip()), re.split(r"\n+", text)
    out = {}
    for name, parts in (("para", paragraphs), ("line", lines)):
        count, characters = copies(parts)
        out[f"dup_{name}_frac"] = count / len(parts)
        out[f"dup_{name}_char_frac"] = characters / len(text)
    out |= {f"top_{n}_gram": top(words, n) / len(text) for n in (2, 3, 4)}
    return out | {f"dup_{n}_gram": repeated(words, n) / len(text) for n in (7, 8, 10, 11, 13, 14)}


def terminal(line: str) -> bool:
    return bool(re.search(f"[{re.escape(TERMINAL)}][{re.escape(CLOSING)}]*$", line.strip()))


def fineweb(text: str) -> dict[str, float]:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines:
        return dict.fromkeys(zh.FINEWEB, math.nan)
    return {
        "line_punct_ratio": sum(map(terminal, lines)) / len(lines),
        "short_line_ratio": sum(len(line) <= 15 for line in lines) / len(lines),
        "char_dup_ratio": copies(lines)[1] / len(text.replace("\n", "")),
        "newline_char_ratio": text.count("\n") / sum(not c.isspace() for c in text),
    }


def sentences(line: str) -> int:
    count = 0
    for found in re.finditer(r"[。！？｡.!?]+", line):
        after = line[found.end() : found.end() + 1]
        count += bool(set(found[0]) & set("。！？｡")) or not after or after.isspace() or after in CLOSING
    return count


def c4(text: str) -> tuple[dict[str, float], str | None]:  # noqa: C901 - one branch a rule
    """Signals and the text that is left."""
    out = dict.fromkeys(zh_c4.C4, 0.0)
    text = re.sub(r"\[(\d*|edit|citation needed|编辑|編輯|编辑源代码|編輯原始碼|来源请求|來源請求)\]", "", text)
    kept = []
    out["lines"] = len(text.splitlines())
    for line in map(str.strip, text.splitlines()):
        low = line.lower()
        runs = re.findall(r"[^\s぀-ヿ一-鿿]+", line)
        if max(map(len, runs), default=0) > 1000:
            out["lines_long_word"] += 1
        elif not (terminal(line) or line.endswith(('"', "'"))) or line.endswith("..."):
            out["lines_no_terminal_punct"] += 1
        elif len(tokens(line)[0]) < 6:
            out["lines_few_words"] += 1
        elif "lorem ipsum" in low:
            return out | {"lorem_ipsum": 1.0}, None
        elif "javascript" in low:
            out["lines_javascript"] += 1
        elif "{" in line:
            return out | {"curly_bracket": 1.0}, None
        elif any(p in low for p in ("terms of use", "privacy policy", "cookie policy", "use cookies", "uses cookies")):
            out["lines_policy"] += 1
        elif any(p in low for p in ("隐私政策", "使用条款", "服务条款")):
            out["lines_policy_zh"] += 1
        elif "cookie" in low:
            out["lines_cookie"] += 1
        else:
            kept.append(line)
            out["kept_lines"] += 1
            out["sentences"] += sentences(line)
    return out, "\n".join(kept).strip()
