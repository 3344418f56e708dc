"""Title, date of publication and language, from what a page declares about itself; nothing is guessed from its prose.

Read with regular expressions over the decoded page instead of a DOM: it costs a twentieth of parsing, and pages whose
markup is broken still have their metadata.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from tamis.curate.extract.dates import iso_date
from tamis.curate.extract.tidy import tidy_line

# Patterns begin with a plain literal, upper case written out: only then does the search skip to it.
_TITLE: Final = re.compile(r"<(?:title|TITLE|Title)(?:\s[^>]*)?>([^<]*(?:<(?!/title)[^<]*)*)", re.I)
_HTML: Final = re.compile(r"<html\b([^>]*)>", re.I)
_TAG: Final = re.compile(r"<(?:meta|META|Meta)\s([^>]*)>")
_NAMED: Final = re.compile(
    r"""\b(?:property|name|itemprop|http-equiv|PROPERTY|NAME|HTTP-EQUIV)\s*=\s*["']?\s*([^"'\s>]+)"""
)
_ATTRIBUTE: Final = re.compile(r"""([a-zA-Z:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_LD_DATE: Final = re.compile(r'"datePublished"\s*:\s*"([^"]{4,40})"')

_DATE_NAMES: Final = (
    *("article:published_time", "article:published", "og:article:published_time", "og:published_time"),
    *("bytedance:published_time", "weibo:article:create_at", "og:release_date", "datepublished"),
    *("citation_publication_date", "citation_date", "citation_online_date", "dcterms.issued", "dc.date.issued"),
    *("parsely-pub-date", "sailthru.date", "cxenseparse:recs:publishtime", "pubdate", "publishdate", "publish_date"),
    *("publish-date", "publication_date", "publicationdate", "release_date", "date_published", "published_date"),
    *("dcterms.created", "dc.date.created", "dcterms.date", "dc.date", "dc.created", "date"),
)
"""Names of meta tags that give the first publication, best first. Dates of change are left out on purpose."""

_FIRM: Final = 8
"""That many of ``_DATE_NAMES`` outrank linked data and microdata."""

_TITLE_NAMES: Final = ("og:title", "twitter:title", "dc.title", "dcterms.title")
_WANTED: Final = frozenset({*_DATE_NAMES, *_TITLE_NAMES, "content-language"})
_HEAD_ENDS: Final = ("</head", "</HEAD", "<body", "<BODY")
_HEAD_CHARS: Final = 1_000_000
_TITLE_CHARS: Final = 1_000
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*")


class Metadata(NamedTuple):
    """What a page declares."""

    title: str | None
    date: str | None
    language_hint: str | None


def read_metadata(page: str) -> Metadata:
    """Return title, ISO date of publication and language of a decoded page; None for each that it does not declare."""
    end = next((place for mark in _HEAD_ENDS if (place := page.find(mark, 0, _HEAD_CHARS)) >= 0), _HEAD_CHARS)
    head = page[:end]
    metas = _metas(head)
    return Metadata(_title(head, metas), _date(page, metas), _language(head, metas))


def _attributes(tag: str) -> dict[str, str]:
    """Return the attributes of a tag, names in lower case, entities resolved."""
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(tag):
        found.setdefault(name.lower(), html.unescape(double or single or bare))
    return found


def _metas(head: str) -> dict[str, str]:
    """Return the first content of each named meta tag that may give a title, a date or a language."""
    metas: dict[str, str] = {}
    for tag in _TAG.findall(head):
        named = _NAMED.search(tag)
        name = named[1].lower() if named else ""
        if name in _WANTED and name not in metas:
            metas[name] = _attributes(tag).get("content", "")
    return metas


def _title(head: str, metas: dict[str, str]) -> str | None:
    """Return the title element, else a title meta tag, on one line."""
    found = _TITLE.search(head)
    titles = [html.unescape(found[1])] if found else []
    titles += [metas[name] for name in _TITLE_NAMES if name in metas]
    for title in titles:
        line = tidy_line(title)
        if line:
            return line[:_TITLE_CHARS].rstrip()
    return None


def _language(head: str, metas: dict[str, str]) -> str | None:
    """Return the lang attribute of the page, else its content-language."""
    found = _HTML.search(head)
    attributes = _attributes(found[1]) if found else {}
    for value in (attributes.get("lang"), attributes.get("xml:lang"), metas.get("content-language")):
        label = (value or "").strip().lower().replace("_", "-")
        if _LANGUAGE.fullmatch(label):
            return label
    return None


def _date(page: str, metas: dict[str, str]) -> str | None:
    """Return the first declared date that can be read without guessing."""
    for value in _date_values(page, metas):
        day = iso_date(value)
        if day is not None:
            return day
    return None


def _date_values(page: str, metas: dict[str, str]) -> Iterator[str]:
    """Yield declared dates, the most telling first."""
    for name in _DATE_NAMES[:_FIRM]:
        if name in metas:
            yield metas[name]
    yield from _marked_dates(page)
    for name in _DATE_NAMES[_FIRM:]:
        if name in metas:
            yield metas[name]
    start = page.find("<time ")
    if start >= 0:
        yield _tag_at(page, start).get("datetime", "")


def _marked_dates(page: str) -> Iterator[str]:
    """Yield the values marked ``datePublished``, in linked data (JSON-LD) or as microdata.

    Only ``str.find`` runs over the page: regular expressions that scan it all cost more than the rest together.
    """
    place = page.find("datePublished")
    while place >= 0:
        start = page.rfind("<", 0, place)
        after = place
        if start >= 0 and page[start + 1 : start + 7].lower() == "script":
            after = max(page.find("</script", place), place)
            body = page[page.find(">", start) + 1 : after if after > place else len(page)]
            if "ld+json" in page[start : page.find(">", start)]:
                yield from _linked_dates(body)
        elif start >= 0 and page[max(start, place - 16) : place].rstrip("\"' ").endswith("itemprop="):
            attributes = _tag_at(page, start)
            yield attributes.get("datetime") or attributes.get("content") or ""
        place = page.find("datePublished", after + 1)


def _tag_at(page: str, start: int) -> dict[str, str]:
    """Return the attributes of the tag that starts here."""
    end = page.find(">", start)
    return _attributes(page[start : end if end >= 0 else len(page)])


def _linked_dates(script: str) -> Iterator[str]:
    """Yield the dates of the things a page is about, not of its comments and reviews."""
    try:
        yield from _published(msgspec.json.decode(script.strip().encode()))
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        found = _LD_DATE.search(script)  # comments and raw line ends make much linked data no JSON
        if found:
            yield found[1]


def _published(node: Any, depth: int = 0) -> Iterator[str]:
    """Yield the dates of a linked-data node and of the nodes it is made of."""
    if depth > 4:
        return
    if isinstance(node, list):
        for item in node:
            yield from _published(item, depth + 1)
    elif isinstance(node, dict):
        value = node.get("datePublished")
        if isinstance(value, str):
            yield value
        for key in ("@graph", "mainEntity", "mainEntityOfPage"):
            if isinstance(node.get(key), (dict, list)):
                yield from _published(node[key], depth + 1)
