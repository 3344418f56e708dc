"""Build the crawl fixtures from ``fixtures/crawl/sources``: archives, HTML tree, tables, expected.json.

Usage: ``python scripts/build_fixture_crawl.py [OUT]`` (default: ``fixtures/crawl``). No clock, no random ids: running
it again gives the same bytes, as long as zlib and pyarrow (zstd, lz4, brotli) are the versions named in expected.json.

A source file ``NAME.txt`` is one invented site: defaults, then pages that start with ``@@ slug``, each with
``key: value`` lines, a blank line and blocks of text. ``NAME.html`` is the template of the site.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
import string
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import fixture_crawl_records as records
import pyarrow as pa

HOME = Path(__file__).resolve().parent.parent / "fixtures" / "crawl"
FAMILIES = {
    "exact_duplicate_of": ["duplicate"],
    "near_duplicate_of": ["duplicate"],
    "other_language": ["language"],
    "encoding": ["language"],
    "empty": ["empty", "quality"],
    "images_only": ["empty", "quality"],
}
"""Which families of reasons may take a page out; any other kind: ``JUNK``."""
JUNK = ["empty", "language", "quality", "repetition", "line rules"]


@dataclass
class Page:
    """One page: its keys (``url``, ``archive``, ``kind``, ``expect`` …) and its blocks of text."""

    slug: str
    keys: dict[str, str]
    blocks: list[str]
    edits: list[tuple[str, str]] = field(default_factory=list)

    def get(self, key: str, default: str = "") -> str:
        """Return a key of the page, of its site, or the default."""
        return self.keys.get(key, default)

    @property
    def url(self) -> str:
        """The address it was fetched from."""
        return self.keys["site"] + self.keys["path"]


def parse_keys(lines: list[str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Split ``key: value`` lines into keys and the ``edit: old => new`` pairs."""
    keys: dict[str, str] = {}
    edits: list[tuple[str, str]] = []
    for line in lines:
        key, value = line.split(": ", 1)
        if key == "edit":
            old, new = value.split(" => ")
            edits.append((old, new))
        else:
            keys[key] = value
    return keys, edits


def read_sources(folder: Path) -> list[Page]:
    """Read all sites in name order, then fill in the pages that are copies of others."""
    pages: dict[str, Page] = {}
    for path in sorted(folder.glob("*.txt")):
        head, *parts = path.read_text(encoding="utf-8").split("\n@@ ")
        common, _ = parse_keys([line for line in head.splitlines() if line])
        for part in parts:
            top, _, body = part.partition("\n\n")
            slug, *lines = top.strip("\n").split("\n")
            keys, edits = parse_keys(lines)
            # Code keeps its blank lines: a fence is one block.
            blocks = [b.strip("\n") for b in re.split(r"\n{2,}(?![^`]*```\n?\Z)", body) if b.strip()]
            if slug in pages:
                raise SystemExit(f"{path.name}: slug {slug} is used twice")
            pages[slug] = Page(slug, {"template": path.stem, **common, **keys}, blocks, edits)
    for page in pages.values():
        if "copy" in page.keys:
            fill_copy(page, pages[page.keys["copy"]])
    return list(pages.values())


def fill_copy(page: Page, original: Page) -> None:
    """Give a copy the text of its original, with its own edits, and put both into one group."""
    text = "\n\n".join(original.blocks)
    for old, new in page.edits:
        if old not in text:
            raise SystemExit(f"{page.slug}: nothing to edit: {old}")
        text = text.replace(old, new)
    page.blocks = text.split("\n\n")[: int(page.get("first", "99"))]
    exact = ("comments",) if page.get("kind") == "exact_duplicate_of" else ()
    for key in ("title", "date", "author", "section", "phrase", *exact):
        page.keys.setdefault(key, original.get(key))
    page.keys["of"] = original.slug
    for one in (page, original):
        one.keys["group"] = page.keys["group"]
        one.keys["expect"] = "one_of_group"


def logbook(words: int) -> list[str]:
    """Return about so many words of a made-up ship's log, drawn from own phrases by a fixed generator."""
    tables = json.loads((HOME / "sources" / "logbook.json").read_text(encoding="utf-8"))
    state = 12345

    def pick(options: list[str]) -> str:
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return options[(state >> 33) % len(options)]

    paragraphs, count = [], 0
    while count < words:
        sentences = []
        for _ in range(6):
            sentence = pick(tables["pattern"])
            while match := re.search(r"\[(\w+)\]", sentence):
                sentence = sentence.replace(match[0], pick(tables[match[1]]), 1)
            sentences.append(sentence[0].upper() + sentence[1:])
        paragraphs.append(" ".join(sentences))
        count += len(paragraphs[-1].split())
    return paragraphs


def block_html(block: str) -> str:
    """Return one block as HTML: heading, list, table, code, raw HTML or paragraph."""
    lines = block.split("\n")
    if block.startswith("<"):
        return block
    if block.startswith("```"):
        return "<pre><code>" + html.escape("\n".join(lines[1:-1]), quote=False) + "</code></pre>"
    if block.startswith("## "):
        return f"<h2>{html.escape(block[3:], quote=False)}</h2>"
    if block.startswith("- "):
        return "<ul>\n" + "\n".join(f"<li>{html.escape(x[2:], quote=False)}</li>" for x in lines) + "\n</ul>"
    if block.startswith("| "):
        rows = ["".join(f"<td>{cell.strip()}</td>" for cell in x.strip("| ").split("|")) for x in lines]
        return "<table>\n" + "\n".join(f"<tr>{row}</tr>" for row in rows) + "\n</table>"
    return f"<p>{html.escape(block, quote=False)}</p>"


