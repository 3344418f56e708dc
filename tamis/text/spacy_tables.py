"""The tables of the ``en-spacy`` view, loaded on first use from the file that scripts/make_spacy_tables.py wrote."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tamis.text.hashing import hash_text, pair_hash

VERSION = "1+spacy-3.8.18+datatrove-0.10.1"
FILE = Path(__file__).parent / "tables" / "spacy_en.npz"


class Lists(NamedTuple):
    """The tables as Python sees them."""

    block_index: NDArray[np.uint16]
    blocks: NDArray[np.uint32]
    specials: dict[str, list[str]]
    """Special case → its tokens."""
    patterns: dict[tuple[str, ...], str]
    """What a special case looks like where rules have broken it → the special case."""
    units: list[str]
    stop_words: list[str]


class Tables(NamedTuple):
    """The tables as compiled kernels take them: class blocks, and open-addressing sets of 64-bit hashes."""

    block_index: NDArray[np.uint16]
    blocks: NDArray[np.uint32]
    special_slots: NDArray[np.int32]  # number of the special case + 1, by hash
    special_hash: NDArray[np.uint64]
    special_lengths: NDArray[np.uint32]  # by first byte: bit n set if a special case has n characters
    special_first: NDArray[np.int32]  # where its token lengths begin; one more entry than special cases
    token_lengths: NDArray[np.int32]  # in characters
    special_text: NDArray[np.uint8]
    special_bounds: NDArray[np.int64]
    pattern_slots: NDArray[np.int32]
    pattern_hash: NDArray[np.uint64]
    pattern_special: NDArray[np.int32]
    pattern_pairs: NDArray[np.uint64]  # 4096 bits: hash of the first two tokens
    units: NDArray[np.uint32]  # one row of code points each, right-aligned
    unit_lengths: NDArray[np.int64]
    stop_hash: NDArray[np.uint64]


@cache
def lists() -> Lists:
    """Read the table file.

    Raises:
        RuntimeError: the file is of another version than this code.
    """
    with np.load(FILE) as file:
        if str(file["version"]) != VERSION:
            raise RuntimeError(f"{FILE.name} is version {file['version']}, the code expects {VERSION}: reinstall tamis")
        split = {name: str(file[name]).split("\n") for name in ("specials", "special_tokens", "special_patterns")}
        return Lists(
            file["block_index"],
            file["blocks"],
            {name: parts.split(" ") for name, parts in zip(split["specials"], split["special_tokens"], strict=True)},
            {
                tuple(pattern.split(" ")): name
                for name, pattern in zip(split["specials"], split["special_patterns"], strict=True)
                if pattern
            },
            str(file["units"]).split("\n"),
            str(file["stop_words"]).split("\n"),
        )


@cache
def tables() -> Tables:
    """Return the tables in compiled form."""
    source = lists()
    names = list(source.specials)
    number = {name: i for i, name in enumerate(names)}
    lengths = [[len(part) for part in parts] for parts in source.specials.values()]
    special_hash, special_slots = _slots([hash_text(name) for name in names])
    by_first = np.zeros(256, np.uint32)
    for name in names:
        by_first[name.encode()[0]] |= np.uint32(1 << len(name))
    pattern_hash, pattern_slots = _slots([_tuple_hash(pattern) for pattern in source.patterns])
    pairs = np.zeros(64, np.uint64)
    for pattern in source.patterns:
        bit = int(_tuple_hash(pattern[:2])) & 4095
        pairs[bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)
    units = sorted(source.units, key=lambda unit: (-len(unit), unit))
    width = len(units[0])
    rows = [[0] * (width - len(unit)) + list(map(ord, unit)) for unit in units]
    return Tables(
        np.ascontiguousarray(source.block_index),
        np.ascontiguousarray(source.blocks),
        special_slots,
        special_hash,
        by_first,
        np.cumsum([0] + [len(parts) for parts in lengths]).astype(np.int32),
        np.array([n for parts in lengths for n in parts], np.int32),
        np.frombuffer("".join(names).encode(), np.uint8).copy(),
        np.cumsum([0] + [len(name.encode()) for name in names]).astype(np.int64),
        pattern_slots,
        pattern_hash,
        np.array([number[name] for name in source.patterns.values()], np.int32),
        pairs,
        np.array(rows, np.uint32),
        np.array([len(unit) for unit in units], np.int64),
        np.array([hash_text(word) for word in source.stop_words], np.uint64),
    )


def _tuple_hash(parts: tuple[str, ...]) -> np.uint64:
    """Return the hash of a sequence of tokens, as the resolver folds it."""
    folded = hash_text(parts[0])
    for part in parts[1:]:
        folded = np.uint64(pair_hash(folded, hash_text(part)))
    return folded


def _slots(hashes: list[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Return the hashes and a half-empty open-addressing table of their numbers + 1."""
    keys = np.array(hashes, np.uint64)
    size = 1 << (2 * len(keys)).bit_length()
    slots = np.zeros(size, np.int32)
    for number, key in enumerate(keys.tolist()):
        at = key & (size - 1)
        while slots[at]:
            at = (at + 1) & (size - 1)
        slots[at] = number + 1
    return keys, slots
