"""The 64-bit hash of chunks, tokens and lines in the ``en-spacy`` kernels: fixed, the same on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

from tamis.text.layout import FINISH, MULTIPLIER, SEED


@njit(nogil=True, cache=True)
def finish(state: Any) -> Any:
    """Spread the state of a running hash over all 64 bits."""
    state ^= state >> np.uint64(32)
    state *= FINISH
    return state ^ (state >> np.uint64(29))


@njit(nogil=True, cache=True)
def hash_bytes(data: Any, start: Any, end: Any) -> Any:
    """Return the hash of ``data[start:end]``."""
    state = SEED
    for i in range(np.uint64(start), np.uint64(end)):
        state = (state ^ np.uint64(data[i])) * MULTIPLIER
    return finish(state)


@njit(nogil=True, cache=True)
def hash_rows(data: Any, starts: Any, ends: Any) -> Any:
    """Return the hash of each of several byte strings."""
    out = np.empty(len(starts), np.uint64)
    for i in range(len(starts)):
        out[i] = hash_bytes(data, starts[i], ends[i])
    return out


@njit(nogil=True, cache=True)
def pair_hash(left: Any, right: Any) -> Any:
    """Return the hash of a sequence from that of its head and its next item."""
    return finish((left ^ (right >> np.uint64(7))) * MULTIPLIER + right)


def hash_text(text: str) -> np.uint64:
    """Return the hash of a string's UTF-8 bytes."""
    data = np.frombuffer(text.encode(), np.uint8)
    return np.uint64(hash_bytes(data, 0, len(data)))


@intrinsic
def load8(typingctx: Any, array: Any, at: Any) -> Any:
    """Return eight bytes of a uint8 array from any address as one little-endian word; the caller checks the bound."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, args[0])
        word = ir.IntType(64)
        address = builder.gep(made.data, [builder.zext(args[1], word) if args[1].type.width < 64 else args[1]])
        value = builder.load(builder.bitcast(address, ir.PointerType(word)))
        value.align = 1
        return value

    return types.uint64(array, at), codegen


@intrinsic
def borrowed(typingctx: Any, value: Any) -> Any:
    """Return an array, or a tuple of such, that is not reference-counted; whoever owns it must outlive every use.

    Kernels hand tuples of arrays to small functions; counting references with atomic additions each time costs more
    than their work (measured: two thirds of the time to resolve a chunk).
    """

    def strip(context: Any, builder: Any, kind: Any, held: Any) -> Any:
        if isinstance(kind, types.Array):
            array = context.make_array(kind)(context, builder, held)
            array.meminfo = ir.Constant(array.meminfo.type, None)
            return array._getvalue()
        if isinstance(kind, types.BaseTuple):
            for place, part in enumerate(kind.types):
                inner = strip(context, builder, part, builder.extract_value(held, place))
                held = builder.insert_value(held, inner, place)
        return held

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return strip(context, builder, signature.args[0], args[0])

    # One type for every kernel: a read-only array would compile each of them a second time.
    return (value.copy(readonly=False) if isinstance(value, types.Array) else value)(value), codegen