def page_html(page: Page, neighbours: list[Page]) -> bytes:
    """Render a page with the template of its site, in its encoding."""
    body = "\n".join(block_html(b) for b in page.blocks)
    if page.get("template") != "none":
        others = [p for p in neighbours if p.slug != page.slug and p.get("template") != "none" and "copy" not in p.keys]
        start = len(page.slug) % max(1, len(others))
        related = (others[start:] + others[:start])[:5]
        comments = [c.partition(": ") for c in page.get("comments").split(" | ") if c]
        template = string.Template((HOME / "sources" / f"{page.get('template')}.html").read_text(encoding="utf-8"))
        declared = page.get("declare", "utf-8")
        body = template.substitute(
            title=html.escape(page.get("title")),
            url=html.escape(page.url),
            date=page.get("date"),
            author=page.get("author"),
            section=page.get("section"),
            description=html.escape(page.get("title")),
            charset=page.get("encoding") if declared == "none" else declared,
            body=body,
            related="\n".join(f'<li><a href="{p.get("path")}">{html.escape(p.get("title"))}</a></li>' for p in related),
            comments="\n".join(f'<div class="comment"><b>{who}</b><p>{what}</p></div>' for who, _, what in comments),
        )
    return body.encode(page.get("encoding", "utf-8"), "xmlcharrefreplace")


def page_text(page: Page) -> str:
    """Return the text of a page as a text-only source gives it: title and blocks, one per line."""
    return "\n".join([page.get("title"), *(b for b in page.blocks if not b.startswith("<"))]) + "\n"


def expectation(page: Page) -> dict[str, object]:
    """Return what expected.json says of a page: everything in it was declared by hand in the sources."""
    kind, expect = page.get("kind", "article"), page.get("expect", "kept")
    entry: dict[str, object] = {
        "id": page.slug,
        "file": page.get("archive") + (page.get("file") and "/" + page.get("file")),
        "url": page.url,
        "language": page.get("language"),
        "kind": kind,
        "expect": expect,
    }
    for key in ("phrase", "group", "of"):
        if page.get(key):
            entry[key] = page.get(key)
    if page.get("encoding"):
        entry["encoding"] = page.get("encoding")
    if expect in ("dropped", "one_of_group"):
        entry["reasons"] = ["duplicate"] if expect == "one_of_group" else FAMILIES.get(kind, JUNK)
    return entry


def write_tables(out: Path, pages: dict[str, list[Page]]) -> None:
    """Write the sources that hold ready text: JSON lines (plain, zstd, broken), CSV, plain text."""
    for name in ("articles.jsonl", "more.jsonl.zst", "broken.jsonl"):
        lines = [
            json.dumps(
                {
                    "id": p.slug,
                    "text": page_text(p),
                    "url": p.url,
                    "date": p.get("date"),
                    "language": p.get("language"),
                },
                ensure_ascii=False,
            )
            for p in pages.get(name, [])
        ]
        if name == "broken.jsonl":
            lines[1:1] = ['{"id": "cut", "text": "this line stops in the mid', '{"id": "no-text"}', '["not an object"]']
        data = ("\n".join(lines) + "\n").encode()
        (out / name).write_bytes(pa.compress(data, codec="zstd", asbytes=True) if name.endswith("zst") else data)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["id", "text", "url", "date"])
    writer.writerows([p.slug, page_text(p), p.url, p.get("date")] for p in pages.get("notes.csv", []))
    (out / "notes.csv").write_text(table.getvalue(), encoding="utf-8", newline="\n")
    for page in pages.get("letter.txt", []):
        (out / "letter.txt").write_text(page_text(page), encoding="utf-8", newline="\n")


def build(out: Path) -> None:
    """Write every fixture below ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    pages = read_sources(HOME / "sources")
    sites: dict[str, list[Page]] = {}
    archives: dict[str, list[Page]] = {}
    for page in pages:
        page.blocks = [x for b in page.blocks for x in (logbook(20_000) if b == "{{logbook}}" else [b])]
        sites.setdefault(page.keys["site"], []).append(page)
        archives.setdefault(page.keys["archive"], []).append(page)
    captures: dict[str, list[records.Capture]] = {}
    for archive, members in archives.items():
        for number, page in enumerate(members):
            content = page_html(page, sites[page.keys["site"]])
            if archive == "pages":
                target = out / "pages" / page.get("file")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            captures.setdefault(archive, []).append(
                records.Capture(page.url, urlsplit(page.url).netloc, number, content, page_text(page), page.keys)
            )
    records.write_archives(out, captures)
    write_tables(out, archives)
    versions = {"pyarrow": pa.__version__, "zlib": zlib.ZLIB_RUNTIME_VERSION}
    inputs = sorted({*archives, "not-an-archive.warc.gz"})
    expected = {"built_with": versions, "inputs": inputs, "pages": [expectation(p) for p in pages]}
    (out / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else HOME)
