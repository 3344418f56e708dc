"""How much a decoded text looks like writing: the judge between character sets that all decode without an error."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SAMPLE_CHARS: Final = 20_000
"""Non-ASCII characters looked at."""

_BEYOND: Final = 0x10000

# Classes of a character, one bit each.
_PLAIN, _OTHER, _BAD, _ASCII, _LATIN, _SMALL, _CAPITAL, _SIGN = (1 << bit for bit in range(8))
_HAN, _RARE_HAN, _KANA, _HALF_KANA, _HANGUL, _RARE_HANGUL, _BOX = (1 << bit for bit in range(8, 15))
_FREQUENT_BIT: Final = 1 << 15

# The commonest characters of each script: four in ten characters of running Chinese, one in thirty of a text that only
# looks Chinese because it was decoded with the wrong table (GB 2312 and KS X 1001 put different scripts on the same
# bytes); of alphabets six in ten against three.
_FREQUENT_CHARS: Final = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家"
    "种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心本前开但因只从想实日者意无力它与长把十民第"
    "公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加月话合"
    "回内表化老给世位次度通名提立及比员解水真论走各入几口认条系气更别打女变电数安少报才结反受目建接必件市期"
    "這個們來為國說時會對過發後裡種經麼沒動還進樣無與長機將兩間問應戰頭體見產話給員論幾認條氣變電數報結"
    "のにはをたがでてとしれさいるなかもらりっくこまんすけそよだアイスルンーット"
    "이다는의에가을를고하은로한도지기사어있서인나들리자아시부일수대해정제그전보등게라상으원년여"
    "оеаинтсрвлαοιετσνηυρיוהלאתרמבשالينمتروبعانรกอเงยลม"
)

# What things weigh, per non-ASCII character. A character that no writing has (a replacement, a
# control, an unassigned or private code point) outweighs any number of merely unusual ones.
_WEIGHT_BAD: Final = 10.0
_WEIGHT_RARE: Final = 2.0
_WEIGHT_RUN: Final = 1.5
_WEIGHT_MIXED: Final = 2.0
_WEIGHT_ODD: Final = 1.0
_WEIGHT_CASE: Final = 0.5
_REWARD_FREQUENT: Final = 1.0


def strangeness(text: str, *, kana_odd: bool = False) -> float:
    """Return how unlike writing the non-ASCII part of a text is, per character: about 0 is right, above 1 is wrong.

    A text of frequent characters goes down to -0.6; a text without non-ASCII characters gives 0. With ``kana_odd``
    kana count as out of place (Chinese and Korean sets hold them, but pages in those languages hardly ever).
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    bits = np.full(len(codes) + 2, _PLAIN, np.uint16)
    bits[1:-1] = _classes()[np.minimum(codes, _BEYOND)]
    places = np.flatnonzero((bits & (_PLAIN | _ASCII)) == 0)[:SAMPLE_CHARS]
    if not len(places):
        return 0.0
    own, before, after = bits[places], bits[places - 1], bits[places + 1]
    total = _WEIGHT_BAD * _count(own & _BAD)
    total += _WEIGHT_RARE * _count(own & (_RARE_HAN | _RARE_HANGUL))
    total += _latin(own, before, after) + _cased(own, before, after) + _asian(own, before | after, kana_odd)
    # A letter by itself is no word: "à" of windows-1252 would be a frequent letter of windows-1251.
    alone = ((own & (_SMALL | _CAPITAL)) != 0) & (((before | after) & (_SMALL | _CAPITAL)) == 0)
    total -= _REWARD_FREQUENT * _count(((own & _FREQUENT_BIT) != 0) & ~alone)
    return total / len(places)


Bits = NDArray[np.uint16]


def _count(bits: NDArray[Any]) -> float:
    """Count what is not zero."""
    return float(np.count_nonzero(bits))


