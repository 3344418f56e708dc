"""Which document of a group stays: the keeper policies, as one number per document, smaller is better."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.errors import InputError, UsageError
from tamis.stage import ShardView

WORST: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
POLICIES: Final = ("longest", "earliest", "signal:NAME", "signal:-NAME", "source:PREFIX,PREFIX")

_DATE: Final = re.compile(r"(\d{4})-?(\d\d)?-?(\d\d)?$")


@dataclass(frozen=True, slots=True)
class Keeper:
    """A keeper policy. What it leaves equal is decided by length, then by the hash of the id, the text, the source."""

    policy: str
    name: str = ""
    """Signal, or comma-separated beginnings of sources."""

    @classmethod
    def parse(cls, spec: str) -> Keeper:
        """Read one of ``POLICIES``; raise UsageError for anything else."""
        kind, colon, name = spec.partition(":")
        plain = kind in ("longest", "earliest") and not colon
        named = kind in ("signal", "source") and bool(name.strip("-, "))
        if not plain and not named:
            raise UsageError(f"keeper {spec!r} is not known; use {', '.join(POLICIES[:-1])} or {POLICIES[-1]}")
        return cls(kind, name)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the policy looks at, beside id, text and source."""
        if self.policy == "earliest":
            return ("date",)
        return (f"signal.{self.name.removeprefix('-')}",) if self.policy == "signal" else ()

    def check(self, shards: Sequence[ShardView]) -> None:
        """Raise InputError where a shard lacks the column."""
        for name in self.columns:
            if any(shard.rows and not shard.has(name) for shard in shards):
                raise InputError(
                    f"keeper {self.policy}:{self.name}: the corpus has no column {name}; keep the signals when they are"
                    " measured (curate filter --keep-signals) or choose another keeper"
                )

    def values(self, table: pa.Table) -> NDArray[np.uint64]:
        """Return one number per row, smaller is better; a row without the value is worst."""
        if self.policy == "longest":
            return np.zeros(table.num_rows, np.uint64)
        if self.policy == "earliest":
            return np.array([instant(date) for date in table.column("date").to_pylist()], np.uint64)
        if self.policy == "source":
            wanted = [name.strip() for name in self.name.split(",") if name.strip()]
            return np.array([_place(source, wanted) for source in table.column("source").to_pylist()], np.uint64)
        signal = np.asarray(table.column(self.columns[0]).to_numpy(), np.float64)
        return _descending(-signal if self.name.startswith("-") else signal)


def instant(date: str | None) -> int:
    """Return seconds since the year 1 of an ISO 8601 date or time (without zone: UTC), WORST where it is none."""
    if not date:
        return int(WORST)
    part = _DATE.match(date.strip())
    try:
        if part:
            year, month, day = (int(one) if one else 1 for one in part.groups())
            moment = datetime(year, month, day, tzinfo=UTC)
        else:
            moment = datetime.fromisoformat(date.strip())
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int((moment - datetime(1, 1, 1, tzinfo=UTC)).total_seconds())
    except (ValueError, OverflowError):
        return int(WORST)


def _place(source: str | None, wanted: list[str]) -> int:
    """Return which of the wanted beginnings a source has first."""
    return next((i for i, start in enumerate(wanted) if (source or "").startswith(start)), len(wanted))


def _descending(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return numbers that rise as values fall; not-a-number is last. Minus zero is zero."""
    bits = (-(values + 0.0) + 0.0).view(np.int64)
    # IEEE 754: as integers, positive floats rise and negative ones fall; flip so that all rise.
    rising = np.where(bits < 0, ~bits, bits | np.int64(-(1 << 63))).view(np.uint64)
    return np.where(np.isnan(values), WORST, rising)
