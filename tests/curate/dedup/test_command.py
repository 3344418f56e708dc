"""The dedup command as users meet it: exit codes, single error lines, earlier output left whole."""

import json
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SAYS_DISK = """
import sys
import tamis.curate.pipeline as pipeline
from tamis.__main__ import main
pipeline.WORTH_SAYING = 0
sys.argv = ["tamis", *sys.argv[1:]]
sys.exit(main())
"""


def tamis(*arguments: str | Path, code: int = 0, limit: int | None = None) -> str:
    def small_files() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "tamis", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, preexec_fn=small_files)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def lines_of(path: Path, count: int, seed: int, words: int = 80) -> Path:
    draw = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(count):
            file.write(json.dumps({"text": " ".join(f"w{draw.randrange(5000)}" for _ in range(words))}) + "\n")
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus folder of 400 documents, and beside it an index of what it holds."""
    folder = tmp_path_factory.mktemp("dedup")
    source = lines_of(folder / "texts.jsonl", 400, 1)
    tamis("curate", "dedup", source, "-o", folder / "out", "--by", "minhash", "--index", folder / "seen", "-q")
    return folder


def one_error(said: str) -> str:
    [line] = [line for line in said.splitlines() if line.startswith("error:")]
    assert said.strip().endswith(line)
    return line


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (
            ["--by", "minhash", "--seed", "2", "--index", "{}/seen"],
            2,
            "made with other parameters: seed 1 there, 2 here",
        ),
        (["--by", "minhash", "--keeper", "signal:quality"], 3, "the corpus has no column signal.quality"),
        (["--by", "minhash", "--keeper", "best"], 2, "keeper 'best' is not known; use longest"),
        (["--by", "minhash", "--threshold", "0"], 2, "threshold is 0"),
        (["--by", "minhash", "--bands", "30", "--rows", "6"], 2, "bands x rows is 30 x 6"),
        (["--by", "minhash", "--memory", "100MiB"], 2, "below the minimum of 256 MiB"),
        (["--by", "minhash", "--index", "{}/out"], 2, "is no index: it holds"),
        (["--by", "url", "--shingle", "word:5"], 2, "shingle"),
    ],
)
def test_what_cannot_be_is_one_line(corpus: Path, tmp_path: Path, options: list[str], code: int, message: str) -> None:
    filled = [option.format(corpus) for option in options]
    said = tamis("curate", "dedup", corpus / "out", "-o", tmp_path / "out", *filled, code=code)
    assert message in one_error(said)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_damaged_index_is_named_and_nothing_is_written(corpus: Path, tmp_path: Path) -> None:
    part = next(path for path in sorted((corpus / "seen").rglob("keys.bin")))
    good = part.read_bytes()
    part.unlink()
    part.write_bytes(good[:-1])
    try:
        arguments = (corpus / "out", "-o", tmp_path / "out", "--by", "minhash", "--index", corpus / "seen")
        assert "keys.bin is missing or cut short: the index is damaged" in one_error(
            tamis("curate", "dedup", *arguments, code=3)
        )
    finally:
        part.write_bytes(good)


def test_a_full_disk_leaves_the_earlier_output_whole(corpus: Path, tmp_path: Path) -> None:
    more = lines_of(tmp_path / "more.jsonl", 3000, 2)
    first = lines_of(tmp_path / "texts.jsonl", 20, 3)
    out = tmp_path / "out"
    tamis("curate", "dedup", first, "-o", out, "--by", "minhash", "-q")
    before = {path: path.read_bytes() for path in out.glob("[a-z]*.*")}
    said = tamis("curate", "dedup", more, "-o", out, "--by", "minhash", "-q", code=3, limit=300_000)
    assert "cannot write" in one_error(said)
    assert {path: path.read_bytes() for path in out.glob("[a-z]*.*")} == before
    tamis("curate", "dedup", more, "-o", out, "--by", "minhash", "-q")
    assert json.loads((out / "report.json").read_text())["total"]["in"] == 3000


def test_the_disk_it_will_take_is_said_before(corpus: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SAYS_DISK, "curate", "dedup", str(corpus / "out"), "--by", "minhash"]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "out")], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stderr.splitlines() if "of disk" in line]
    assert line.startswith("1-dedup-minhash will take about ")
    assert done.stderr.index(line) < done.stderr.index("400 in")


@pytest.mark.slow
def test_one_enormous_document_and_its_copy(tmp_path: Path) -> None:
    draw = random.Random(4)
    words = [f"w{draw.randrange(10**6)}" for _ in range(8_000_000)]
    with (tmp_path / "long.jsonl").open("w", encoding="utf-8") as file:
        for text in (" ".join(words), " ".join([*words[:-50], "end"]), "short and unlike it"):
            file.write(json.dumps({"text": text}) + "\n")
    tamis("curate", "dedup", tmp_path / "long.jsonl", "-o", tmp_path / "out", "--by", "minhash", "-q")
    total = json.loads((tmp_path / "out" / "report.json").read_text())["total"]
    assert (total["kept"], total["dropped"]) == (2, 1)
