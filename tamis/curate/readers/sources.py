"""From what the user names (files, folders, patterns, URLs) to a list of files with kind, size and content hash."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

import xxhash

from tamis.curate.readers.http import binary
from tamis.curate.readers.opening import HEAD, Stored, compression, is_remote, plain_head, unpacked_head
from tamis.errors import InputError
from tamis.stage import Reader, SourceFile

ARCHIVE_NAME: Final = re.compile(r"\.(?:warc|wet|wat|arc)(?:\.|$)", re.IGNORECASE)
ABOUT: Final = frozenset({"readme", "license", "licence", "copying", "changelog", "contributing", "notice"})
PATTERN: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that no reader takes, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    path: str
    alone: bool
    """Whether the user named this very file."""


def plan(paths: Sequence[str], readers: Mapping[str, Reader]) -> tuple[list[SourceFile], list[Rejected]]:
    """Return the files to read and the ones refused, both sorted; the order of ``paths`` does not matter.

    Kinds are found by content (``readers`` are asked in order), names only decide where content cannot: CSV and plain
    text. Raises InputError for a path that does not exist or cannot be read, and for a folder or pattern in which
    nothing can be read.
    """
    if not paths:
        raise InputError("no input: name at least one file, folder or pattern")
    files: dict[str, SourceFile] = {}
    rejected: dict[str, Rejected] = {}
    for given in paths:
        refused = []
        found = list(_expand(str(given)))
        for one in found:
            outcome = _look(one, readers)
            if isinstance(outcome, SourceFile):
                files[one.name] = outcome
            else:
                refused.append(outcome)
        if found and len(refused) == len(found) and not found[0].alone:
            raise InputError(f"{given}: nothing in it can be read: {_summary(refused)}")
        rejected.update((one.name, one) for one in refused)
    ordered = sorted(files.values(), key=lambda file: (file.name, file.content))
    copies: Counter[str] = Counter()
    for i, file in enumerate(ordered):
        ordered[i] = replace(file, copy=copies[file.content])
        copies[file.content] += 1
    return ordered, sorted(rejected.values(), key=lambda one: one.name)


def _summary(refused: list[Rejected]) -> str:
    shown = "; ".join(f"{one.name}: {one.reason}" for one in sorted(refused, key=lambda one: one.name)[:3])
    return shown + (f"; and {len(refused) - 3} more" if len(refused) > 3 else "")


def _expand(given: str) -> Iterator[_Found]:
    if is_remote(given):
        yield from _expand_remote(given)
        return
    path = Path(given)
    if path.is_dir():
        below = list(_below(path))
        if not below:
            raise InputError(f"{given}: the folder holds no files (hidden ones are not read)")
        base = given.replace(os.sep, "/").rstrip("/")
        yield from (_Found(f"{base}/{name}", str(path / name), False) for name in below)
    elif path.exists():
        yield _Found(given.replace(os.sep, "/"), given, True)
    elif PATTERN.search(given):
        matches = sorted(glob.glob(given, recursive=True))  # noqa: PTH207 — Path.glob takes no absolute pattern
        files = [match for match in matches if Path(match).is_file()]
        if not files:
            raise InputError(f"{given}: no file matches this pattern")
        yield from (_Found(match.replace(os.sep, "/"), match, False) for match in files)
    else:
        raise InputError(f"{given}: no such file or folder")


def _below(folder: Path) -> Iterator[str]:
    """Yield the files below a folder, relative and in order, without hidden ones."""
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(here, name)
            if not name.startswith(".") and path.is_file():
                yield path.relative_to(folder).as_posix()


def _expand_remote(given: str) -> Iterator[_Found]:
    try:
        from fsspec.core import url_to_fs

        system, root = url_to_fs(given)
        if PATTERN.search(root):
            names = sorted(name for name in system.glob(root) if system.isfile(name))
            if not names:
                raise InputError(f"{given}: no file matches this pattern")
            found = [_Found(url, url, False) for url in map(system.unstrip_protocol, names)]
        elif system.isdir(root):
            found = list(_below_remote(given, system, root))
            if not found:
                raise InputError(f"{given}: the folder holds no files (hidden ones are not read)")
        elif system.exists(root):
            found = [_Found(given, given, True)]
        else:
            raise InputError(f"{given}: no such file or folder")
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"{given}: cannot be reached: {error}") from None
    yield from found


def _below_remote(given: str, system: Any, root: str) -> Iterator[_Found]:
    for name in sorted(system.find(root)):
        relative = PurePosixPath(str(name).removeprefix(root).lstrip("/"))
        if not any(part.startswith(".") for part in relative.parts):
            yield _Found(f"{given.rstrip('/')}/{relative}", system.unstrip_protocol(name), False)


def _look(found: _Found, readers: Mapping[str, Reader]) -> SourceFile | Rejected:
    """Find the kind of one file and hash it."""
    try:
        with Stored(found.path) as stored:
            head = stored.at(0, HEAD)
            kind = _kind(found, head, readers)
            if kind not in readers:
                return Rejected(found.name, kind)
            return SourceFile(found.path, found.name, kind, stored.size, _hash(stored))
    except InputError as error:
        if found.alone:
            raise
        return Rejected(found.name, str(error).removeprefix(f"{found.path}: "))


def _hash(stored: Stored) -> str:
    digest = xxhash.xxh3_128()
    for piece in stored.pieces():
        digest.update(piece)
    return digest.hexdigest()


def _kind(found: _Found, head: bytes, readers: Mapping[str, Reader]) -> str:
    """Return the name of the reader for a file, or why there is none."""
    name = PurePosixPath(found.name).name
    archive = ARCHIVE_NAME.search(name)
    plain, clean = unpacked_head(head)
    if clean and not plain.strip(b"\0 \t\r\n"):
        if archive:
            return "arc" if archive[0].lower().startswith(".arc") else "warc"
        return "empty"
    if not found.alone and name.split(".")[0].lower() in ABOUT:
        return "about the data, not part of it (name it by itself to read it)"
    return next((kind for kind, reader in readers.items() if reader.sniff(head, name)), "") or _why(head, name)


def _why(head: bytes, name: str) -> str:
    how = compression(head)
    plain = plain_head(head)
    if how is not None and not plain:
        return f"{how} compression that cannot be unpacked"
    if plain.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return "JSON but not JSON Lines (one object a line is expected)"
    if how is not None:
        return f"{how}-compressed, and no WARC, ARC, JSON Lines, CSV or HTML inside"
    if found := binary(head):
        return f"{found} is not a kind that can be read"
    suffix = PurePosixPath(name).suffix
    if b"\0" in head:
        return f"binary data of no known kind{f' ({suffix})' if suffix else ''}"
    return "text of no known kind (name it .txt, .md or .rst to read it as one document)"
