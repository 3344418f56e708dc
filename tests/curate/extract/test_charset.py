"""Decoding: right, missing and wrong declarations give the text back; damage costs only the damaged characters."""

import codecs
import zipfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tamis.curate.extract.charset import codec_of, decode, guess
from tamis.curate.extract.plausible import strangeness

TEXTS = {
    "zh": "中国是世界上历史最悠久的国家之一。各族人民共同创造了光辉灿烂的文化，具有光荣的革命传统。",
    "zh-tw": "臺灣的夏天很熱，我們常常在傍晚的時候出去散步，順便買一些水果回家。",
    "ru": "Привет! Это обычная страница на русском языке, где рассказывается о погоде и новостях.",
    "ja": "これは日本語のページです。東京の天気は明日から雨になるでしょう。カメラを持って行きます。",
    "ko": "안녕하세요. 이것은 한국어로 작성된 웹 페이지입니다. 오늘 날씨가 매우 좋습니다.",
    "en": "It’s a café © 2004 — all rights reserved.",
    "fr": "Le café était fermé à l’été; où est passé le garçon? Ça coûte 10 €.",
    "de": "Die Straße führt über größere Brücken nach Köln; schöne Grüße!",
    "pl": "Zażółć gęślą jaźń. Książka leży na stole, a źródło jest głęboko.",
    "el": "Η Ελλάδα είναι μια όμορφη χώρα με πολλά νησιά και ιστορία.",
}
WRITTEN = [
    *(("zh", codec) for codec in ("gb18030", "gbk", "gb2312")),
    *(("zh-tw", codec) for codec in ("big5", "gb18030")),
    *(("ru", codec) for codec in ("cp1251", "koi8-r", "iso8859-5", "cp866")),
    *(("ja", codec) for codec in ("shift_jis", "euc_jp", "iso2022_jp")),
    ("ko", "euc-kr"),
    *((language, "cp1252") for language in ("en", "fr", "de")),
    ("de", "latin-1"),
    *(("pl", codec) for codec in ("cp1250", "iso8859-2")),
    *(("el", codec) for codec in ("cp1253", "iso8859-7")),
]
WRONG = ["utf-8", "iso-8859-1", "gb2312", "windows-1251", "big5", "shift_jis", "euc-kr", "no-such-charset", "rot13", ""]
PAGE = "<!DOCTYPE html>\n<html><head>{meta}<title>{text}</title></head>\n<body><p>{text}</p></body></html>"


def page(language: str, meta: str = "") -> str:
    return PAGE.format(text=TEXTS[language], meta=meta and f'<meta charset="{meta}">')


@pytest.mark.parametrize(("language", "codec"), WRITTEN)
@pytest.mark.parametrize("declared", [None, "itself", *WRONG])
def test_declared_rightly_wrongly_or_not(language: str, codec: str, declared: str | None) -> None:
    label = codec if declared == "itself" else declared
    for text in (TEXTS[language], page(language)):
        assert decode(text.encode(codec), label) == text


