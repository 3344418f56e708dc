"""Options of the engine: what is refused in one line before anything is written, and what reaches the run."""

from pathlib import Path

import pytest

from tamis.__main__ import main
from tamis.cli.curate import dedup, filter_, ingest, run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one two three"}\n{"text": "one two three"}\n')
    return path


def refused(capsys: pytest.CaptureFixture[str], out: Path, *words: str | Path) -> str:
    """Run a command that must fail as wrongly used; return what it says."""
    assert main(["curate", *map(str, words), "-o", str(out)]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert not out.exists() or not any(out.iterdir())
    return "\n".join(line for line in said.splitlines() if not line.startswith("first run:"))


def test_too_little_memory_is_one_line_with_the_minimum(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, tmp_path / "out", "dedup", source, "--by", "exact", "--memory", "200MiB")
    assert said == (
        "error: --memory 200 MiB is below the minimum of 256 MiB that one process with its compiled kernels needs: "
        "give --memory 256MiB or more"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--memory", "lots"], "'lots' is no size; write it like 2GiB, 512MiB, 4G or 1073741824"),
        (["--engine", "spark"], "'spark' is not one of 'local', 'ray'"),
        (["--ray-address", "head:6379"], "--ray-address needs --engine ray"),
        (["--engine", "ray", "--ray-address", "head"], "is no address; write HOST:PORT"),
        (["--workers", "0"], "0 is not in the range x>=1"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert message in refused(capsys, tmp_path / "out", "dedup", source, "--by", "exact", *words)


def test_ray_does_not_write_to_a_url(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["curate", "ingest", str(source), "-o", "memory://out", "--engine", "ray"]
    assert main(words) == 2
    assert "give -o a folder that all nodes share" in capsys.readouterr().err


def test_the_memory_of_a_page_and_of_a_run_are_two_options(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "No such option '--memory'" in refused(capsys, tmp_path / "one", "ingest", source, "--memory", "512")
    assert "memory >= 256 MiB" in refused(capsys, tmp_path / "two", "ingest", source, "--page-memory", "100")
    assert main(["curate", "ingest", str(source), "-o", str(tmp_path / "out"), "--page-memory", "512", "-q"]) == 0
    assert '"memory": 512' in (tmp_path / "out" / "manifest.json").read_text()


def test_workers_that_do_not_fit_are_told_of_unless_quiet(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["curate", "dedup", str(source), "--by", "exact", "--memory", "256MiB", "--workers", "3"]
    assert main([*words, "-o", str(tmp_path / "a")]) == 0
    line = "--memory 256 MiB holds no worker beside this process; all of them from 824 MiB"
    assert line in capsys.readouterr().err.splitlines()
    assert main([*words, "-o", str(tmp_path / "b"), "-q"]) == 0
    assert capsys.readouterr().err == ""


def test_all_commands_that_run_stages_choose_their_engine() -> None:
    for command in (ingest, filter_, dedup, run):
        assert {"workers", "engine", "ray_address"} <= {option.name for option in command.params}
    assert [command.name for command in (ingest, filter_, dedup, run) if _has(command, "budget")] == ["dedup", "run"]


def _has(command: object, name: str) -> bool:
    return any(option.name == name for option in command.params)  # type: ignore[attr-defined]
