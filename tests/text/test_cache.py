import os
from pathlib import Path

from tamis.text.cache import drop_stale, is_cold


def test_cached_kernels_go_when_any_source_changes(tmp_path: Path) -> None:
    cache = tmp_path / "text" / "__pycache__"
    cache.mkdir(parents=True)
    source = tmp_path / "other.py"
    source.write_text("x = 1\n")
    kernel = cache / "k.nbi"
    kernel.write_bytes(b"")
    assert not is_cold(tmp_path)
    assert drop_stale(tmp_path)
    assert not kernel.exists()
    assert is_cold(tmp_path)
    kernel.write_bytes(b"")
    assert not drop_stale(tmp_path)
    assert kernel.exists(), "nothing changed"
    os.utime(source, ns=(1, 1))
    assert drop_stale(tmp_path)
    assert not kernel.exists()


def test_a_folder_that_cannot_be_written_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a file where the folder should be")
    assert not drop_stale(tmp_path)
