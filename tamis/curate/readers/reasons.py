"""Why a record is no document: the fixed set of reasons readers give, so that reports of two runs can be compared."""

from __future__ import annotations

from typing import Final

from tamis.stage import NotPage, Outcome

DROPPED: Final[dict[str, str]] = {
    "request": "what the crawler asked, not what it got",
    "warcinfo": "description of the archive itself (also the filedesc record of an ARC file)",
    "metadata": "crawler notes on another record (all of a WAT file)",
    "resource_not_page": "a stored resource that is no HTML or plain text",
    "revisit": "unchanged since another capture; it has no content of its own",
    "continuation": "a later segment of a record that was split",
    "other_record": "a record type the WARC standard does not know; detail: the type",
    "http_status": "answered with another status than 2xx; detail: the code",
    "not_html": "no page by its content type or by its first bytes; detail: which",
    "no_response": "a response record without an HTTP response in it",
    "empty_body": "nothing, or only white space, where the text should be",
}
"""Sound records that are no page."""

FAILED: Final[dict[str, str]] = {
    "truncated_record": "the archive ends, or breaks, inside the record and nothing usable was left",
    "damaged_record": "bytes that belong to no record; reading went on at the next one",
    "damaged_compression": "compressed bytes that cannot be unpacked; reading went on at the next member",
    "bad_header": "a record header without end, type or usable length",
    "body_too_large": "a body beyond the size limit after unpacking",
    "bad_json": "a line that is no JSON object",
    "bad_row": "a table row that does not fit the header",
    "not_utf8": "text that is not UTF-8 where UTF-8 is required",
    "no_text_field": "a row without a text in the text field; detail: what there is",
}
"""Records that should have been readable."""


def no_page(
    position: int, reason: str, detail: str | None = None, url: str | None = None, date: str | None = None
) -> NotPage:
    """Return the NotPage for a reason of the tables above."""
    outcome: Outcome = "dropped" if reason in DROPPED else "failed"
    return NotPage(position, outcome, reason, detail, url, date)
