"""From the content of an archive record to a page, or the reason why it is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tamis.curate.readers import http
from tamis.curate.readers.reasons import no_page
from tamis.curate.readers.records import MAX_BODY, Record
from tamis.stage import NotPage, Page

HTML = frozenset({"text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml", "html"})
TEXT = frozenset({"text/plain"})


def from_http(record: Record, url: str | None, date: str | None, media: str = "") -> Page | NotPage:
    """Judge a record that holds an HTTP response; ``media`` is the type to believe if the response names none."""
    block = record.content(0, 4096)
    if len(block) == 4096 and http.head_end(block)[0] < 0:
        block = record.content(0, 1 << 16)
    head = http.head(block)
    if head is None:
        if http.looks_like_page(block):
            return from_content(record, url, date, "text/html", None)
        detail = "empty" if not block.strip() else media or None
        return no_page(record.position, "no_response", detail, url=url, date=date)
    if not 200 <= head.status < 300:
        return no_page(record.position, "http_status", str(head.status), url=url, date=date)
    declared, charset = http.content_type(
        head.fields.get("content-type") or media or record.fields.get("warc-identified-payload-type")
    )
    why = _no_text(record.content(head.size, 2048), head, declared)
    if why is None and record.large:
        why = ("body_too_large", f"more than {MAX_BODY} bytes")
    if why:
        return no_page(record.position, *why, url=url, date=date)
    return _page(record, lambda: http.body(record.content(head.size), head, MAX_BODY), declared, charset, (url, date))


def _no_text(start: bytes, head: http.Head, declared: str) -> tuple[str, str | None] | None:
    """Say from the first bytes and the declared type why a body cannot be a page, without unpacking it."""
    if not start.strip():
        return "empty_body", None
    if declared in HTML or _looks_like_page(start, head):
        return None
    if declared not in TEXT:
        return "not_html", declared or http.binary(start)
    if http.binary(start) and not head.fields.get("content-encoding"):
        return "not_html", http.binary(start)
    return None


def from_content(
    record: Record, url: str | None, date: str | None, media: str, charset: str | None, reason: str = "not_html"
) -> Page | NotPage:
    """Judge a record that holds the content itself; ``reason`` is why not if it is neither HTML nor plain text.

    Plain text in a resource record is a crawler's log or manifest, not a page.
    """
    start = record.content(0, 2048)
    text = media in TEXT and reason != "resource_not_page"
    if media not in HTML and not text and not http.looks_like_page(start):
        return no_page(record.position, reason, media or http.binary(start), url=url, date=date)
    if record.large:
        return no_page(record.position, "body_too_large", f"more than {MAX_BODY} bytes", url=url, date=date)
    return _page(record, lambda: (record.content(), False), media, charset, (url, date))


def _looks_like_page(start: bytes, head: http.Head) -> bool:
    size = http.CHUNK.match(start)
    if size and "chunked" in head.fields.get("transfer-encoding").lower():
        start = start[size.end() :]
    return http.looks_like_page(start)


def _page(
    record: Record,
    load: Callable[[], tuple[bytes, bool]],
    media: str,
    charset: str | None,
    where: tuple[str | None, str | None],
) -> Page | NotPage:
    """Make a page of a body that should be HTML or plain text, after a look at what it really is."""
    url, date = where
    try:
        body, missing = load()
        if body.startswith(b"\x1f\x8b\x08"):  # packed before the server packed it, or without saying so
            body, damaged = http.CODINGS["gzip"](body, MAX_BODY)
            missing = missing or damaged
    except http.TooLarge:
        return no_page(record.position, "body_too_large", f"more than {MAX_BODY} bytes", url=url, date=date)
    if not body or body.isspace():
        return no_page(record.position, "empty_body", url=url, date=date)
    if found := http.binary(body):
        return no_page(record.position, "not_html", found, url=url, date=date)
    meta: dict[str, Any] = dict(record.notes or {})
    if missing or record.cut or record.fields.get("warc-truncated"):
        meta["truncated"] = True
    if record.cut:
        meta["damaged"] = True
    if name := record.fields.get("warc-record-id"):
        meta["record_id"] = name.strip("<>")
    if media in TEXT and not http.looks_like_page(body):
        from tamis.curate.extract.charset import decode

        text = decode(body, charset)
        return Page(record.position, text=text, url=url, date=date, charset=charset, meta=meta)
    return Page(record.position, html=body, url=url, date=date, charset=charset, meta=meta)
