"""Extraction in a child process: a page that hangs or crashes the parser costs that page only.

HTML parsers are C code fed by strangers: they have crashed, hung and grown without bound on real crawls
(resiliparse issues 24 and 39, trafilatura issues 704 and 925, datatrove issues 75 and 326).
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import mmap
import os
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from tamis.curate.extract import find_extractor
from tamis.curate.extract.child import OUT_OF_MEMORY
from tamis.curate.extract.frames import FOLLOWS, LENGTH, FrameBuffer, Reply, decode_reply, encode
from tamis.curate.extract.record import EXTRACT_CRASH, EXTRACT_ERROR, EXTRACT_TIMEOUT, ExtractFailure
from tamis.errors import TamisError, UsageError

__all__ = ["WALL_FACTOR", "ExtractFailure", "HtmlPage", "Isolated"]

HtmlPage = tuple[bytes, str | None, str | None]
"""Body, address, charset the server declared."""

WALL_FACTOR: Final = 5
"""A page may take this many times its processor time on the clock: a busy machine is no reason to lose a page."""

_START_S: Final = 120.0
_DYING_S: Final = 10.0
"""For the kernel to take back the memory of a child that died; only then is it known of what."""
_BUFFERS_AT_ONCE: Final = 64
_PIPE_BYTES: Final = 1 << 20
_HIGH_BYTES: Final = 3 << 18
_LOW_BYTES: Final = 1 << 18
"""Pages are sent up to the high mark and again once less than the low mark is unanswered: few, large writes."""
_MAX_PAGE_BYTES: Final = 1 << 30
_SHARED_BYTES: Final = 8 << 20
"""Memory for pages on their way, used round and round. A page of more than a quarter of it goes through the pipe: then
what is unanswered never reaches back to where the next page is put."""


class Isolated:
    """An extractor in a child process, restarted as often as pages kill it.

    The text of a page never depends on the pages before it, on restarts or on the machine's load: ``timeout_s`` is
    processor time, measured by the kernel. Only a page that *waits* is judged by the clock, at five times that.

    Args:
        extractor: A name of ``EXTRACTORS``, or ``module:function`` taking (html, url, charset).
        timeout_s: Processor seconds for one page.
        memory_mb: MiB of private memory for the child, its libraries included.

    Raises:
        UsageError: There is no such extractor, or a limit that is not positive.
        MissingExtra: Its library is not installed.
    """

    def __init__(self, extractor: str = "resiliparse", timeout_s: float = 20.0, memory_mb: int = 2048) -> None:
        if ":" not in extractor:
            find_extractor(extractor)
        if timeout_s <= 0 or memory_mb <= 0:
            raise UsageError(f"extraction limits must be positive: timeout_s={timeout_s}, memory_mb={memory_mb}")
        self.extractor = extractor
        self.timeout_s = timeout_s
        self.memory_mb = memory_mb
        self.restarts = 0
        """Children lost to pages so far."""
        self._child: _Child | None = None

    def __enter__(self) -> Isolated:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def close(self) -> None:
        """End the child. Another ``extract_many`` starts a new one."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()

    def extract_many(self, pages: Sequence[HtmlPage]) -> list[Reply]:
        """Extract pages; return a result or a failure for each, in order.

        Raises:
            TamisError: The child cannot even start; the message says why.
        """
        replies: list[Reply] = []
        while len(replies) < len(pages):
            if len(pages[len(replies)][0]) > _MAX_PAGE_BYTES:
                replies.append(ExtractFailure(EXTRACT_ERROR, f"page of more than {_MAX_PAGE_BYTES} bytes"))
                continue
            if self._child is None:
                self._child = _Child(self.extractor, self.timeout_s, self.memory_mb)
            failure = self._run(self._child, pages, replies)
            if failure is not None:
                replies.append(failure)
                self.restarts += 1
                self.close()
        return replies

    def _run(self, child: _Child, pages: Sequence[HtmlPage], replies: list[Reply]) -> ExtractFailure | None:
        """Send what is left to this child and add its replies; return the failure of the page that killed it."""
        first = len(replies)
        stop = next((i for i in range(first, len(pages)) if len(pages[i][0]) > _MAX_PAGE_BYTES), len(pages))
        try:
            for frame in child.exchange(pages[first:stop]):
                replies.append(decode_reply(frame))
        except _ChildHung:
            child.kill()
            return ExtractFailure(EXTRACT_TIMEOUT, f"no answer within {self.timeout_s * WALL_FACTOR:g} s")
        except _ChildGone:
            return self._verdict(child.kill(_DYING_S))
        except BaseException:
            self.close()  # interrupted in the middle of a frame: this child's pipes are of no more use
            raise
        return None

    def _verdict(self, status: int) -> ExtractFailure:
        """Say of what the child died."""
        if status == -signal.SIGPROF:
            return ExtractFailure(EXTRACT_TIMEOUT, f"more than {self.timeout_s:g} s of processor time")
        if status == OUT_OF_MEMORY:
            return ExtractFailure(EXTRACT_CRASH, f"more than {self.memory_mb} MB of memory")
        if status < 0:
            return ExtractFailure(EXTRACT_CRASH, f"killed by {signal.Signals(-status).name}")
        return ExtractFailure(EXTRACT_CRASH, f"exit status {status}")


