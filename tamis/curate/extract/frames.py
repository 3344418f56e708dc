"""What goes through the pipes between an extracting child process and its parent.

A frame is a 4-byte little-endian length and that many bytes of msgpack. A page is sent as one frame that says where its
bytes lie in memory the two processes share; a page too large for that follows as a second frame of bare bytes.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from tamis.curate.extract.record import Extracted, ExtractFailure

LENGTH: Final = struct.Struct("<I")
MAX_FRAME: Final = 0xFFFFFFFF

Reply = Extracted | ExtractFailure
PageHead = tuple[str | None, str | None, int, int]
"""Address, declared charset, place in the shared memory (``FOLLOWS`` for none), bytes."""

FOLLOWS: Final = -1

SHARED_BYTES: Final = 8 << 20
"""Memory for pages on their way, used round and round. A page of more than a quarter of it goes through the pipe: then
what is unanswered never reaches back to where the next page is put."""

STARTED: Final = struct.Struct("<Q")
"""Behind it: how many pages the child has begun, so that a death is put down to the right page."""

encode: Final = msgspec.msgpack.Encoder().encode
decode_reply: Final = msgspec.msgpack.Decoder(Reply).decode
decode_head: Final = msgspec.msgpack.Decoder(PageHead).decode


class FrameBuffer:
    """Collects bytes as they come from a pipe and gives back the frames that are complete."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes; return the frames they complete, in order."""
        self._data += data
        frames: list[bytes] = []
        start = 0
        while len(self._data) - start >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._data, start)
            if len(self._data) - start - LENGTH.size < size:
                break
            start += LENGTH.size
            frames.append(bytes(self._data[start : start + size]))
            start += size
        if start:
            del self._data[:start]
        return frames
