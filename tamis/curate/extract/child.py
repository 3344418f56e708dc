"""The child process that extracts: reads pages from stdin and answers them in order on stdout.

Started by ``isolate.Isolated`` as ``python -m tamis.curate.extract.child EXTRACTOR TIMEOUT_S MEMORY_MB SHARED``; the
last is the descriptor of the memory it shares with its parent, or -1. It ends when its input ends, so that it does not
outlive its parent.
"""

from __future__ import annotations

import gc
import importlib
import mmap
import os
import re
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from tamis.curate.extract import EXTRACTORS, extract
from tamis.curate.extract.frames import FOLLOWS, LENGTH, SHARED_BYTES, STARTED, decode_head, encode
from tamis.curate.extract.record import EXTRACT_ERROR, Extracted, ExtractFailure
from tamis.errors import MissingExtra

OUT_OF_MEMORY: Final = 77
"""Exit status of a child whose extractor hit the memory limit: what it holds after that is not to be trusted."""

Work = Callable[[bytes, str | None, str | None], Extracted]

_ADDRESS: Final = re.compile(r"\b0x[0-9a-fA-F]+")
_DETAIL_CHARS: Final = 500
_READ_BYTES: Final = 1 << 18
_HOLD_BYTES: Final = 1 << 17
_HOLD_S: Final = 0.5
"""Answers are held back up to this size and time while more pages are waiting."""


def main(arguments: list[str]) -> None:
    """Serve pages until the input ends. The first frame out is empty when ready, else says why it cannot start."""
    name, timeout_s, memory_mb = arguments[0], float(arguments[1]), int(arguments[2])
    pages = _Input(sys.stdin.fileno())
    shared = mmap.mmap(int(arguments[3]), 0) if int(arguments[3]) >= 0 else None
    replies = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library that prints must not print into the replies
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the pipe
    _limit_memory(memory_mb * 2**20)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        work = load(name)
    except (ImportError, AttributeError, ValueError, MissingExtra) as error:
        _answer(replies, f"{type(error).__name__}: {error}".encode())
        return
    _answer(replies, b"")
    gc.freeze()  # what was imported stays: the collector need not walk it again and again
    gc.set_threshold(50_000, 20, 20)
    try:
        _serve(pages, replies, work, timeout_s, shared)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def _limit_memory(limit: int) -> None:
    """Bound the private memory of this process, by less if the user's own limit is lower."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def load(name: str) -> Work:
    """Return the extractor of a table name or of ``module:function``, called with (html, url, charset)."""
    if name in EXTRACTORS:
        return partial(extract, extractor=name)
    module, _, function = name.partition(":")
    work: Work = getattr(importlib.import_module(module), function)
    return work


def _serve(pages: _Input, replies: int, work: Work, timeout_s: float, shared: mmap.mmap | None) -> None:
    """Answer page by page; the processor time of each is limited by the kernel, whatever code it is in.

    Answers are sent some at a time, to wake the parent seldom. Where it can see how many pages were begun, it knows
    which one killed this process, whatever answers died with it.
    """
    held = bytearray()
    sent, begun = time.monotonic(), 0
    while True:
        late = time.monotonic() - sent > _HOLD_S
        if held and (shared is None or late or len(held) > _HOLD_BYTES or not pages.waiting()):
            if not _write(replies, held):
                return
            held, sent = bytearray(), time.monotonic()
        head = pages.frame()
        if head is None:
            return
        begun += 1
        if shared is not None:
            STARTED.pack_into(shared, SHARED_BYTES, begun)
        url, charset, place, size = decode_head(head)
        html = pages.frame() if place == FOLLOWS or shared is None else shared[place : place + size]
        if html is None:
            return
        signal.setitimer(signal.ITIMER_PROF, timeout_s)  # its signal kills the process
        reply = _attempt(work, html, url, charset)
        signal.setitimer(signal.ITIMER_PROF, 0)
        held += LENGTH.pack(len(reply)) + reply


def _attempt(work: Work, html: bytes, url: str | None, charset: str | None) -> bytes:
    """Extract one page into a reply; an exception becomes a failure that reads the same on every run."""
    try:
        result = work(html, url, charset)
        if not isinstance(result, Extracted):
            raise TypeError(f"the extractor returned {type(result).__name__}, not Extracted")
        return encode(result)
    except MemoryError:
        raise
    except Exception as error:
        detail = _ADDRESS.sub("0x", f"{type(error).__name__}: {error}")
        return encode(ExtractFailure(EXTRACT_ERROR, detail.encode("utf-8", "replace").decode()[:_DETAIL_CHARS]))


class _Input:
    """Frames from a pipe."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._data = b""
        self._at = 0

    def frame(self) -> bytes | None:
        """Wait for one frame; None at the end of the input."""
        prefix = self._take(LENGTH.size)
        return None if prefix is None else self._take(LENGTH.unpack(prefix)[0])

    def waiting(self) -> bool:
        """Tell whether more has been sent already."""
        return self._at < len(self._data) or bool(select.select([self._pipe], [], [], 0)[0])

    def _take(self, size: int) -> bytes | None:
        """Wait for that many bytes."""
        if len(self._data) - self._at < size:
            parts = [self._data[self._at :]]
            missing = size - len(parts[0])
            while missing > 0:
                piece = os.read(self._pipe, _READ_BYTES)
                if not piece:
                    return None
                parts.append(piece)
                missing -= len(piece)
            self._data, self._at = b"".join(parts), 0
        self._at += size
        return self._data[self._at - size : self._at]


def _answer(pipe: int, data: bytes) -> None:
    """Write one frame at once."""
    _write(pipe, LENGTH.pack(len(data)) + data)


def _write(pipe: int, data: bytes | bytearray) -> bool:
    """Write all of it; tell whether anyone still reads."""
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(pipe, rest) :]
    except BrokenPipeError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
