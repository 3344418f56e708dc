"""Bytes of the web to text: what a page declares, what its bytes say, and which of the two to believe.

Order of trust: byte order mark; bytes that are valid UTF-8; the HTTP header; ``<meta>``; detection. Declarations that
the bytes contradict lose to a reading that looks like writing (``plausible.strangeness``). Labels are read as the
WHATWG Encoding Standard does (https://encoding.spec.whatwg.org/): GB2312 and GBK mean GB18030, Latin-1 means
windows-1252, and so on.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

_BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

_WIDER: Final = {
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-11": "cp874",
    "mac-roman": "mac_roman",
}
"""Codecs replaced by a superset: what the web writes under the narrower name."""

_ALSO: Final = {
    "cp936": "gb18030",
    "ms936": "gb18030",
    "cp950": "big5hkscs",
    "ms950": "big5hkscs",
    "big5hkscs": "big5hkscs",
    "cp949": "cp949",
    "ms949": "cp949",
    "uhc": "cp949",
    "cp932": "cp932",
    "eucjp": "euc_jp",
    "euckr": "cp949",
    "hz-gb-2312": "hz",
    "iso-2022-kr": "iso2022_kr",
    "x-mac-cyrillic": "mac_cyrillic",
}
"""Labels that pages use and the WHATWG table lacks."""

_SEVEN_BIT: Final = frozenset({"hz", "iso2022_jp", "iso2022_kr"})
"""Sets that write everything in ASCII bytes and escape sequences."""

_FALLBACKS: Final = (
    *("cp1252", "gb18030", "big5hkscs", "cp932", "euc_jp", "cp949"),
    *("cp1251", "koi8-r", "cp1250", "iso8859-2", "cp1253"),
)
"""Tried on every page whose bytes are not UTF-8, after what was declared and detected."""

_LATIN_SETS: Final = frozenset({"cp1252", "cp1250", "cp1254", "cp1257", "iso8859-2", "iso8859-15", "mac_roman"})

# How much stranger a better trusted reading may look before a less trusted one wins. A wrong Latin-1 label on Polish
# text costs about 0.6, one on Cyrillic or Chinese more than 1.
_HEADER, _META, _DETECTED, _FIRST_FALLBACK = 0.25, 0.22, 0.10, 0.05

_META_CHARSET: Final = re.compile(rb"""<meta\b[^>]{0,1024}?\bcharset\s*=\s*["']?\s*([A-Za-z0-9_:.+-]{2,40})""", re.I)
_XML_ENCODING: Final = re.compile(rb"""^\s*<\?xml\b[^>]{0,256}?\bencoding\s*=\s*["']([A-Za-z0-9_:.+-]{2,40})""")
_META_BYTES: Final = 16_384
"""How far declarations are looked for; browsers stop at 1,024, but pages put scripts before their meta tags."""

_SEGMENT_ENDS: Final = re.compile(rb"[<>\r\n]+")
_SEARCHED_BYTES: Final = 1_000_000
_SAMPLE_BYTES: Final = 8_192

_ASCII_BYTES: Final = bytes(range(128))
_FEW_BYTES: Final = 8
"""With fewer bytes beyond ASCII, detection among the Latin sets is a guess, and windows-1252 the likelier one."""

_ASIAN_SETS: Final = frozenset({"gb18030", "big5hkscs", "cp932", "euc_jp", "cp949"})
_SURE_ASIAN, _SURE_LATIN, _SURE_OTHER = -0.2, 0.05, -0.5
"""A declared reading at least this good is taken at once; wrong readings of running text do not come near it.

Latin letters earn no reward for being frequent, and other scripts read as Latin cost 1 or more.
"""


def decode(data: bytes, declared: str | None = None, html: bool = False) -> str:
    r"""Decode the bytes of a page; never fails, and loses a character only where its bytes are damaged.

    The result is valid Unicode without surrogates, NULs or byte order mark. A character cut off at the end is
    dropped; U+FFFD stands only for bytes that no reading explains.

    Args:
        data: The body, after any transfer or content encoding was undone.
        declared: The charset of the HTTP header, as sent.
        html: Look at ``<meta>`` (and an XML declaration) too.
    """
    return decode_with(data, declared, html)[1]