class _ChildGone(Exception):
    """The child closed its pipe."""


class _ChildHung(Exception):
    """The child neither answered nor took input for too long."""


class _Child:
    """One child process and its two pipes, both non-blocking on this side: neither end can wait for the other."""

    def __init__(self, extractor: str, timeout_s: float, memory_mb: int) -> None:
        module = "tamis.curate.extract.child"
        shared = _shared_memory()
        self._shared = None if shared < 0 else mmap.mmap(shared, _SHARED_BYTES)
        self._free = 0
        command = [sys.executable, "-P", "-m", module, extractor, str(timeout_s), str(memory_mb), str(shared)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                path or str(Path.cwd()) for path in sys.path
            ),  # it finds what this process finds
            "OPENBLAS_NUM_THREADS": "1",  # pages come one by one, and the stacks of idle threads count as memory
            "OMP_NUM_THREADS": "1",
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
            _ChildGone: The child ended before it had answered all.
            _ChildHung: It stopped answering.
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
                yield frame

    def _place(self, html: bytes) -> int:
        """Put a page into the shared memory and return where, or ``FOLLOWS`` if it is too large for that."""
        if self._shared is None or len(html) > _SHARED_BYTES // 4:
            return FOLLOWS
        if self._free + len(html) > _SHARED_BYTES:
            self._free = 0
        place = self._free
        self._free += len(html)
        self._shared[place : self._free] = html
        return place

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
        except _ChildGone:
            reason = "it died at the start; is the memory limit too low?"
        except _ChildHung:
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
            raise _ChildHung
        if self._from not in ready:
            return []
        data = os.read(self._from, _PIPE_BYTES)
        if not data:
            raise _ChildGone
        return self._buffer.feed(data)


def _shared_memory() -> int:
    """Return the descriptor of fresh memory to share, or -1 where the system has none (then all goes through pipes)."""
    try:
        descriptor = os.memfd_create("tamis-pages")
    except (AttributeError, OSError):
        return -1
    os.ftruncate(descriptor, _SHARED_BYTES)
    return descriptor


def _frames(page: HtmlPage, place: int) -> Sequence[memoryview]:
    """Return what announces a page, and its bytes if they are not in the shared memory."""
    html, url, charset = page
    head = encode((url, charset, place, len(html)))
    frame = LENGTH.pack(len(head)) + head
    if place != FOLLOWS:
        return (memoryview(frame),)
    return memoryview(frame + LENGTH.pack(len(html))), memoryview(html)
