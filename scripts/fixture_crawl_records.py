"""Archive records for the crawl fixtures: HTTP messages, WARC and ARC records, and the containers around them."""

from __future__ import annotations

import base64
import hashlib
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

MOMENT = "2024-02-03T04:{:02d}:{:02d}Z"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PDF = (
    b"%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


@dataclass(frozen=True)
class Capture:
    """One page as it was fetched: address, host, number in its archive, body bytes, ready text, page keys."""

    url: str
    host: str
    number: int
    content: bytes
    text: str
    keys: dict[str, str]

    @property
    def moment(self) -> str:
        """Time of capture, made from the number."""
        return MOMENT.format(self.number // 60, self.number % 60)


def gzip_member(data: bytes) -> bytes:
    """Return one gzip member without time or name; its bytes depend on zlib alone, not on the Python version."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(data) + packer.flush()
    tail = zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + body + tail


def digest(data: bytes) -> str:
    """Return the SHA-1 of the data as WARC headers write it."""
    return "sha1:" + base64.b32encode(hashlib.sha1(data).digest()).decode()


def encode_body(body: bytes, coding: str) -> bytes:
    """Apply a Content-Encoding; ``lie-…`` and none leave the bytes as they are."""
    if coding == "gzip":
        return gzip_member(body)
    if coding == "deflate":
        return zlib.compress(body, 9)
    if coding in ("br", "zstd"):
        body = pa.compress(body, codec={"br": "brotli", "zstd": "zstd"}[coding], asbytes=True)
    return body


def http_response(capture: Capture) -> bytes:
    """Return status line, headers and body of the answer that carried a page."""
    keys = capture.keys
    declared = keys.get("declare", "utf-8")
    coding = keys.get("content-encoding", "")
    body = encode_body(capture.content, coding)
    charset = "" if declared == "none" else f"; charset={declared}"
    lines = ["HTTP/1.1 200 OK", "Server: fixture", f"Content-Type: text/html{charset}"]
    if coding:
        lines.append(f"Content-Encoding: {coding.removeprefix('lie-')}")
    if keys.get("chunked"):
        lines.append("Transfer-Encoding: chunked")
        pieces = [body[i : i + 1000] for i in range(0, len(body), 1000)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def warc(kind: str, url: str, moment: str, block: bytes, **more: str) -> bytes:
    """Return one WARC 1.1 record; its id is made from its content."""
    headers = {"WARC-Type": kind, "WARC-Date": moment, **more}
    if url:
        headers["WARC-Target-URI"] = url
    identity = repr(sorted(headers.items())) + digest(block)
    headers["WARC-Record-ID"] = f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, identity)}>"
    headers["WARC-Block-Digest"] = digest(block)
    headers["Content-Length"] = str(len(block))
    names = {name: name.replace("_", "-") for name in headers}
    head = "".join(f"{names[name]}: {value}\r\n" for name, value in headers.items())
    return b"WARC/1.1\r\n" + head.encode() + b"\r\n" + block + b"\r\n\r\n"


def answer(url: str, moment: str, block: bytes, kind: str = "response", **more: str) -> bytes:
    """Return a record whose block is an HTTP answer."""
    payload = block.partition(b"\r\n\r\n")[2]
    more = {"Content_Type": "application/http; msgtype=response", "WARC_Payload_Digest": digest(payload), **more}
    return warc(kind, url, moment, block, **more)


def page_records(capture: Capture) -> list[bytes]:
    """Return the request and the response of one page."""
    path = "/" + capture.url.split("/", 3)[3].partition("#")[0]
    request = f"GET {path} HTTP/1.1\r\nHost: {capture.host}\r\nUser-Agent: fixture\r\n\r\n".encode()
    url = f"<{capture.url}>" if capture.keys.get("angle") else capture.url
    return [
        warc("request", url, capture.moment, request, Content_Type="application/http; msgtype=request"),
        answer(url, capture.moment, http_response(capture)),
    ]


def info(name: str) -> bytes:
    """Return the warcinfo record of an archive."""
    block = b"software: tamis fixture builder\r\nformat: WARC File Format 1.1\r\n"
    return warc("warcinfo", "", MOMENT.format(0, 0), block, Content_Type="application/warc-fields", WARC_Filename=name)


def other_records(first: Capture) -> list[bytes]:
    """Return records that are no pages: metadata, a revisit, 301, 404, 500, an image, a PDF, a resource, DNS."""
    moment = MOMENT.format(59, 59)
    base = f"https://{first.host}"
    payload = http_response(first).partition(b"\r\n\r\n")[2]

    def reply(status: str, kind: str, body: bytes, more: str = "") -> bytes:
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Content-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    missing = b"<html><head><title>Not found</title></head><body><p>There is no such page.</p></body></html>"
    moved = "Location: " + first.url + "\r\n"
    return [
        warc("metadata", first.url, moment, b"fetchTimeMs: 112\r\n", Content_Type="application/warc-fields"),
        answer(
            first.url,
            moment,
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n",
            kind="revisit",
            WARC_Payload_Digest=digest(payload),
            WARC_Profile="http://netpreserve.org/warc/1.1/revisit/identical-payload-digest",
            WARC_Refers_To_Target_URI=first.url,
            WARC_Refers_To_Date=first.moment,
        ),
        answer(base + "/old-address", moment, reply("301 Moved Permanently", "text/html", b"", moved)),
        answer(base + "/no-such-page", moment, reply("404 Not Found", "text/html", missing)),
        answer(base + "/broken", moment, reply("500 Internal Server Error", "text/html", missing)),
        answer(base + "/dot.png", moment, reply("200 OK", "image/png", PNG)),
        answer(base + "/form.pdf", moment, reply("200 OK", "application/pdf", PDF)),
        warc("resource", base + "/robots.txt", moment, b"User-agent: *\nAllow: /\n", Content_Type="text/plain"),
        warc(
            "response",
            f"dns:{first.host}",
            moment,
            b"20240203040000\nfixture. 60 IN A 192.0.2.7\n",
            Content_Type="text/dns",
        ),
    ]


def arc(captures: list[Capture]) -> list[bytes]:
    """Return the members of an ARC version 1 file: version block, then one record for every page."""
    version = b"1 0 InternetArchive\nURL IP-address Archive-date Content-type Archive-length\n\n"
    members = [b"filedesc://legacy.arc 0.0.0.0 20040203040000 text/plain %d\n%b" % (len(version), version)]
    for capture in captures:
        block = http_response(capture)
        stamp = "".join(c for c in capture.moment if c.isdigit())
        head = f"{capture.url} 192.0.2.7 {stamp} text/html {len(block)}\n"
        members.append(head.encode() + block + b"\n")
    return members


def wet(captures: list[Capture]) -> list[bytes]:
    """Return conversion records: text that a crawler's publisher has already extracted."""
    codes = {"en": "eng", "zh": "zho"}
    return [
        warc(
            "conversion",
            c.url,
            c.moment,
            c.text.encode(),
            Content_Type="text/plain",
            WARC_Identified_Content_Language=codes[c.keys["language"]],
        )
        for c in captures
    ]


def damaged(captures: list[Capture]) -> bytes:
    """Return a gzip WARC in which one member is corrupt, garbage lies between members, and the last one is cut."""
    parts = [gzip_member(info("damaged.warc.gz"))]
    for capture in captures:
        member = bytearray(gzip_member(page_records(capture)[1]))
        damage = capture.keys.get("damage", "")
        if damage == "corrupt":
            middle = len(member) // 2
            for i in range(middle, middle + 24):
                member[i] ^= 0xFF
        if damage == "cut":
            del member[len(member) * 6 // 10 :]
        parts.append(bytes(member))
        if damage == "garbage-after":
            parts.append(b"".join(hashlib.sha256(bytes([i])).digest() for i in range(10)).replace(b"\x1f", b"\x1e"))
    return b"".join(parts)


def write_archives(out: Path, captures: dict[str, list[Capture]]) -> None:
    """Write all archives: WARC in every container, ARC, WET, the damaged one and the one that is none."""
    a = captures["site-a.warc.gz"]
    special = {"site-a.warc.gz": other_records(a[0])}
    packers: dict[str, Callable[[bytes], bytes]] = {
        "site-a.warc.gz": gzip_member,
        "site-b.warc": bytes,
        "site-c.warc.gz": bytes,  # one member around all records, below
        "site-d.warc.zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
        "site-e.warc.lz4": lambda data: pa.compress(data, codec="lz4", asbytes=True),
    }
    for name, pack in packers.items():
        pages = [record for c in captures[name] for record in page_records(c)]
        whole = b"".join(pack(r) for r in [info(name), *pages, *special.get(name, [])])
        (out / name).write_bytes(gzip_member(whole) if name == "site-c.warc.gz" else whole)
    (out / "legacy.arc.gz").write_bytes(b"".join(map(gzip_member, arc(captures["legacy.arc.gz"]))))
    texts = [info("text.warc.wet.gz"), *wet(captures["text.warc.wet.gz"])]
    (out / "text.warc.wet.gz").write_bytes(b"".join(map(gzip_member, texts)))
    (out / "damaged.warc.gz").write_bytes(damaged(captures["damaged.warc.gz"]))
    notice = b"Dear reader,\n\nthis file has the name of an archive and is only a letter.\n\nYours, the fixture\n"
    (out / "not-an-archive.warc.gz").write_bytes(gzip_member(notice))
