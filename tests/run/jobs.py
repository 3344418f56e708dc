"""Task functions that tests of engines run: worker processes find them here by name."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from tamis.errors import InputError, MissingModel


def write(value: int, out: Path) -> dict[str, Any]:
    (out / "value").write_text(str(value))
    return {"value": value, "pid": os.getpid()}


def count_calls(log: str, value: int, out: Path) -> dict[str, Any]:
    with Path(log).open("a") as handle:
        handle.write(f"{value}\n")
    return write(value, out)


def overlap(folder: str, name: str, out: Path) -> dict[str, Any]:
    """Stay a while; tell who else was there at the same time."""
    mine = Path(folder) / name
    mine.touch()
    time.sleep(0.4)
    others = sorted(path.name for path in Path(folder).iterdir() if path != mine)
    mine.unlink()
    return {"others": others}


def total(numbers: list[int], factor: int, out: Path) -> dict[str, Any]:
    return {"total": sum(numbers) * factor}


def die_at_first(marker: str, out: Path) -> dict[str, Any]:
    if not Path(marker).exists():
        Path(marker).write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return write(1, out)


def die(out: Path) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}


def wrong(out: Path) -> dict[str, Any]:
    raise InputError("a clear message")


def no_model(out: Path) -> dict[str, Any]:
    raise MissingModel("lid.176")


def bug(out: Path) -> dict[str, Any]:
    return {"x": 1 / 0}


def full(out: Path) -> dict[str, Any]:
    raise OSError(28, "No space left on device")


def exit_quietly(out: Path) -> dict[str, Any]:
    os._exit(3)
