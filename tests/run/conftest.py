"""Running commands, and small inputs for them."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.run.ray_cluster import connected, ray_address

__all__ = ["connected", "ray_address"]

Tamis = Callable[..., subprocess.CompletedProcess[str]]


def run_tamis(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "tamis", *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def tamis() -> Tamis:
    """Return a function that runs a command; it asserts the exit code."""
    return run_tamis


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def files_of(folder: Path) -> dict[str, bytes]:
    """The published files of a corpus folder but for timing.json."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".work" not in path.parts and path.name != "timing.json"
    }