def _latin(own: Bits, before: Bits, after: Bits) -> float:
    """Weigh Latin letters: accented ones stand among plain ones; three in a row, or a sign inside a word, do not."""
    high, letters = _LATIN | _SIGN | _OTHER, _ASCII | _LATIN
    run = ((own & (_LATIN | _SIGN)) != 0) & ((before & high) != 0) & ((after & high) != 0)
    sign = ((own & _SIGN) != 0) & ~run
    inside = sign & ((before & letters) != 0) & ((after & letters) != 0)
    beside = sign & ~inside & (((before | after) & _LATIN) != 0)
    return _WEIGHT_RUN * _count(run) + _WEIGHT_ODD * _count(inside) + _WEIGHT_CASE * _count(beside)


def _cased(own: Bits, before: Bits, after: Bits) -> float:
    """Weigh other alphabets: no Latin neighbour, and small letters after the first (KOI8-R swaps the cases)."""
    letter = _SMALL | _CAPITAL
    around = before | after
    mixed = ((own & letter) != 0) & ((around & (_ASCII | _LATIN)) != 0)
    shouted = ((own & _CAPITAL) != 0) & ((before & letter) != 0)
    boxes = ((own & _BOX) != 0) & ((around & letter) != 0)
    return _WEIGHT_MIXED * _count(mixed) + _WEIGHT_CASE * _count(shouted) + _WEIGHT_ODD * _count(boxes)


def _asian(own: Bits, around: Bits, kana_odd: bool) -> float:
    """Weigh East Asian text: no half-width kana, no Han glued to Hangul, kana only where they belong."""
    odd = own & (_HALF_KANA | _KANA if kana_odd else _HALF_KANA)
    glued = ((own & _HANGUL) != 0) & ((around & (_HAN | _RARE_HAN)) != 0)
    return _WEIGHT_ODD * (_count(odd) + _count(glued))


@cache
def _classes() -> Bits:
    """Return the class of each code point of the basic plane, and one more for all beyond.

    Common Han are the first levels of GB 2312, Big5 and JIS X 0208, which those standards fill by frequency of use;
    common Hangul are the 2,350 syllables of KS X 1001.
    """
    table = np.full(_BEYOND + 1, _OTHER, np.uint16)
    for code in range(_BEYOND):
        table[code] = _class(chr(code))
    table[0x3400:0xA000] = _RARE_HAN
    table[0xF900:0xFB00] = _RARE_HAN
    table[0xAC00:0xD7A4] = _RARE_HANGUL
    for codec, first, last in (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6), ("euc_jp", 0xB0, 0xCF)):
        table[_characters(codec, first, last, 0x3400, 0xA000)] = _HAN
    table[_characters("euc_kr", 0xB0, 0xC8, 0xAC00, 0xD7A4)] = _HANGUL
    table[[0x09, 0x0A, 0x0C, 0x0D]] = _PLAIN
    table[[ord(char) for char in _FREQUENT_CHARS]] |= _FREQUENT_BIT
    return table


def _class(char: str) -> int:
    """Return the class of a character, Han and Hangul aside."""
    code, category = ord(char), unicodedata.category(char)
    if category in ("Cc", "Cn", "Co", "Cs") or code == 0xFFFD:
        return _BAD
    if code < 0x80:
        return _ASCII if char.isalpha() else _PLAIN
    if 0x3040 <= code < 0x3100:
        return _KANA
    if 0xFF61 <= code < 0xFFA0:
        return _HALF_KANA
    if 0x2500 <= code < 0x25A0:
        return _BOX
    if code < 0x250 or 0x1E00 <= code < 0x1F00:
        if category in ("Lu", "Ll", "Lo"):
            return _LATIN
        return _OTHER if char in "\xa0«»·°" else _SIGN
    if category in ("Lu", "Ll"):
        return _SMALL if category == "Ll" else _CAPITAL
    return _OTHER


def _characters(codec: str, first: int, last: int, low: int, high: int) -> list[int]:
    """Return the code points in ``[low, high)`` that a double-byte codec puts under these lead bytes."""
    pairs = b"".join(bytes((lead, trail)) for lead in range(first, last + 1) for trail in range(0x40, 0xFF))
    text = "".join(pairs[i : i + 2].decode(codec, "ignore") for i in range(0, len(pairs), 2))
    return sorted({ord(char) for char in text if low <= ord(char) < high})
