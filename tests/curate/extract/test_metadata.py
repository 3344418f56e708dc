"""Title, date and language from what pages declare; dates only where they can be read one way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.curate.extract.dates import iso_date
from tamis.curate.extract.metadata import read_metadata
from tamis.curate.extract.tidy import tidy_text


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2019-03-01", "2019-03-01"),
        ("2019-03-01T23:59:59-08:00", "2019-03-01"),
        ("  2019-3-1 10:20 ", "2019-03-01"),
        ("2019/03/01 08:00:00", "2019-03-01"),
        ("2019.03.01", "2019-03-01"),
        ("2019年3月1日", "2019-03-01"),
        ("20190301", "2019-03-01"),
        ("20190301T101500Z", "2019-03-01"),
        ("20190301101500", "2019-03-01"),
        ("Fri, 01 Mar 2019 10:15:00 GMT", "2019-03-01"),
        ("1 March 2019", "2019-03-01"),
        ("1st Mar 2019", "2019-03-01"),
        ("March 1, 2019", "2019-03-01"),
        ("Friday, March 1st, 2019 10:15", "2019-03-01"),
        ("Sept. 5, 2019", "2019-09-05"),
        ("Fri Mar 01 10:15:00 UTC 2019", "2019-03-01"),
        ("2020-02-29", "2020-02-29"),
        ("2019-02-29", None),
        ("03/01/2019", None),
        ("01.03.2019", None),
        ("2019-03", None),
        ("2019", None),
        ("2019-13-01", None),
        ("0000-00-00", None),
        ("1970-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00", None),
        ("9999-12-31", None),
        ("1551398400", None),
        ("20190301123", None),
        ("2019-03-011", None),
        ("Foo 1, 2019", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_days(value: str, day: str | None) -> None:
    assert iso_date(value) == day


@given(st.text(max_size=80))
def test_any_value_gives_a_day_or_none(value: str) -> None:
    assert iso_date(value) is None or len(iso_date(value) or "") == 10


def date_of(markup: str) -> str | None:
    return read_metadata(f"<html><head><title>t</title>{markup}</head><body>2011-11-11</body></html>").date


@pytest.mark.parametrize(
    "markup",
    [
        '<meta property="article:published_time" content="2019-03-01T10:00:00Z">',
        '<META NAME="PubDate" CONTENT="2019-03-01 10:00">',
        "<meta content='2019-03-01' name='dc.date'/>",
        "<meta name=DC.date.issued content=2019-03-01>",
        '<meta itemprop="datePublished" content="2019-03-01">',
        '<script type="application/ld+json">{"@type": "NewsArticle", "datePublished": "2019-03-01T00:00"}</script>',
        '<script type="application/ld+json">[{"@graph": [{"datePublished": "2019-03-01"}]}]</script>',
        '<script type=application/ld+json>{"datePublished": "2019-03-01", broken \n</script>',
        '<time itemprop="datePublished" datetime="2019-03-01">today</time>',
        '<span itemprop=datePublished content="2019-03-01"></span>',
        '<time class="x" datetime="2019-03-01T09:00">today</time>',
    ],
)
def test_where_dates_are_declared(markup: str) -> None:
    assert date_of(markup) == "2019-03-01"


@pytest.mark.parametrize(
    "markup",
    [
        "",
        '<meta property="article:modified_time" content="2019-03-01">',
        '<script type="application/ld+json">{"review": {"datePublished": "2019-03-01"}}</script>',
        '<script type="application/ld+json">{"dateModified": "2019-03-01"}</script>',
        '<script>var x = {"datePublished": "2019-03-01"}</script>',
        "<p>datePublished: 2019-03-01</p>",
        "<time>2019-03-01</time>",
        '<meta name="date" content="soon">',
        '<script type="application/ld+json">' + "[" * 5000 + '"datePublished"',
        '<span itemprop="datePublished',
    ],
)
def test_nothing_is_guessed(markup: str) -> None:
    assert date_of(markup) is None


def test_the_most_telling_date_wins() -> None:
    weak = '<meta name="date" content="2001-01-01">'
    linked = '<script type="application/ld+json">{"datePublished": "2002-02-02"}</script>'
    strong = '<meta property="article:published_time" content="2003-03-03">'
    time = '<time datetime="2004-04-04">'
    assert date_of(time + weak + linked + strong) == "2003-03-03"
    assert date_of(time + weak + linked) == "2002-02-02"
    assert date_of(time + weak) == "2001-01-01"
    unreadable = '<meta property="article:published_time" content="n/a">'
    assert date_of(unreadable + linked) == "2002-02-02"


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("<title>\n  A &amp; B\t— 标题 </title>", "A & B — 标题"),
        ("<TITLE lang=en>Upper</TITLE>", "Upper"),
        ("<title>a < b</title>", "a < b"),
        ("<title></title><meta property='og:title' content='From &quot;og&quot;'>", 'From "og"'),
        ("<meta name='twitter:title' content='tw'>", "tw"),
        ("<title>unclosed", "unclosed"),
        ("<title>&#xD800;&#0;x</title>", "\ufffd\ufffdx"),
        ("<title> \n </title>", None),
        ("", None),
    ],
)
def test_titles(head: str, title: str | None) -> None:
    page = f"<html><head>{head}</head><body><svg><title>icon</title></svg></body></html>"
    assert read_metadata(page).title == title


def test_long_title_is_cut() -> None:
    assert len(read_metadata(f"<title>{'x' * 5000}</title>").title or "") == 1000


@pytest.mark.parametrize(
    ("page", "language"),
    [
        ('<html lang="zh-CN">', "zh-cn"),
        ("<html class=x lang=en_US>", "en-us"),
        ('<html xmlns="x" xml:lang="de">', "de"),
        ('<html><head><meta http-equiv="Content-Language" content="fr">', "fr"),
        ('<html lang="{{lang}}">', None),
        ("<html lang>", None),
        ("", None),
    ],
)
def test_language_hints(page: str, language: str | None) -> None:
    assert read_metadata(page).language_hint == language


@given(st.text(alphabet=st.sampled_from("<>=\"'/ metacontntilscrpjhdPublished+ld:{}[]-019\n")), st.integers(0, 3))
def test_any_markup_is_read(page: str, kind: int) -> None:
    wrap = ["{}", "<script type=application/ld+json>datePublished{}", "<meta name=date content={}", "<time datetime={}"]
    read_metadata(wrap[kind].replace("{}", page))


def test_tidy_text() -> None:
    assert tidy_text("a \r\nb\t\rc\u3000\n\n\n\n\n\nd\0\x07\u2028e \n \n") == "a\nb\nc\n\n\nd\ne"
    assert tidy_text("") == ""
    assert tidy_text("  indented\n    code") == "  indented\n    code"
    assert tidy_text("e\u0301 ﬁ Ａ") == "e\u0301 ﬁ Ａ", "characters are left as they are"


@given(st.text())
def test_tidy_text_is_idempotent(text: str) -> None:
    once = tidy_text(text)
    assert tidy_text(once) == once
    assert "\n\n\n\n" not in once
    assert not any(line != line.rstrip() for line in once.split("\n"))
