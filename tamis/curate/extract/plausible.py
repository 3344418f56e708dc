"""How much a decoded text looks like writing: the judge between character sets that all decode without an error."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

SAMPLE_CHARS: Final = 20_000
"""Non-ASCII characters looked at; a page mixes no more evidence in than that."""

# Classes of a character; the order is of no meaning.
_PLAIN, _OTHER, _BAD, _ASCII, _LATIN, _SMALL, _CAPITAL, _SIGN = range(8)
_HAN, _RARE_HAN, _KANA, _HALF_KANA, _HANGUL, _RARE_HANGUL, _BOX = range(8, 15)

# The commonest characters of each script: four in ten characters of running Chinese, one in thirty of a text that only
# looks Chinese because it was decoded with the wrong table (GB 2312 and KS X 1001 put different scripts on the same
# bytes); of alphabets six in ten against three.
_FREQUENT: Final = (
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
    places = np.flatnonzero((codes > 0x7F) | ((codes < 0x20) & _is_control(codes)))[:SAMPLE_CHARS]
    if not len(places):
        return 0.0
    table, frequent = _classes(), _frequent()
    clipped = np.minimum(codes, 0xFFFF)
    padded = np.zeros(len(codes) + 2, np.uint8)
    padded[1:-1] = table[clipped]
    padded[1:-1][codes > 0xFFFF] = _OTHER
    own, before, after = padded[places + 1], padded[places], padded[places + 2]
    total = _WEIGHT_BAD * np.count_nonzero(own == _BAD)
    total += _WEIGHT_RARE * np.count_nonzero((own == _RARE_HAN) | (own == _RARE_HANGUL))
    total += _latin(own, before, after) + _cased(own, before, after) + _asian(own, before, after, kana_odd)
    total -= _REWARD_FREQUENT * np.count_nonzero(frequent[clipped[places]] & (own != _BAD))
    return float(total) / len(places)


def _is_control(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Tell which code points below 32 are controls that text does not have (tab and line ends are text)."""
    controls = np.ones(32, np.bool_)
    controls[[0x09, 0x0A, 0x0C, 0x0D]] = False
    return controls[np.minimum(codes, 31)]


def _latin(own: NDArray[np.uint8], before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """Weigh Latin letters: accented ones stand among plain ones; three in a row, or a sign inside a word, do not."""
    high = (_LATIN, _SIGN, _OTHER)
    run = np.isin(own, (_LATIN, _SIGN)) & np.isin(before, high) & np.isin(after, high)
    letters = (_ASCII, _LATIN)
    sign = (own == _SIGN) & np.isin(before, letters) & np.isin(after, letters)
    lone = (own == _SIGN) & ((before == _LATIN) | (after == _LATIN))
    return float(
        _WEIGHT_RUN * np.count_nonzero(run)
        + _WEIGHT_ODD * np.count_nonzero(sign & ~run)
        + _WEIGHT_CASE * np.count_nonzero(lone & ~sign & ~run)
    )


def _cased(own: NDArray[np.uint8], before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """Weigh other alphabets: no Latin neighbour, and small letters after the first (KOI8-R swaps the cases)."""
    letter = np.isin(own, (_SMALL, _CAPITAL))
    mixed = letter & (np.isin(before, (_ASCII, _LATIN)) | np.isin(after, (_ASCII, _LATIN)))
    shouted = (own == _CAPITAL) & np.isin(before, (_SMALL, _CAPITAL))
    boxes = (own == _BOX) & (np.isin(before, (_SMALL, _CAPITAL)) | np.isin(after, (_SMALL, _CAPITAL)))
    return float(
        _WEIGHT_MIXED * np.count_nonzero(mixed)
        + _WEIGHT_CASE * np.count_nonzero(shouted)
        + _WEIGHT_ODD * np.count_nonzero(boxes)
    )


def _asian(own: NDArray[np.uint8], before: NDArray[np.uint8], after: NDArray[np.uint8], kana_odd: bool) -> float:
    """Weigh East Asian text: no half-width kana, no Han glued to Hangul, kana only where they belong."""
    total = np.count_nonzero(own == _HALF_KANA)
    han = (_HAN, _RARE_HAN)
    total += np.count_nonzero((own == _HANGUL) & (np.isin(before, han) | np.isin(after, han)))
    if kana_odd:
        total += np.count_nonzero(own == _KANA)
    return _WEIGHT_ODD * float(total)


@cache
def _frequent() -> NDArray[np.bool_]:
    """Return, for each code point of the basic plane, whether it is one of the commonest characters."""
    table = np.zeros(0x10000, np.bool_)
    table[[ord(char) for char in _FREQUENT]] = True
    return table


@cache
def _classes() -> NDArray[np.uint8]:
    """Return the class of each code point of the basic plane.

    Common Han are the first levels of GB 2312, Big5 and JIS X 0208, which those standards fill by frequency of use;
    common Hangul are the 2,350 syllables of KS X 1001.
    """
    table = np.full(0x10000, _OTHER, np.uint8)
    for code in range(0x10000):
        table[code] = _class(chr(code))
    table[0x3400:0xA000] = _RARE_HAN
    table[0xF900:0xFB00] = _RARE_HAN
    table[0xAC00:0xD7A4] = _RARE_HANGUL
    for codec, first, last in (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6), ("euc_jp", 0xB0, 0xCF)):
        table[_characters(codec, first, last, 0x3400, 0xA000)] = _HAN
    table[_characters("euc_kr", 0xB0, 0xC8, 0xAC00, 0xD7A4)] = _HANGUL
    table[[0x09, 0x0A, 0x0C, 0x0D]] = _PLAIN
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
