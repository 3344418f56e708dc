"""Reading a slice of an archive: run after run of sound bytes, and on behind the damage between them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from tamis.curate.readers.members import Break
from tamis.curate.readers.opening import Stored
from tamis.curate.readers.reasons import no_page
from tamis.curate.readers.records import BLANK, HEADER, Grammar, Walk
from tamis.curate.readers.runs import Archive, Run
from tamis.stage import NotPage, Page, Slice


def read(part: Slice, grammar: Grammar) -> Iterator[Page | NotPage]:
    """Yield a page or the reason why not for each record that starts in the slice."""
    with Stored(part.file.path) as stored:
        archive = Archive(stored, grammar.begins, grammar.candidate, lambda s, at: _chained(s, at, grammar))
        archive.stacked = archive.how == "gzip" and _stacked(archive, grammar)
        start = archive.first(part.start, part.end)
        while start is not None and start < max(part.end, 1):
            run = archive.run(start)
            walk = Walk(archive, run, grammar, part.end)
            last: Page | NotPage | None = None
            for outcome in walk.outcomes():
                if last is not None:
                    yield last
                last = outcome
            broken = run.broken
            if broken is None or walk.stopped:
                if last is not None:
                    yield last
                return
            start = archive.after(run)
            if isinstance(last, Page) and _spoilt(broken, walk, archive):
                yield no_page(last.position, "damaged_compression", str(broken), url=last.url, date=last.date)
                continue
            if last is not None:
                yield last
            if not (broken.early and walk.cut and start is None):  # a file that just ends is told by its last record
                yield no_page(archive.break_position(run, walk.position), "damaged_compression", str(broken))


def _spoilt(broken: Break, walk: Walk, archive: Archive) -> bool:
    """Tell whether the last record lies in a damaged member of its own: what was unpacked of it may be any bytes.

    A member that just ends too early is sound as far as it goes, and so is what comes before stray bytes.
    """
    return not (broken.early or broken.stray or archive.stacked) and walk.member == broken.at


def _stacked(archive: Archive, grammar: Grammar) -> bool:
    """Tell whether the first member holds more than one record."""
    run = archive.run(0)
    walk = Walk(archive, run, grammar, archive.stored.size)
    return len(list(islice(walk.records(), 2))) == 2 and walk.member == 0


def _chained(stored: Stored, at: int, grammar: Grammar) -> bool:
    """Tell whether plain bytes at ``at`` are a record: a line with a good header, and a record or the end behind it."""
    if not grammar.candidate.match(stored.at(at, 4096)) or (at and stored.at(at - 1, 1) != b"\n"):
        return False
    run = Run(iter([(at, stored.at(at, HEADER + 1024))]), False, True)
    head = grammar.parse(run, 0)
    if isinstance(head, str):
        return False
    end = at + head.size + head.length
    if end > stored.size:
        return False
    behind = stored.at(end, 1024).lstrip(BLANK)
    return not behind or grammar.begins(behind)