@pytest.mark.parametrize(("language", "codec"), WRITTEN)
@pytest.mark.parametrize("meta", WRONG[:7])
def test_lying_meta_tag_and_lying_header(language: str, codec: str, meta: str) -> None:
    text = page(language, meta)
    assert decode(text.encode(codec), None, html=True) == text
    assert decode(text.encode(codec), "iso-8859-1", html=True) == text


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("declared", [None, *WRONG])
def test_valid_utf8_wins_over_any_declaration(language: str, declared: str | None) -> None:
    text = page(language, "gb2312")
    assert decode(text.encode(), declared, html=True) == text
    assert guess(text.encode(), declared, html=True) == "utf-8"


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize(
    ("bom", "codec"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)
def test_byte_order_mark(language: str, bom: bytes, codec: str) -> None:
    data = bom + TEXTS[language].encode(codec)
    assert decode(data, "gbk") == TEXTS[language]
    assert guess(data, "gbk") == codec
    assert decode(data[:-1], "gbk") in (TEXTS[language][:-1], TEXTS[language])


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark(codec: str) -> None:
    assert decode(page("zh").encode(codec)) == page("zh")


def test_a_mark_that_lies() -> None:
    text = page("zh")
    assert decode(codecs.BOM_UTF8 + text.encode("gb18030")) == text


@pytest.mark.parametrize(("language", "codec"), [*WRITTEN, ("zh", "utf-8"), ("ru", "utf-8"), ("zh", "utf-16-le")])
def test_a_cut_end_drops_one_character_and_replaces_none(language: str, codec: str) -> None:
    if codec == "iso2022_jp":
        pytest.skip("ends in an escape sequence")
    whole = PAGE.format(text=TEXTS[language], meta="").removesuffix("</p></body></html>").rstrip(".。!")
    bom = codecs.BOM_UTF16_LE if codec.startswith("utf-16") else b""
    data = bom + whole.encode(codec)
    for cut in range(1, 4):
        got = decode(data[:-cut], codec)
        assert "\ufffd" not in got
        assert whole.startswith(got)
        assert len(whole) - len(got) <= cut


def test_a_cut_latin_1_word_is_not_taken_for_utf8() -> None:
    assert decode("caf\xe9".encode("latin-1")) == "café"
    assert decode("café!".encode()[:-2], "utf-8") in ("caf", "cafÃ")


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("GB2312", "gb18030"),
        ("gbk", "gb18030"),
        (" x-gbk ", "gb18030"),
        ('"gb_2312-80"', "gb18030"),
        ("Big5-HKSCS", "big5hkscs"),
        ("ISO-8859-1", "cp1252"),
        ("us-ascii", "cp1252"),
        ("latin1; q=1", "cp1252"),
        ("Shift_JIS", "cp932"),
        ("ks_c_5601-1987", "cp949"),
        ("tis-620", "cp874"),
        ("iso-8859-9", "cp1254"),
        ("utf8", "utf-8"),
        ("rot13", None),
        ("unicode_escape", None),
        ("größe", None),
        ("", None),
        (None, None),
    ],
)
def test_labels_are_read_as_the_encoding_standard_does(label: str | None, codec: str | None) -> None:
    assert codec_of(label) == codec
    if codec:
        codecs.lookup(codec)


def test_wider_sets_under_narrow_names() -> None:
    assert decode("朱镕基总理在北京会见了来访的外国客人，并且发表了讲话。".encode("gbk"), "gb2312")[1] == "镕"
    assert decode("①今日の天気は晴れです。髙島屋へ行きました。".encode("cp932"), "shift_jis")[0] == "①"
    assert decode(b"It\x92s \x80 5", "iso-8859-1") == "It’s € 5"
    assert decode("똠방각하는 한국의 텔레비전 드라마입니다.".encode("cp949"), "euc-kr")[0] == "똠"
    assert decode(b"\x80 " + "这是价格表，请看我们的网站。".encode("gbk"), "gbk")[0] == "€"


def test_meta_forms() -> None:
    body = "тест на русском языке".encode("iso8859-5")
    for tag in (
        b'<meta charset="iso-8859-5">',
        b"<META CHARSET=iso-8859-5 />",
        b'<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-5">',
        b'<?xml version="1.0" encoding="iso-8859-5"?>',
    ):
        assert guess(tag + body, None, html=True) == "iso8859-5"


def test_seven_bit_sets() -> None:
    assert decode("中文网页".encode("hz"), "hz-gb-2312") == "中文网页"
    assert decode(b"~{ is a tilde and a brace") == "~{ is a tilde and a brace"
    assert decode(b"\x1b$ broken", "iso-2022-jp") == "\x1b$ broken"


def test_stray_bytes_in_utf8() -> None:
    text = "这是一个中文网页，" * 20
    assert decode(text.encode() + b"It\x92s" + text.encode()) == f"{text}It’s{text}"
    damaged = decode(text.encode() + b"\xe4\xb8" + text.encode())
    assert damaged.count("\ufffd") == 1
    assert damaged.replace("\ufffd", "") == text * 2


