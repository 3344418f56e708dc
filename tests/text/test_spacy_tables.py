import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tamis.text import layout
from tamis.text.spacy_tables import FILE, VERSION, lists, tables

ROOT = Path(__file__).resolve().parent.parent.parent


def test_file_carries_the_version_and_no_clock() -> None:
    with np.load(FILE) as file:
        assert str(file["version"]) == VERSION
        names = file["bits"].tolist()
    assert {member.date_time[:3] for member in zipfile.ZipFile(FILE).infolist()} == {(1980, 1, 1)}
    for bit, name in enumerate(names):
        assert getattr(layout, name) == 1 << bit


def test_classes_of_known_characters() -> None:
    source = lists()

    def has(char: str, bit: int) -> bool:
        return bool(source.blocks[source.block_index[ord(char) >> 8], ord(char) & 255] & bit)

    assert has("a", layout.LOWER)
    assert not has("a", layout.UPPER)
    assert has("日", layout.LOWER)
    assert has("日", layout.UPPER)
    assert has("１", layout.SYMBOL)
    assert not has("°", layout.SYMBOL)
    assert has("。", layout.SENTENCE_MARK)
    assert has("٣", layout.ND)
    assert has("\u3000", layout.SPACE)
    assert not has("\u200b", layout.SPACE)
    spaces = {chr(code) for code in range(0x110000) if has(chr(code), layout.SPACE)}
    assert spaces == {chr(code) for code in range(0x110000) if chr(code).isspace()}


def test_special_cases_are_found_by_hash() -> None:
    assert len(lists().specials) == 1343
    assert lists().specials["don't"] == ["do", "n't"]
    assert len(set(tables().special_hash.tolist())) == 1343
    assert max(map(len, lists().patterns)) == 11


@pytest.mark.slow
def test_the_script_writes_the_same_bytes(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    pytest.importorskip("datatrove")
    if spacy.__version__ != "3.8.18" or sys.version_info[:2] != (3, 11):
        pytest.skip("the tables were made with spaCy 3.8.18 on Python 3.11")
    script = ROOT / "scripts" / "make_spacy_tables.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, capture_output=True)
    assert (tmp_path / FILE.name).read_bytes() == FILE.read_bytes()
