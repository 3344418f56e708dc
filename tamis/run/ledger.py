"""The ledger: which tasks are finished, and their files. A finished task is a folder that appeared in one rename."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import shutil
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import orjson
import xxhash

from tamis import __version__
from tamis.errors import OutputError
from tamis.stage import Done
from tamis.storage import writing

WORK: Final = ".work"
"""Folder inside an output folder that holds finished tasks, so that the same command goes on where it stopped."""


@cache
def code_version() -> str:
    """Return the version plus a hash of the package's own source and tables: changed code repeats its work."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix in {".py", ".npz", ".json"} and "__pycache__" not in path.parts:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{__version__}+{digest.hexdigest()[:16]}"


def task_key(*parts: Any) -> str:
    """Return the key of a task: a hash of the code version and of everything else the result depends on."""
    return xxhash.xxh3_128_hexdigest(orjson.dumps([code_version(), *parts], option=orjson.OPT_SORT_KEYS))


class Ledger:
    """Finished tasks below ``folder/.work``; safe against kill -9 at any moment."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / WORK
        self.tasks = self.work / "tasks"
        self.drafts = self.work / "drafts"

    def open(self, fresh: bool = False) -> None:
        """Make the folders ready; ``fresh`` forgets finished tasks. Call with the lock held."""
        with writing(self.work):
            self._drop_drafts()
            if fresh:
                shutil.rmtree(self.tasks, ignore_errors=True)
            self.tasks.mkdir(parents=True, exist_ok=True)
            self.drafts.mkdir(exist_ok=True)

    def _drop_drafts(self) -> None:
        """Delete all drafts. They move away first: a task of a dead run that goes on elsewhere must not commit half."""
        old = self.work / f"old.{uuid4().hex}"
        with contextlib.suppress(FileNotFoundError):
            self.drafts.rename(old)
        for folder in self.work.glob("old.*"):
            shutil.rmtree(folder, ignore_errors=True)

    def find(self, key: str) -> Done | None:
        """Return a finished task, or None; one whose files changed size is forgotten."""
        folder = self.tasks / key
        try:
            record = orjson.loads((folder / "result.json").read_bytes())
            intact = all((folder / name).stat().st_size == size for name, size in record["files"].items())
        except (OSError, ValueError, KeyError):
            return None
        if not intact:
            shutil.rmtree(folder, ignore_errors=True)
            return None
        return Done(folder, record["result"])

    def draft(self, key: str) -> Path:
        """Return a fresh empty folder for a task to write into."""
        folder = self.drafts / f"{key}.{uuid4().hex}"  # process ids are not unique on many machines
        with writing(folder):
            folder.mkdir(parents=True)
        return folder

    def commit(self, key: str, draft: Path, result: dict[str, Any]) -> Done:
        """Make a draft the finished task ``key``; of several attempts at one task the first to finish counts."""
        final = self.tasks / key
        with writing(final):
            files = {p.relative_to(draft).as_posix(): p.stat().st_size for p in sorted(draft.rglob("*")) if p.is_file()}
            record = {"files": files, "result": result}
            (draft / "result.json").write_bytes(orjson.dumps(record, option=orjson.OPT_SORT_KEYS))
            try:
                draft.rename(final)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                other = self.find(key)  # what is not intact is gone now
                if other is not None:
                    shutil.rmtree(draft, ignore_errors=True)
                    return other
                shutil.rmtree(final, ignore_errors=True)
                draft.rename(final)
        return Done(final, result)

    def sweep(self, keep: Iterable[str]) -> None:
        """Delete finished tasks that the present run has no use for."""
        wanted = set(keep)
        for folder in self.tasks.iterdir():
            if folder.name not in wanted:
                shutil.rmtree(folder, ignore_errors=True)
        self._drop_drafts()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the output folder for this process; raise OutputError if another run has it.

    The lock dies with its process, so a killed run leaves nothing to clean up by hand.
    """
    with writing(folder):
        (folder / WORK).mkdir(parents=True, exist_ok=True)
        handle = (folder / WORK / "lock").open("a")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OutputError(f"{folder} is in use by another run; wait for it or choose another -o") from None
        yield
