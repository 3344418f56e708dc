"""What a command costs, its whole process tree counted: CPU and wall seconds, peak memory sampled at 50 ms."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SAMPLE: Final = 0.05
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took."""

    cpu: float
    wall: float
    rss: int
    """Peak over time of the sum over the tree, bytes; shared pages count in every process that maps them."""
    disk: int
    """Most bytes below the watched folder, looked at once a second."""
    code: int
    log: str


def run(command: Sequence[str], folder: Path | None = None, env: dict[str, str] | None = None) -> Cost:
    """Run a command to its end; ``folder`` is watched for disk use. Its output comes back as ``log``."""
    begin = time.monotonic()
    spent: dict[int, float] = {}
    peak = disk = 0
    looked = begin - 1
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            list(command), stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}
        )
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            total = 0
            for member in _tree(process.pid):
                seconds, resident = _look(member)
                spent[member] = max(spent.get(member, 0.0), seconds)
                total += resident
            peak = max(peak, total)
            if folder is not None and time.monotonic() - looked >= 1:
                disk, looked = max(disk, size_of(folder)), time.monotonic()
            time.sleep(SAMPLE)
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        text = log.read()
    # What the kernel added up misses children that nobody waited for; what was sampled misses the last moments.
    cpu = max(usage.ru_utime + usage.ru_stime, sum(spent.values()))
    if folder is not None:
        disk = max(disk, size_of(folder))
    return Cost(cpu, time.monotonic() - begin, peak, disk, process.returncode, text)


def _tree(root: int) -> list[int]:
    """Return the process and its descendants; read from /proc, which is cheap enough for 20 looks a second."""
    found = [root]
    for pid in found:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 -- twenty times a second
                found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
        except OSError:
            continue
    return found


def _look(pid: int) -> tuple[float, int]:
    """Return CPU seconds and resident bytes of a process; zeros if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0.0, 0
    return (int(fields[11]) + int(fields[12])) / TICK, int(pages) * PAGE


def size_of(folder: Path) -> int:
    """Return the bytes below a folder that only it holds, as far as link counts tell: links to elsewhere count once."""
    total = 0
    seen: set[int] = set()
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(root, name))  # noqa: PTH118 -- thousands of files a second
            except OSError:
                continue
            if status.st_ino not in seen:
                seen.add(status.st_ino)
                total += status.st_size
    return total


def own_cpu() -> float:
    """Return CPU seconds of this process and its ended children."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, kinds))
