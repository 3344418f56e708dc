"""The process behind an isolated extractor: its pipes, the memory it shares with its parent, its life and death."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import mmap
import os
import select
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tamis.curate.extract.frames import FOLLOWS, LENGTH, SHARED_BYTES, STARTED, FrameBuffer, encode
from tamis.errors import TamisError

HtmlPage = tuple[bytes, str | None, str | None]
"""Body, address, charset the server declared."""

WALL_FACTOR: Final = 5
"""A page may take this many times its processor time on the clock: a busy machine is no reason to lose a page."""

_START_S: Final = 120.0
_BUFFERS_AT_ONCE: Final = 64
_PIPE_BYTES: Final = 1 << 20
_HIGH_BYTES: Final = 3 << 18
_LOW_BYTES: Final = 1 << 18
"""Pages are sent up to the high mark and again once less than the low mark is unanswered: few, large writes."""

# Without these glibc gives the memory of every large page back and asks for it again, a fault for each 4 KiB.
_KEEP_MEMORY: Final = {"MALLOC_TRIM_THRESHOLD_": "67108864", "MALLOC_MMAP_THRESHOLD_": "33554432"}


class ChildGone(Exception):
    """The child closed its pipe."""


class ChildHung(Exception):
    """The child neither answered nor took input for too long."""


class Child:
    """One child process and its two pipes, both non-blocking on this side: neither end can wait for the other."""

    def __init__(self, extractor: str, timeout_s: float, memory_mb: int) -> None:
        module = "tamis.curate.extract.child"
        shared = _shared_memory()
        self._shared = None if shared < 0 else mmap.mmap(shared, SHARED_BYTES + STARTED.size)
        self._free = 0
        self.answered = 0
        """Pages answered in this child's life."""
        command = [sys.executable, "-P", "-m", module, extractor, str(timeout_s), str(memory_mb), str(shared)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                path or str(Path.cwd()) for path in sys.path
            ),  # it finds what this process finds
            "OPENBLAS_NUM_THREADS": "1",  # pages come one by one, and the stacks of idle threads count as memory
            "OMP_NUM_THREADS": "1",
            **_KEEP_MEMORY,
        }
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            env=environment,
            bufsize=0,
            pass_fds=(shared,) if shared >= 0 else (),
        )
        if shared >= 0:
            os.close(shared)  # the mapping stays
        self._owner = os.getpid()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        for end in (self._to, self._from):
            os.set_blocking(end, False)
            with contextlib.suppress(OSError):  # a user's share of large pipes may be used up: slower, no more
                fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._buffer = FrameBuffer()
        self._wall_s = timeout_s * WALL_FACTOR
        self._await_start(extractor)

    def exchange(self, pages: Sequence[HtmlPage]) -> Iterator[bytes]:
        """Send pages and yield the reply frame of each as it comes.

        Raises:
            ChildGone: The child ended before it had answered all.
            ChildHung: It stopped answering.
        """
        unsent: deque[memoryview] = deque()
        sent = answered = in_flight = 0
        while answered < len(pages):
            if not unsent and in_flight <= _LOW_BYTES:
                while sent < len(pages) and (sent == answered or in_flight < _HIGH_BYTES):
                    unsent.extend(_frames(pages[sent], self._place(pages[sent][0])))
                    in_flight += len(pages[sent][0])
                    sent += 1
            self._write(unsent)
            for frame in self._read(wants_room=bool(unsent), timeout_s=self._wall_s):
                in_flight -= len(pages[answered][0])
                answered += 1
                self.answered += 1
                yield frame

    def _place(self, html: bytes) -> int:
        """Put a page into the shared memory and return where, or ``FOLLOWS`` if it is too large for that."""
        if self._shared is None or len(html) > SHARED_BYTES // 4:
            return FOLLOWS
        if self._free + len(html) > SHARED_BYTES:
            self._free = 0
        place = self._free
        self._free += len(html)
        self._shared[place : self._free] = html
        return place

    def lost(self) -> int:
        """Return how many pages the child had begun and not answered; the last of them is the one that ended it."""
        if self._shared is None:  # it answers each page before it begins the next
            return 1
        (started,) = STARTED.unpack_from(self._shared, SHARED_BYTES)
        return max(int(started) - self.answered, 1)

    def kill(self, grace_s: float = 0.05) -> int:
        """End the process, after some time to end by itself, and return its exit status."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        if self._shared is not None:
            self._shared.close()
        if self._owner != os.getpid():  # a fork of the parent: the child is not its own
            return 0
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(grace_s)
        self._process.kill()
        return self._process.wait()

    def _await_start(self, extractor: str) -> None:
        """Wait until the child is ready; raise TamisError with its reason if it is not."""
        try:
            frames: list[bytes] = []
            while not frames:
                frames = self._read(wants_room=False, timeout_s=_START_S)
            reason = frames[0].decode("utf-8", "replace")
        except ChildGone:
            reason = "it died at the start; is the memory limit too low?"
        except ChildHung:
            reason = f"it was not ready within {_START_S:g} s"
        if reason:
            self.kill()
            raise TamisError(f"the extractor {extractor} cannot be started: {reason}")

    def _write(self, unsent: deque[memoryview]) -> None:
        """Write what the pipe takes now; a broken pipe is noticed when reading, after the last replies."""
        try:
            while unsent:
                done = os.writev(self._to, list(itertools.islice(unsent, _BUFFERS_AT_ONCE)))
                while unsent and done >= len(unsent[0]):
                    done -= len(unsent.popleft())
                if unsent and done:
                    unsent[0] = unsent[0][done:]
        except BlockingIOError:
            return
        except BrokenPipeError:
            unsent.clear()

    def _read(self, wants_room: bool, timeout_s: float) -> list[bytes]:
        """Wait for replies (or for room to write, if wanted) and return the frames that are complete."""
        poll = select.poll()
        poll.register(self._from, select.POLLIN)
        if wants_room:
            poll.register(self._to, select.POLLOUT)
        ready = dict(poll.poll(timeout_s * 1000))
        if not ready:
            raise ChildHung
        if self._from not in ready:
            return []
        data = os.read(self._from, _PIPE_BYTES)
        if not data:
            raise ChildGone
        return self._buffer.feed(data)


def _shared_memory() -> int:
    """Return the descriptor of fresh memory to share, or -1 where the system has none (then all goes through pipes)."""
    try:
        descriptor = os.memfd_create("tamis-pages")
    except (AttributeError, OSError):
        return -1
    os.ftruncate(descriptor, SHARED_BYTES + STARTED.size)
    return descriptor


def _frames(page: HtmlPage, place: int) -> Sequence[memoryview]:
    """Return what announces a page, and its bytes if they are not in the shared memory."""
    html, url, charset = page
    head = encode((url, charset, place, len(html)))
    frame = LENGTH.pack(len(head)) + head
    if place != FOLLOWS:
        return (memoryview(frame),)
    return memoryview(frame + LENGTH.pack(len(html))), memoryview(html)
