"""Bad input: one clear line, the right exit code, no traceback, and earlier output intact."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.curate.test_pipeline import contents, tamis

GOOD = '{"text": "One good line of text for a document.", "url": "https://example.com/1"}\n'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text(GOOD * 3)
    return path


def refused(code: int, *arguments: str | Path) -> str:
    done = tamis(*arguments, code=code)
    assert done.stdout == ""
    return done.stderr


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    message = refused(3, "curate", "ingest", tmp_path / "nothing.warc.gz", "-o", tmp_path / "out")
    assert message.count("\n") == 1
    assert "nothing.warc.gz" in message
    assert not (tmp_path / "out").exists()


def test_a_folder_with_nothing_readable_says_what_it_found(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.bin").write_bytes(bytes(range(256)))
    message = refused(3, "curate", "ingest", tmp_path / "in", "-o", tmp_path / "out")
    assert "nothing" in message
    assert "x.bin" in message


def test_an_unreadable_file_is_named(tmp_path: Path, source: Path) -> None:
    if os.geteuid() == 0:
        path = tmp_path / "dangling.jsonl"
        path.symlink_to(tmp_path / "gone")
    else:
        path = source
        path.chmod(0)
    message = refused(3, "curate", "ingest", path, "-o", tmp_path / "out")
    assert path.name in message


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("gopher-qualty", "did you mean 'gopher-quality'?"),
        ("gopher-quality(min_wrds=3)", "min_wrds"),
        ("gopher-quality@dclm", "dialect"),
        ("length(", "length"),
        ("no.such.module:rule", "no.such.module"),
    ],
)
def test_an_unknown_rule_or_setting_names_the_known_ones(
    tmp_path: Path, source: Path, rules: str, expected: str
) -> None:
    message = refused(2, "curate", "filter", source, "-o", tmp_path / "out", "--rules", rules)
    assert expected in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("sources: [in.jsonl]\nstages: [{filtr: {}}]", "r.yaml:2:11: unknown stage 'filtr'; did you mean 'filter'?"),
        ("sources: [in.jsonl]\nstages: [{filter: {ruls: []}}]", "r.yaml:2:20: unknown key of stage filter 'ruls'"),
        ("source: [in.jsonl]", "r.yaml:1:1: unknown key of recipe 'source'; did you mean 'sources'?"),
        ("sources: [in.jsonl]\nstages: [{dedup: {by: sound}}]", "unknown value of dedup: by 'sound'"),
        ("sources: []", "sources is empty"),
        ("sources: [in.jsonl]\nstages: [language, ingest]", "ingest comes first"),
        ("sources: [in.jsonl]\nversion: 2", "unknown value '2'"),
        ("sources: [in.jsonl]\nstages: [{ingest: {extractor: magic}}]", "unknown extractor 'magic'"),
        ("sources: [in.jsonl]\nstages: [{dedup: {by: minhash, threshold: 7}}]", "threshold"),
    ],
)
def test_a_wrong_recipe_says_where(tmp_path: Path, source: Path, recipe: str, expected: str) -> None:
    (tmp_path / "r.yaml").write_text(recipe)
    message = refused(2, "curate", "run", tmp_path / "r.yaml", "-o", tmp_path / "out")
    assert expected in message


def test_a_corpus_folder_of_another_version_is_refused(tmp_path: Path, source: Path) -> None:
    tamis("curate", "ingest", source, "-o", tmp_path / "corpus")
    path = tmp_path / "corpus" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"version": 99}))
    message = refused(3, "curate", "dedup", tmp_path / "corpus", "--by", "exact", "-o", tmp_path / "out")
    assert "format version 99; this tamis reads version 1" in message
    path.write_text("{}")
    assert "not a corpus manifest" in refused(3, "curate", "report", tmp_path / "corpus")


def test_a_corpus_that_was_changed_or_lost_a_part_is_refused(tmp_path: Path, source: Path) -> None:
    corpus = tmp_path / "corpus"
    tamis("curate", "ingest", source, "-o", corpus)
    part = corpus / "part-00000.parquet"
    good = part.read_bytes()
    part.unlink()
    part.write_bytes(good[:-9] + b"x" + good[-8:])
    message = refused(3, "curate", "dedup", corpus, "--by", "exact", "-o", tmp_path / "out")
    assert "was changed after it was written" in message
    part.unlink()
    message = refused(3, "curate", "dedup", corpus, "--by", "exact", "-o", tmp_path / "out")
    assert "part-00000.parquet is missing" in message


def test_a_read_only_output_is_one_line(source: Path) -> None:
    message = refused(3, "curate", "ingest", source, "-o", "/proc/tamis-output")
    assert message.startswith("error: cannot write /proc/tamis-output")
    assert message.count("\n") == 1


def test_a_full_disk_keeps_finished_work(tmp_path: Path, source: Path) -> None:
    import subprocess
    import sys

    out = tmp_path / "out"
    tamis("curate", "ingest", source, "-o", out)
    before = {name: data for name, data in contents(out).items() if not name.startswith(".work")}
    big = tmp_path / "big.jsonl"
    words = " ".join(f"word{number:x}" for number in range(60_000))
    big.write_text(json.dumps({"text": words}) + "\n")
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from tamis.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    script = tmp_path / "limited.py"
    script.write_text(f"if __name__ == '__main__':\n    {limited}\n")
    done = subprocess.run(
        [sys.executable, str(script), "curate", "ingest", str(source), str(big), "-o", str(out)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 3, done.stderr
    assert "the file would pass the size limit" in done.stderr
    assert "Traceback" not in done.stderr
    after = {name: data for name, data in contents(out).items() if not name.startswith(".work")}
    assert after == before, "the earlier output is whole"


def test_output_over_something_else_is_refused(tmp_path: Path, source: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    assert "is not empty and holds no corpus" in refused(3, "curate", "ingest", source, "-o", tmp_path / "home")
    assert "is a file" in refused(3, "curate", "ingest", source, "-o", source)
    tamis("curate", "ingest", source, "-o", tmp_path / "corpus")
    message = refused(2, "curate", "dedup", tmp_path / "corpus", "--by", "exact", "-o", tmp_path / "corpus")
    assert "is the input" in message


def test_an_unfinished_corpus_says_so(tmp_path: Path, source: Path) -> None:
    tamis("curate", "ingest", source, "-o", tmp_path / "corpus")
    (tmp_path / "corpus" / "manifest.json").unlink()
    message = refused(3, "curate", "dedup", tmp_path / "corpus", "--by", "exact", "-o", tmp_path / "out")
    assert "has not finished" in message


def test_a_missing_model_names_the_command(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAMIS_MODELS", str(tmp_path / "models"))
    message = refused(3, "curate", "ingest", source, "-o", tmp_path / "out", "--language")
    assert "tamis models fetch lid.176" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["curat"], ["curate", "filtr"], ["curate", "run"], ["curate", "ingest", "--nope"]]
)
def test_wrong_usage_is_exit_2(arguments: list[str]) -> None:
    assert refused(2, *arguments)


def test_output_to_stdout_is_json_lines(tmp_path: Path, source: Path) -> None:
    done = tamis("curate", "dedup", source, "--by", "exact", "-o", "-", "--workers", "1")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 1
    assert rows[0]["url"] == "https://example.com/1"
    assert "in = kept + dropped + failed: 3 = 1 + 2 + 0" in done.stderr


def test_a_named_text_field_is_read(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"body": "The text is here.", "text": "Not here."}\n')
    done = tamis("curate", "ingest", source, "-o", "-", "--text-field", "body")
    assert json.loads(done.stdout)["text"] == "The text is here."
    done = tamis("curate", "ingest", source, "-o", "-", "--text-field", "nothing")
    assert "no_text_field" in done.stderr


def test_tracking_parameters_can_be_left_out(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    rows = [{"text": f"Text {n}.", "url": f"https://example.com/a?utm_source={n}"} for n in range(3)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert len(tamis("curate", "dedup", source, "--by", "url", "-o", "-").stdout.splitlines()) == 3
    done = tamis("curate", "dedup", source, "--by", "url", "--drop-tracking", "-o", "-")
    assert len(done.stdout.splitlines()) == 1


def test_formats_hold_the_same_rows(tmp_path: Path, source: Path) -> None:
    for form in ("parquet", "jsonl", "jsonl.gz", "jsonl.zst"):
        tamis("curate", "ingest", source, "-o", tmp_path / form, "--format", form)
    outputs = [
        tamis("curate", "dedup", tmp_path / form, "--by", "url", "-o", "-").stdout for form in ("parquet", "jsonl.zst")
    ]
    assert outputs[0] == outputs[1] != ""


def test_a_remote_output_holds_the_same_files(tmp_path: Path, source: Path) -> None:
    tamis("curate", "ingest", source, "-o", tmp_path / "local")
    tamis("curate", "ingest", source, "-o", f"file://{tmp_path}/remote")
    names = ("part-00000.parquet", "dropped/part-00000.parquet", "manifest.json", "report.json")
    for name in names:
        assert (tmp_path / "remote" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()


def test_a_source_that_loses_too_much_raises_the_alarm(tmp_path: Path, source: Path) -> None:
    source.write_text(GOOD * 20)
    done = tamis("curate", "dedup", source, "--by", "exact", "-o", tmp_path / "out", "--max-source-loss", "0.5")
    assert f"ALARM: {source} lost 95.0% of its 20 documents" in done.stderr


def test_shared_archives_end_as_ok_partial_or_rejected(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shared_data("crawl/warc")
    tamis("curate", "ingest", folder, "-o", tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    expected = json.loads((folder / "expected_counts.json").read_text())
    entries = {entry["name"].removeprefix(f"{folder}/"): entry for entry in report["inputs"]}
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(entries) == files
    for name, entry in entries.items():
        assert entry["status"] in ("ok", "partial", "rejected")
        if entry["status"] == "rejected":
            assert entry["reason"]
        if entry["status"] == "partial":
            assert min(entry["failed"] + entry["cut"], 20) == len(entry["failures"]) > 0
        wanted = (expected.get(name, {}).get("warcio_html200") or {}).get("n") or 0
        assert entry.get("documents", 0) >= wanted, name
    counts = {name: entries[name]["documents"] for name in entries if name.startswith(("dolma", "whirlwind"))}
    assert [counts[f"dolma/sample-000{number}.warc.gz"] for number in (0, 1)] == [22, 15]
    assert {counts[f"whirlwind-python/whirlwind.warc{kind}"] for kind in ("", ".gz", ".wet", ".wet.gz")} == {1}
    assert report["total"]["balanced"]
