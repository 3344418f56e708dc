"""Finding a Ray cluster: the one asked for, the one that runs here, or one started for this run."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from typing import Any, Final

from tamis.errors import MissingExtra, TamisError, UsageError
from tamis.run.ledger import Ledger
from tamis.run.memory import LEAST, MIB, fit, needed, show_size
from tamis.run.ray import RayEngine, last_line
from tamis.run.task import Watcher

KNOCK_S: Final = 5.0
"""How long a cluster may take to answer a knock; Ray itself would try for two minutes."""

NAMES: Final = ("auto", "local")
"""Addresses that are words."""

_STORE_BYTES: Final = 128 * MIB
"""Object store of a Ray started here: only arguments travel through it."""

# What HTTP/2 (RFC 9113, 3.4 and 6.5), and so gRPC, opens with: the preface and an empty SETTINGS frame.
_HELLO: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
_SETTINGS: Final = 4


def ray_engine(
    ledger: Ledger, workers: int | None, memory: int | None, watcher: Watcher | None, address: str | None
) -> RayEngine:
    """Connect to Ray and return an engine on it.

    Args:
        ledger: Where finished tasks lie; storage that all nodes share.
        workers: Most tasks at one time (None: as many as there are cores); cores of a Ray that is started here.
        memory: Bytes that the workers of one node may take; None where no task needs a bound.
        watcher: Hears of progress.
        address: ``HOST:PORT``, ``ray://HOST:PORT``, ``auto``, ``local``; None for ``RAY_ADDRESS``, a cluster that runs
            on this machine, or else one started for this run.

    Raises:
        MissingExtra: Ray is not installed.
        TamisError: No cluster answers there.
    """
    ray = _module()
    mine = not ray.is_initialized()
    if mine:
        _connect(ray, workers, memory, watcher, address or os.environ.get("RAY_ADDRESS"))
    try:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        largest = int(max((node.get("CPU", 0) for node in nodes), default=1))
        at_once = max(1, min(largest, workers or largest))
        share, each = LEAST, 1
        if memory is not None:
            node = fit(memory, at_once)
            held = max(1, node.workers)
            share, each = node.memory // held, 1 if held == at_once else -(-largest // held)
        engine = RayEngine(ledger, 1, watcher, ray=ray, share=share, cores=each, limit=workers, connected=mine)
        if memory is not None and each > 1:
            engine.say(
                f"--memory {show_size(memory)} holds {held} of {at_once} workers of a node; "
                f"all of them from {show_size(needed(at_once))}"
            )
        return engine
    except BaseException:
        if mine:
            ray.shutdown()
        raise


def _module() -> Any:
    """Import Ray, told to keep quiet."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # it would warn of a change to come
    try:
        import ray
    except ImportError:
        raise MissingExtra("--engine ray", "ray") from None
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    # Ray prints the death of a worker to stdout, where rows may go (-o -), and has no setting for it.
    setattr(ray._private.worker, "_worker_logs_enabled", False)  # noqa: B010 - not a name that Ray promises
    return ray


def _connect(ray: Any, workers: int | None, memory: int | None, watcher: Watcher | None, address: str | None) -> None:
    """Connect this process to a cluster."""
    if address not in (None, *NAMES):
        _knock(address)
        _init(ray, address)
        return
    if address != "local":
        try:
            _init(ray, "auto")
        except _NoneRuns as error:
            if address == "auto":
                raise TamisError(f"{error}; start one, or name it: --ray-address HOST:PORT") from None
        else:
            return
    from tamis.run.local import default_workers

    cores = workers or default_workers()
    if watcher:
        watcher.say(f"no Ray cluster named or running: starting one with {cores} cores on this machine for this run")
    _init(
        ray,
        "local",
        num_cpus=cores,
        include_dashboard=False,
        object_store_memory=_STORE_BYTES,
        _memory=fit(memory, cores).memory if memory is not None else None,
    )


class _NoneRuns(TamisError):
    """No Ray cluster runs on this machine."""


def _init(ray: Any, address: str, **settings: Any) -> None:
    """Call ``ray.init``; its many ways to fail become one error."""
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    try:
        with warnings.catch_warnings(), _mute():
            warnings.simplefilter("ignore")
            ray.init(address, **settings, **quiet)
    except Exception as error:
        if address == "auto" and isinstance(error, ConnectionError):
            raise _NoneRuns("no Ray cluster runs on this machine") from None
        if "ray[client]" in str(error):
            raise MissingExtra(f"--ray-address {address}", "ray") from None
        hint = "" if "RAY_AUTH_MODE" in os.environ else "; one that asks for a token needs RAY_AUTH_MODE=token set"
        raise TamisError(f"cannot use the Ray cluster {address}: {last_line(error)}{hint}") from None


@contextlib.contextmanager
def _mute() -> Iterator[None]:
    """Keep what Ray's C++ code writes to stderr, line after line while it tries, from the user."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of a cluster's address. Raises UsageError."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal() or "/" in host or not 0 < int(port) < 1 << 16:
        raise UsageError(f"--ray-address {address!r} is no address; write HOST:PORT, ray://HOST:PORT, auto or local")
    return host.strip("[]"), int(port)


def _knock(address: str) -> None:
    """Raise TamisError unless something at the address answers as Ray's servers do (gRPC, over HTTP/2)."""
    advice = "is the cluster up, and the address that of its head node?"
    try:
        with socket.create_connection(split_address(address), KNOCK_S) as line:
            if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
                return  # the greeting would be another
            line.sendall(_HELLO)
            greeting = b""
            while len(greeting) < 9:
                received = line.recv(64)
                if not received:
                    break
                greeting += received
    except OSError as error:
        cause = "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
        raise TamisError(f"no Ray cluster answers at {address} ({cause}): {advice}") from None
    if len(greeting) < 9 or greeting[3] != _SETTINGS:
        raise TamisError(f"what answers at {address} is not Ray: {advice}")