def guess(data: bytes, declared: str | None = None, html: bool = False) -> str:
    """Return the Python name of the codec that ``decode`` uses for these bytes."""
    return decode_with(data, declared, html)[0]


def decode_with(data: bytes, declared: str | None = None, html: bool = False) -> tuple[str, str]:
    """Return the Python name of the codec and the decoded text."""
    mark = next(((codec, len(bom)) for bom, codec in _BOMS if data.startswith(bom)), None)
    if mark is not None and mark[0] != "utf-8":
        return mark[0], _clean(_lenient(data[mark[1] :], mark[0]))
    if data.isascii():
        return _settle_ascii(data, declared, html)
    body = data[mark[1] :] if mark else data
    valid = _valid_utf8(body)
    if valid is not None:
        return "utf-8", _clean(valid) if b"\0" in body else valid.removeprefix("\ufeff")
    codec = _wide(body) or _choose(body, declared, html, marked=mark is not None)
    return codec, _clean(_lenient(body, codec))


def codec_of(label: str | None) -> str | None:
    """Return the Python codec for a charset label of a header or a meta tag; None where the label means nothing."""
    if not label:
        return None
    name = label.split(";")[0].split(",")[0].strip(" \t\r\n\"'").lower()
    if name in _ALSO:
        return _ALSO[name]
    mapped = map_encoding_to_html5(name, fallback_utf8=False) if name.isascii() else None
    return _WIDER.get(mapped, mapped) if mapped else None


def _settle_ascii(data: bytes, declared: str | None, html: bool) -> tuple[str, str]:
    """Decode bytes below 128: ASCII, unless NULs or escape sequences say otherwise."""
    wide = _wide(data)
    if wide is not None:
        return wide, _clean(_lenient(data, wide))
    if b"\x1b$" in data or b"~{" in data:
        labels = [codec_of(declared), _meta(data) if html else None]
        if b"\x1b$B" in data or b"\x1b$@" in data:
            labels.append("iso2022_jp")
        for codec in labels:
            if codec in _SEVEN_BIT:
                text = data.decode(codec, "replace")
                if "\ufffd" not in text and "\x1b" not in text:
                    return codec, _clean(text)
    return "utf-8", data.replace(b"\0", b"").decode("ascii")


def _valid_utf8(data: bytes) -> str | None:
    """Return the text if the bytes are UTF-8, but for a last character cut off; None if not.

    A cut character is no evidence when it is the only one beyond ASCII: Latin-1 ends in such bytes too.
    """
    try:
        text, used = codecs.utf_8_decode(data, "strict", False)
    except UnicodeDecodeError:
        return None
    return text if used == len(data) or not text.isascii() else None


def _wide(data: bytes) -> str | None:
    """Recognise UTF-16 without a mark by the NULs of its ASCII characters (a few characters end in a NUL too)."""
    head = data[:4096]
    if len(head) < 8 or not head.count(0):
        return None
    even, odd, half = head[0::2].count(0), head[1::2].count(0), len(head) // 2
    if odd > half * 0.2 and even < odd * 0.25:
        return "utf-16-le"
    if even > half * 0.2 and odd < even * 0.25:
        return "utf-16-be"
    return None


