"""The language stage: with a tiny model of the test's own everywhere, with the real one where it has been fetched."""

import pickle
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from tamis.curate.language import LanguageStage, detect
from tamis.errors import MissingModel, RecipeError
from tamis.models import fetch, list_models, model_hash


@pytest.fixture
def tiny_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import fasttext

    words = {"en": "the cat and the dog", "zh": "猫 和 狗 的", "ja": "東京 都 の"}
    lines = [f"__label__{label} {text}" for _ in range(40) for label, text in words.items()]
    (tmp_path / "train.txt").write_text("\n".join(lines), encoding="utf-8")
    model = fasttext.train_supervised(
        str(tmp_path / "train.txt"), dim=8, epoch=60, lr=1.0, minCount=1, bucket=1000, thread=1, seed=1, verbose=0
    )
    model.save_model(str(tmp_path / "own.bin"))
    monkeypatch.setenv("TAMIS_MODELS", str(tmp_path / "models"))
    return fetch("lid.176", tmp_path / "own.bin")


@pytest.fixture
def real_model() -> None:
    """Skip where lid.176 was not fetched."""
    if list_models()[0].path is None:
        pytest.skip("lid.176 has not been fetched here")


def table(*texts: str) -> pa.Table:
    return pa.table({"text": pa.array(texts, pa.string())})


def test_adds_columns_and_drops_none(tiny_model: Path) -> None:
    verdict = LanguageStage().open().judge(table("the cat and the dog", "猫 和 狗", "", " \n", "123 4.5"))
    assert verdict.removed.num_rows == 0
    assert verdict.columns["language"].to_pylist() == ["en", "zh", None, None, None]
    scores = verdict.columns["language_score"].to_pylist()
    assert verdict.columns["language_score"].type == pa.float32()
    assert scores[2:] == [None] * 3
    assert all(0.5 < score <= 1.0 for score in scores[:2])


def test_no_rows(tiny_model: Path) -> None:
    verdict = LanguageStage().open().judge(table())
    assert {name: len(column) for name, column in verdict.columns.items()} == {"language": 0, "language_score": 0}
    assert detect([]) == ([], [])
    assert detect([None]) == ([None], [None])


def test_line_ends_are_spaces(tiny_model: Path) -> None:
    assert detect(["the\ncat\nand\nthe\ndog"]) == detect(["the cat and the dog"])
    assert detect(["the\ncat"]) != detect(["thecat"])


def test_only_the_head_is_looked_at(tiny_model: Path) -> None:
    text = "the cat and the dog " + "猫 和 狗 的 " * 50
    assert detect([text], chars=20)[0] == ["en"]
    assert detect([text])[0] == ["zh"]
    assert LanguageStage(chars=20).open().judge(table(text)).columns["language"].to_pylist() == ["en"]


def test_han_without_kana_is_chinese(tiny_model: Path) -> None:
    assert detect(["東京 都"])[0] == ["zh"]
    assert detect(["東京 都 の"])[0] == ["ja"]


def test_script_of_chinese(tiny_model: Path) -> None:
    texts = ["狗 和 狗 的 国家", "狗 和 狗 的 國家", "the cat and the dog"]
    assert detect(texts)[0] == ["zh", "zh", "en"]
    assert detect(texts, script=True)[0] == ["zh-Hans", "zh-Hant", "en"]


def test_batches_do_not_matter(tiny_model: Path) -> None:
    texts = ["the cat", "猫 和 狗", "", "dog 狗", "の 東京", "x"] * 5
    languages, scores = detect(texts)
    assert [detect([text]) for text in texts] == [([a], [b]) for a, b in zip(languages, scores, strict=True)]


def test_odd_texts(tiny_model: Path) -> None:
    odd = ["\0the\0cat", "the\r\ncat\u2028dog", "\ufffd", "a" * 100_000, "𠀀𠀁", "\n\n"]
    languages, scores = detect(odd)
    assert [a is None for a in languages] == [b is None for b in scores] == [False, False, True, False, False, True]


def test_signature_holds_the_model(tiny_model: Path) -> None:
    signature = LanguageStage(chars=7).signature()
    assert signature["sha256"] == model_hash("lid.176")
    assert signature["chars"] == 7
    assert pickle.loads(pickle.dumps(LanguageStage(chars=7))) == LanguageStage(chars=7)


def test_missing_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAMIS_MODELS", str(tmp_path))
    for call in (LanguageStage().open, LanguageStage().signature, lambda: detect(["text"])):
        with pytest.raises(MissingModel, match=r"tamis models fetch lid\.176"):
            call()


@pytest.mark.parametrize(("wrong", "says"), [({"model": "lid"}, "lid"), ({"chars": 0}, "chars must be at least 1")])
def test_wrong_options(wrong: dict, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        LanguageStage(**wrong)


def test_loading_is_silent(tiny_model: Path, capfd: pytest.CaptureFixture) -> None:
    detect(["the cat"])
    assert capfd.readouterr() == ("", "")


def test_declarations_of_human_rights(real_model: None, shared_data) -> None:
    """Long documents in the large languages are all told right; Chinese in both scripts."""
    expected = {
        **{"cmn_hans": "zh-Hans", "cmn_hant": "zh-Hant", "jpn": "ja", "kor": "ko", "eng": "en", "fra": "fr"},
        **{"deu": "de", "rus": "ru", "spa": "es", "por_PT": "pt", "ces": "cs", "heb": "he", "ell_monotonic": "el"},
    }
    with zipfile.ZipFile(next(shared_data("crawl/lid/nltk-udhr2").glob("*.zip"))) as archive:
        names = {Path(name).stem: name for name in archive.namelist()}
        there = [stem for stem in expected if stem in names]
        texts = [archive.read(names[stem]).decode("utf-8") for stem in there]
    languages, scores = detect(texts, script=True)
    assert languages == [expected[stem] for stem in there]
    assert len(there) > 8
    assert min(score for score in scores if score is not None) > 0.5


def test_short_chinese_lines(real_model: None, shared_data) -> None:
    """lid.176 alone takes one line in three of this text for Japanese."""
    with zipfile.ZipFile(next(shared_data("crawl/lid/nltk-udhr2").glob("*.zip"))) as archive:
        text = archive.read(next(n for n in archive.namelist() if n.endswith("cmn_hans.txt"))).decode("utf-8")
    lines = [line for line in text.splitlines() if sum("\u4e00" <= c <= "\u9fff" for c in line) > 3]
    languages, _ = detect(lines)
    assert len(lines) > 50
    assert languages.count("zh") >= 0.95 * len(lines)
