"""A Ray cluster for tests, in processes of its own."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Start a cluster of one node with 2 cores and 1 GiB; yield its address.

    It asks for no token: Ray would put one into the home folder of whoever runs the tests.
    """
    os.environ["RAY_AUTH_MODE"] = "disabled"  # before the first import of Ray, which reads it once
    script = Path(__file__).with_name("head.py")
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as head:
        assert head.stdout is not None
        assert head.stdin is not None
        address = head.stdout.readline().strip()
        assert address, "Ray did not start"
        yield address
        head.stdin.close()
        head.wait(30)


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """The address of a real Ray on this machine."""
    pytest.importorskip("ray")
    with running() as address:
        yield address


@pytest.fixture(scope="session")
def connected(ray_address: str) -> Iterator[str]:
    """Connect this process once; engines use the connection and leave it open."""
    from tamis.run import cluster
    from tamis.run.memory import DEFAULT

    ray = cluster._module()
    cluster._connect(ray, None, DEFAULT, None, ray_address)
    yield ray_address
    ray.shutdown()