def _choose(data: bytes, declared: str | None, html: bool, marked: bool) -> str:
    """Return the codec whose reading of the bytes is least strange, the better trusted one in case of doubt."""
    sample = _sample(data)
    trust: dict[str, float] = {}
    judged: dict[str, float] = {}
    for codec, margin in ((codec_of(declared), _HEADER), (_meta(data) if html else None, _META)):
        if codec is not None and codec not in _SEVEN_BIT:
            judged[codec] = _judge(sample, codec)
            sure = _SURE_ASIAN if codec in _ASIAN_SETS else _SURE_LATIN if codec in _LATIN_SETS else _SURE_OTHER
            if judged[codec] <= sure:
                return codec
            trust[codec] = max(margin, trust.get(codec, 0.0))
    detected = _detect(sample)
    few = detected in _LATIN_SETS and len(sample.translate(None, _ASCII_BYTES)) < _FEW_BYTES
    others = (
        (detected, 0.0 if few else _DETECTED),
        (_FALLBACKS[0], _FIRST_FALLBACK),
        *((name, 0.0) for name in _FALLBACKS[1:]),
    )
    for codec, margin in (("utf-8", _META if marked else 0.0), *others):
        if codec is not None and codec not in _SEVEN_BIT:
            trust[codec] = max(margin, trust.get(codec, 0.0))
            if codec not in judged:
                judged[codec] = _judge(sample, codec)
    order = sorted(trust, key=lambda codec: -trust[codec])  # stable: ties stay as listed
    return min(order, key=lambda codec: judged[codec] - trust[codec])


def _sample(data: bytes) -> bytes:
    """Return the stretches between tags and line ends that are not ASCII; no set has those bytes inside characters."""
    taken: list[bytes] = []
    room = _SAMPLE_BYTES
    first = next(i for i, byte in enumerate(data) if byte > 0x7F) if data[:_SEARCHED_BYTES].isascii() else 0
    for segment in _SEGMENT_ENDS.split(data[first : first + _SEARCHED_BYTES]):
        if not segment.isascii():
            taken.append(segment[:room])
            room -= len(segment) + 1
            if room <= 0:
                break
    return b"\n".join(taken)


def _judge(data: bytes, codec: str) -> float:
    """Return how strange the bytes look when read with this codec."""
    from tamis.curate.extract.plausible import strangeness  # numpy: a tenth of a second that UTF-8 pages do without

    kana_odd = codec in ("gb18030", "big5hkscs", "cp949")
    text = codecs.getincrementaldecoder(codec)("replace").decode(data, False)
    return strangeness(text, kana_odd=kana_odd)


def _meta(data: bytes) -> str | None:
    """Return the codec that the page itself declares; UTF-16 cannot be true there, as the tag could be read."""
    head = data[:_META_BYTES]
    for pattern in (_META_CHARSET, _XML_ENCODING):
        for found in pattern.finditer(head):
            codec = codec_of(found[1].decode("ascii"))
            if codec is not None:
                return "utf-8" if codec.startswith("utf-16") else codec
    return None


def _detect(sample: bytes) -> str | None:
    """Return the codec that uchardet finds."""
    return codec_of(detect_encoding(sample, html5_compatible=False))


def _lenient(data: bytes, codec: str) -> str:
    """Decode with what is known of the web's habits for bytes the codec does not define; drop a cut end."""
    return codecs.getincrementaldecoder(codec)(_HABITS).decode(data, False)


def _clean(text: str) -> str:
    """Remove NULs, and a mark left at the start."""
    if "\0" in text:
        text = text.replace("\0", "")
    return text[1:] if text.startswith("\ufeff") else text


def _habit(error: UnicodeError) -> tuple[str, int]:
    """Give what one undefined byte stands for in practice, else U+FFFD.

    In windows-125x sets it is the C1 control (as in the WHATWG tables); in GB18030 0x80 is the euro sign; in UTF-8 a
    lone byte between ASCII bytes is windows-1252 pasted in, while part of a longer character is damage.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    start, end, codec = error.start, error.end, error.encoding.lower().replace("_", "-")
    byte = error.object[start]
    if codec == "charmap" or codec.startswith(("cp125", "windows")):
        return chr(byte), start + 1
    if codec == "gb18030" and byte == 0x80:
        return "€", start + 1
    if codec == "utf-8" and end - start == 1:
        before = error.object[start - 1] if start else 0
        after = error.object[end] if end < len(error.object) else 0
        if before < 0x80 and after < 0x80:
            return bytes((byte,)).decode("cp1252", "replace"), end
    return "\ufffd", end


_HABITS: Final = "tamis.habits"
codecs.register_error(_HABITS, _habit)