def test_damage_in_gbk_costs_what_is_damaged() -> None:
    data = bytearray("\n".join([TEXTS["zh"]] * 5).encode("gbk"))
    data[41] = 0x20
    got = decode(bytes(data), "gbk")
    assert got.count("\ufffd") <= 2
    assert got.endswith("\n".join([TEXTS["zh"]] * 4))


@pytest.mark.parametrize("text", ["Toda a pessoa tem direito à vida.", "droit à la liberté", "© 2004", "5 °C", "naïve"])
@pytest.mark.parametrize("declared", [None, "utf-8", "iso-8859-1"])
def test_few_bytes_are_western(text: str, declared: str | None) -> None:
    assert decode(text.encode("cp1252"), declared) == text


def test_nulls_go() -> None:
    assert decode(b"a\0b") == "ab"
    assert decode("中\0文".encode()) == "中文"
    assert decode(b"\0" * 100) == ""


def test_nothing() -> None:
    assert decode(b"") == ""
    assert decode(codecs.BOM_UTF8) == ""
    assert guess(b"") == "utf-8"


@given(st.binary(max_size=300), st.sampled_from([None, *WRONG, "gb18030", "utf-16", "iso-2022-jp"]), st.booleans())
@example(b"\xff\xfe\x00\xd8", None, False)
@example("\ud800".encode("utf-8", "surrogatepass") * 3, "utf-8", False)
@example(b"\x84\x31\xa4\x37\x84\x31\xa4\x37", "gb18030", False)
def test_any_bytes_give_valid_text(data: bytes, declared: str | None, html: bool) -> None:
    text = decode(data, declared, html)
    assert text.encode("utf-8").decode("utf-8") == text
    assert "\0" not in text
    assert decode(data, declared, html) == text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), min_size=1))
def test_any_utf8_comes_back(text: str) -> None:
    assert decode(text.encode()) == text


def test_strangeness_of_right_and_wrong_readings() -> None:
    for language, codec in (("zh", "gb18030"), ("ru", "cp1251"), ("ko", "cp949"), ("zh-tw", "big5")):
        data = TEXTS[language].encode(codec)
        right = strangeness(data.decode(codec), kana_odd=True)
        for other in ("cp1252", "gb18030", "cp1251", "cp949", "koi8-r", "big5hkscs", "cp932", "euc_jp"):
            if other != codec and (codec, other) != ("big5", "big5hkscs"):
                assert strangeness(data.decode(other, "replace"), kana_odd=True) > right, (language, other)
    assert strangeness("plain ASCII\n\t") == 0.0


def test_declarations_of_human_rights(shared_data) -> None:
    """388 translations, from 10 kB up, through the old character sets that hold them, without any declaration."""
    wrong, tried = [], 0
    with zipfile.ZipFile(next(shared_data("crawl/lid/nltk-udhr2").glob("*.zip"))) as archive:
        for name in sorted(archive.namelist()):
            stem = name.rsplit("/")[-1].removesuffix(".txt")
            for codec in LEGACY.get(stem, ()):
                text = archive.read(name).decode("utf-8").replace("\ufeff", "").replace("\0", "")
                data = text.encode(codec, "ignore")
                tried += 1
                if decode(data) != data.decode(codec):
                    wrong.append((stem, codec, guess(data)))
    assert tried > 10
    assert not wrong


LEGACY = {
    "chn": ("gb18030", "gbk"),
    "cmn_hans": ("gb18030", "gbk"),
    "cmn_hant": ("big5", "gb18030"),
    "yue": ("big5",),
    "jpn": ("cp932", "euc_jp"),
    "kor": ("cp949",),
    "rus": ("cp1251", "koi8-r"),
    "ukr": ("cp1251",),
    "bul": ("cp1251",),
    "ell_monotonic": ("cp1253",),
    "heb": ("cp1255",),
    "eng": ("cp1252",),
    "fra": ("cp1252",),
    "spa": ("cp1252",),
    "deu_1996": ("cp1252",),
    "ita": ("cp1252",),
    "por_PT": ("cp1252",),
    "nld": ("cp1252",),
    "dan": ("cp1252",),
    "swe": ("cp1252",),
    "pol": ("cp1250",),
    "ces": ("cp1250",),
    "hun": ("cp1250",),
}
