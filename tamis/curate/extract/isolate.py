"""Extraction in a child process: a page that hangs or crashes the parser costs that page only.

HTML parsers are C code fed by strangers: they have crashed, hung and grown without bound on real crawls
(resiliparse issues 24 and 39, trafilatura issues 704 and 925, datatrove issues 75 and 326).
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Sequence
from types import TracebackType
from typing import Final

from tamis.curate.extract import find_extractor
from tamis.curate.extract.child import OUT_OF_MEMORY
from tamis.curate.extract.frames import Reply, decode_reply
from tamis.curate.extract.process import WALL_FACTOR, Child, ChildGone, ChildHung, HtmlPage
from tamis.curate.extract.record import EXTRACT_CRASH, EXTRACT_ERROR, EXTRACT_TIMEOUT, ExtractFailure
from tamis.errors import UsageError

__all__ = ["WALL_FACTOR", "ExtractFailure", "HtmlPage", "Isolated"]

_DYING_S: Final = 10.0
"""For the kernel to take back the memory of a child that died; only then is it known of what."""
_MAX_PAGE_BYTES: Final = 1 << 30


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
        self._child: Child | None = None

    def __enter__(self) -> Isolated:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self, suppress: type[contextlib.suppress] = contextlib.suppress) -> None:
        with suppress(Exception):  # a default: when the interpreter ends, names of this module may be gone already
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
                self._child = Child(self.extractor, self.timeout_s, self.memory_mb)
            failure, done = self._run(self._child, pages, replies)
            if failure is not None:
                self.restarts += 1
                self.close()
                if done:  # extracted before, but their replies died with the child: again, without the page that did it
                    replies += self.extract_many(pages[len(replies) : len(replies) + done])
                replies.append(failure)
        return replies

    def _run(self, child: Child, pages: Sequence[HtmlPage], replies: list[Reply]) -> tuple[ExtractFailure | None, int]:
        """Send what is left to this child and add its replies.

        Return the failure of the page that killed it, and how many pages before that one have no reply either.
        """
        first = len(replies)
        stop = next((i for i in range(first, len(pages)) if len(pages[i][0]) > _MAX_PAGE_BYTES), len(pages))
        try:
            for frame in child.exchange(pages[first:stop]):
                replies.append(decode_reply(frame))
        except ChildHung:
            lost = child.lost()
            child.kill()
            return ExtractFailure(EXTRACT_TIMEOUT, f"no answer within {self.timeout_s * WALL_FACTOR:g} s"), lost - 1
        except ChildGone:
            lost = child.lost()
            return self._verdict(child.kill(_DYING_S)), lost - 1
        except BaseException:
            self.close()  # interrupted in the middle of a frame: this child's pipes are of no more use
            raise
        return None, 0

    def _verdict(self, status: int) -> ExtractFailure:
        """Say of what the child died."""
        if status == -signal.SIGPROF:
            return ExtractFailure(EXTRACT_TIMEOUT, f"more than {self.timeout_s:g} s of processor time")
        if status == OUT_OF_MEMORY:
            return ExtractFailure(EXTRACT_CRASH, f"more than {self.memory_mb} MB of memory")
        if status < 0:
            return ExtractFailure(EXTRACT_CRASH, f"killed by {signal.Signals(-status).name}")
        return ExtractFailure(EXTRACT_CRASH, f"exit status {status}")
