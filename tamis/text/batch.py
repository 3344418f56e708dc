"""TextBatch: an Arrow string array as plain numpy views, so that compiled kernels can walk its UTF-8 bytes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.errors import DataError


class TextBatch:
    """A batch of texts, one per row, as UTF-8 bytes and bounds.

    ``data`` is the Arrow value buffer itself (uint8, never copied, read-only); text ``i`` is
    ``data[starts[i]:ends[i]]``. A null has equal bounds and ``valid[i]`` false: null is not "". Slices,
    ``large_string`` and dictionaries are understood.
    ``columns`` holds the other columns of the rows, for rules that look at them.
    """

    def __init__(self, texts: pa.Array | pa.ChunkedArray, columns: Mapping[str, pa.Array] | None = None) -> None:
        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks() if texts.num_chunks != 1 else texts.chunk(0)
            if isinstance(texts, pa.ChunkedArray):  # more than 2 GiB of text does not fit one string array
                texts = pa.concat_arrays([chunk.cast(pa.large_string()) for chunk in texts.chunks])
        if pa.types.is_dictionary(texts.type):
            texts = texts.dictionary_decode()
        if pa.types.is_null(texts.type):
            texts = texts.cast(pa.string())
        if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
            texts = texts.cast(pa.string())
        self.texts = texts
        self.columns: Mapping[str, pa.Array] = columns or {}
        self.n = len(texts)
        self.data, self.starts, self.ends = _bounds(texts)

    def __len__(self) -> int:
        return self.n

    @cached_property
    def valid(self) -> NDArray[np.bool_]:
        """Which rows hold a text at all."""
        return np.asarray(self.texts.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)

    @cached_property
    def n_bytes(self) -> NDArray[np.int64]:
        """UTF-8 bytes of each text."""
        return self.ends - self.starts

    def check(self) -> None:
        """Raise DataError if a text is not valid UTF-8 (Arrow does not check arrays made by casts or by Parquet)."""
        try:
            self.texts.validate(full=True)
        except pa.ArrowInvalid as error:
            raise DataError(f"text column holds bytes that are not UTF-8: {error}") from None


def _bounds(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Return the value buffer and the start and end of each text in it, honouring offset and nulls."""
    _, offsets, values = texts.buffers()
    width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    data = np.frombuffer(values, dtype=np.uint8) if values is not None and values.size else np.zeros(0, np.uint8)
    if offsets is None or not len(texts):
        empty = np.zeros(len(texts), np.int64)
        return data, empty, empty.copy()
    bounds = np.frombuffer(offsets, dtype=width)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    starts, ends = bounds[:-1].copy(), bounds[1:].copy()
    if texts.null_count:
        missing = texts.is_null().to_numpy(zero_copy_only=False)
        ends[missing] = starts[missing]
    return data, starts, ends
