"""Keeping compiled kernels honest: numba notices a changed function only by the file it stands in."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Final

STAMP: Final = ".kernels"


def is_cold(package: Path) -> bool:
    """Tell whether kernels below ``package`` have yet to be compiled; where the folder is read-only, nobody knows."""
    return os.access(package, os.W_OK) and next(package.rglob("*.nbi"), None) is None


def drop_stale(package: Path) -> bool:
    """Delete cached kernels below ``package`` if any source changed since they were compiled; tell whether it did.

    A kernel that calls one in another file would go on running the old code of that file. Does nothing where the
    folder cannot be written: such an installation does not change file by file.
    """
    sources = [(path, path.stat()) for path in sorted(package.rglob("*.py"))]
    told = "\n".join(f"{path.relative_to(package)} {found.st_size} {found.st_mtime_ns}" for path, found in sources)
    stamp = package / "text" / "__pycache__" / STAMP
    current = hashlib.sha256(told.encode()).hexdigest()
    with contextlib.suppress(OSError):
        if stamp.is_file() and stamp.read_text() == current:
            return False
        for cached in (*package.rglob("*.nbi"), *package.rglob("*.nbc")):
            cached.unlink(missing_ok=True)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(current)
        return True
    return False
