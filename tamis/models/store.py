"""The folder of fetched models: a record per name that points to a file named by its hash.

The record is written last and in one step, so that a model is there wholly or not at all, and a process that reads
while another fetches sees the old one or the new one.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from tamis.errors import InputError, MissingModel
from tamis.models.table import MODELS, Model, find_model


class Record(msgspec.Struct, frozen=True):
    """What lies in the folder under a model's name."""

    file: str
    sha256: str
    size: int
    source: str
    """The package it came from, or ``own file``."""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A known model and whether it is here; as text, one line for people."""

    name: str
    path: Path | None
    size: int
    sha256: str
    source: str
    licence: str
    purpose: str

    def __str__(self) -> str:
        here = str(self.path) if self.path else f"not here: tamis models fetch {self.name}"
        return f"{self.name}  {self.purpose}, {self.size / 1e6:.1f} MB, {self.licence}, from {self.source}  {here}"


def models_folder() -> Path:
    """Return where models are kept: ``$TAMIS_MODELS``, else ``tamis/models`` in the user's data folder (XDG)."""
    chosen = os.environ.get("TAMIS_MODELS")
    if chosen:
        return Path(chosen).expanduser()
    data = os.environ.get("XDG_DATA_HOME")
    base = Path(data) if data and Path(data).is_absolute() else Path.home() / ".local" / "share"
    return base / "tamis" / "models"


def model_path(name: str) -> Path:
    """Return the file of a fetched model.

    Raises:
        UsageError: There is no such model.
        MissingModel: It has not been fetched.
    """
    find_model(name)
    found = _find(name)
    if found is None:
        raise MissingModel(name)
    return found[1]


def model_hash(name: str) -> str:
    """Return the SHA-256 of a fetched model's file, read from its bytes.

    Raises:
        UsageError: There is no such model.
        MissingModel: It has not been fetched.
        InputError: The file is not what was fetched.
    """
    find_model(name)
    found = _find(name)
    if found is None:
        raise MissingModel(name)
    record, path = found
    state = path.stat()
    digest = _digest(path, state.st_size, state.st_mtime_ns)
    if digest != record.sha256:
        raise InputError(
            f"model {name} is damaged: {path} has SHA-256 {digest[:12]}…, expected {record.sha256[:12]}…;"
            f" fetch it again with: tamis models fetch {name}"
        )
    return digest


def list_models() -> list[ModelStatus]:
    """Return every known model, in the order of the table."""
    return [_status(model) for model in MODELS.values()]


def _status(model: Model) -> ModelStatus:
    """Look one model up in the folder."""
    found = _find(model.name)
    if found is None:
        return ModelStatus(model.name, None, model.size, model.sha256, model.package, model.licence, model.purpose)
    record, path = found
    return ModelStatus(model.name, path, record.size, record.sha256, record.source, model.licence, model.purpose)


def _find(name: str) -> tuple[Record, Path] | None:
    """Return record and file of a model, if both are there."""
    folder = models_folder()
    try:
        record = msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return None
    path = folder / Path(record.file).name
    try:
        return (record, path) if path.stat().st_size == record.size else None
    except OSError:
        return None


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=16)
def _digest(path: Path, size: int, changed: int) -> str:
    """Hash a file once per process, and again if it changed."""
    return file_hash(path)
