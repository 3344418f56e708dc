"""Shared fixtures: where the real test data lies."""

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# Compiled kernels make the first example of a test slow, and no test here is a timed one.
settings.register_profile("tamis", deadline=None)
settings.load_profile("tamis")

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("TAMIS_SHARED_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """Return a function from a path below the shared data to the real path; it skips the test where that is absent."""

    def find(relative: str) -> Path:
        path = SHARED / relative
        if not path.exists():
            pytest.skip(f"real test data not here: {relative}")
        return path

    return find


@pytest.fixture
def fixtures() -> Path:
    """Return the folder of own-written fixtures."""
    return ROOT / "fixtures"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the Makefile say how many of the slow tests to run."""
    parser.addoption("--slow", choices=["none", "sample", "all"], default="none", help="slow tests to run")
    parser.addoption("--network", action="store_true", help="also run tests that need a package registry")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out slow tests, or all but about one in three of them: the same ones on every machine."""
    wanted = config.getoption("--slow")
    kept, left = [], []
    for item in items:
        slow = item.get_closest_marker("slow") is not None
        sampled = zlib.crc32(item.nodeid.encode()) % 3 == 0
        network = item.get_closest_marker("network") is not None and not config.getoption("--network")
        out = network or (slow and (wanted == "none" or (wanted == "sample" and not sampled)))
        (left if out else kept).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept
