"""Shared fixtures: where the real test data lies."""

import os
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
