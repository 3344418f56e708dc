"""The memory budget of a run: how many workers it pays for and what it leaves for their tasks."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tamis.errors import UsageError

MIB: Final = 1 << 20

DEFAULT: Final = 2048 * MIB
MINIMUM: Final = 256 * MIB
"""Least budget: below it not even one process with compiled kernels can work."""

PARENT: Final = 104 * MIB
"""Taken by the process that hands out tasks: Python, Arrow, the plan. All three measured on Linux, x86-64."""
WORKER: Final = 208 * MIB
"""Taken by a worker before its task takes anything: Python, Arrow, numba and the kernels."""
ALONE: Final = 208 * MIB
"""Taken by one process that does all by itself."""
LEAST: Final = 32 * MIB
"""What a worker must have left for a task to be worth its base."""

_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


@dataclass(frozen=True, slots=True)
class Budget:
    """What a memory limit comes to."""

    workers: int
    """Worker processes, or 0: tasks run in the process of the run itself."""
    memory: int
    """Bytes for tasks, beside the bases of all processes."""


def parse_size(given: str) -> int:
    """Return the bytes of ``2GiB``, ``256 MiB``, ``4G`` or ``1073741824``; G is 10^9, Gi is 2^30. Raises UsageError."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt]i?)b?|b)?\s*", given, re.ASCII | re.IGNORECASE)
    if not found:
        raise UsageError(f"--memory {given!r} is no size; write it like 2GiB, 512MiB, 4G or 1073741824")
    number, unit = found[1], (found[2] or "").lower()
    factor = (1024 if unit.endswith("i") else 1000) ** _POWERS[unit[:1]]
    return int(number) * factor if number.isdecimal() else int(float(number) * factor)


def show_size(size: int) -> str:
    """Return a size for people, rounded down: 2 GiB, 383 MiB."""
    gib = size / 1024 / MIB
    return f"{gib:g} GiB" if size >= 1024 * MIB and gib * 10 % 1 == 0 else f"{size // MIB} MiB"


def fit(memory: int, workers: int) -> Budget:
    """Return how many of ``workers`` processes fit ``memory`` bytes, and what is left for tasks. Raises UsageError."""
    if memory < MINIMUM:
        least = show_size(MINIMUM).replace(" ", "")
        raise UsageError(
            f"--memory {show_size(memory)} is below the minimum of {show_size(MINIMUM)} "
            f"that one process with its compiled kernels needs: give --memory {least} or more"
        )
    possible = (memory - PARENT) // (WORKER + LEAST)
    if possible < 1:
        return Budget(0, memory - ALONE)
    fitting = min(workers, possible)
    return Budget(fitting, memory - PARENT - fitting * WORKER)


def needed(workers: int) -> int:
    """Return the least budget with which ``workers`` processes run."""
    return PARENT + workers * (WORKER + LEAST)


def economise() -> None:
    """Make this process hold no more than it uses: one thread, and memory goes back as soon as it is free."""
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    pa.set_memory_pool(pa.system_memory_pool())
    libc = _glibc()
    if libc is not None:
        libc.mallopt(-8, 1)  # M_ARENA_MAX, <malloc.h>
        libc.mallopt(-3, 1 << 18)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 1 << 20)  # M_TRIM_THRESHOLD


def give_back() -> None:
    """Give memory that is free, but kept for later by an allocator, back to the system."""
    gc.collect()
    gc.freeze()  # what outlives a task is looked at once, not after every task: half a million objects of the compiler
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:
        arrow.default_memory_pool().release_unused()
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)
        if "llvmlite" in sys.modules:
            _drop_compiler(libc)


def _drop_compiler(libc: ctypes.CDLL) -> None:
    """Take the code of LLVM, some 50 MiB, out of this process until it is called again.

    Kernels are linked once; after that LLVM's pages count as memory of every worker for nothing. They are a clean copy
    of its file: the kernel reads them again when they are touched.
    """
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            if line.endswith("libllvmlite.so") and " r-xp " in line:
                start, end = (int(bound, 16) for bound in line.split()[0].split("-"))
                libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), 4)  # MADV_DONTNEED, <sys/mman.h>


@cache
def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it is glibc."""
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") else None
