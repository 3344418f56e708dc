import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis.curate.dedup import MinhashDedup
from tamis.curate.dedup.export import export_index
from tamis.curate.dedup.index import read_index
from tamis.errors import InputError, OutputError, UsageError
from tamis.text import TextBatch

from .conftest import MemoryShard, Outcome, shards_of

Dedup = Callable[..., Outcome]
Row = dict[str, Any]


def doc(name: str, text: str) -> Row:
    return {"id": name, "text": text, "url": None}


def texts(seed: int, count: int = 40) -> list[str]:
    draw = random.Random(seed)
    words = [f"w{i}" for i in range(400)]
    return [" ".join(draw.choice(words) for _ in range(60)) for _ in range(count)]


def edited(text: str) -> str:
    """Near the text, and longer: without an index it would be the keeper."""
    return text + " one more"


def first(seed: int = 1) -> list[Row]:
    return [doc(f"a{i}", text) for i, text in enumerate(texts(seed))]


def second() -> list[Row]:
    old = [doc(f"b{i}", edited(text)) for i, text in enumerate(texts(1)[:15])]
    return old + [doc("equal", texts(1)[20])] + [doc(f"new{i}", text) for i, text in enumerate(texts(2, 10))]


@pytest.mark.parametrize("verify", ["jaccard", "containment", "none"])
def test_a_later_corpus_is_compared_with_what_earlier_runs_kept(dedup: Dedup, tmp_path: Path, verify: Any) -> None:
    stage = MinhashDedup(index=str(tmp_path / "seen"), verify=verify, threshold=0.75)
    one = dedup(stage, first())
    assert one.removed == {}
    assert one.notes["index_documents"] == 0
    two = dedup_onto(dedup, stage, second(), {row["id"] for row in first()})
    assert {name: keeper for name, (keeper, _) in two.removed.items()} == {
        **{f"b{i}": f"a{i}" for i in range(15)},
        "equal": "a20",
    }
    assert two.removed["equal"][1] == 1.0
    assert two.notes["index_documents"] == 40
    # What the second run kept is known to the third.
    again = [doc("c", edited(texts(2, 10)[3]))]
    assert dedup_onto(dedup, stage, again, {"new3"}).removed["c"][0] == "new3"


def dedup_onto(dedup: Dedup, stage: MinhashDedup, rows: list[Row], known: set[str], **how: Any) -> Outcome:
    return dedup(stage, rows, known=known, **how)


@pytest.mark.parametrize("memory", [1, 100_000])
def test_memory_and_order_change_nothing(dedup: Dedup, tmp_path: Path, memory: int) -> None:
    found = []
    for name, how in (("x", {}), ("y", {"memory": memory, "count": 4, "seed": 3})):
        stage = MinhashDedup(index=str(tmp_path / name), threshold=0.75)
        dedup(stage, first(), **how)
        known = {row["id"] for row in first()}
        found.append(dedup_onto(dedup, stage, second(), known, **how).removed)
    assert found[0] == found[1]


def test_a_repeated_run_gives_the_same_again(dedup: Dedup, tmp_path: Path) -> None:
    stage = MinhashDedup(index=str(tmp_path / "seen"))
    known = {row["id"] for row in first()}
    dedup(stage, first())
    two = dedup_onto(dedup, stage, second(), known)
    before = (tmp_path / "seen" / "index.json").read_bytes()
    assert dedup(stage, first()).removed == {}
    assert dedup_onto(dedup, stage, second(), known).files == two.files
    assert (tmp_path / "seen" / "index.json").read_bytes() == before


def test_a_corpus_is_known_again_by_its_documents_alone(
    dedup: Dedup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = MinhashDedup(index=str(tmp_path / "seen"))
    known = {row["id"] for row in first()}
    dedup(stage, first(), 2)
    two = dedup_onto(dedup, stage, second(), known)
    before = (tmp_path / "seen" / "index.json").read_bytes()
    monkeypatch.setattr("tamis.run.ledger.code_version", lambda: "another version")
    assert dedup(stage, first(), 3, seed=5).removed == {}
    assert dedup_onto(dedup, stage, second(), known, count=4, seed=6).removed == two.removed
    assert dedup(MinhashDedup(threshold=0.81, bands=21, rows=6, index=stage.index), first()).removed == {}
    assert (tmp_path / "seen" / "index.json").read_bytes() == before


def test_a_draft_of_a_killed_run_is_no_generation(dedup: Dedup, tmp_path: Path) -> None:
    stage = MinhashDedup(index=str(tmp_path / "seen"))
    dedup(stage, first())
    state = json.loads((tmp_path / "seen" / "index.json").read_text())
    (tmp_path / "seen" / "index.json").unlink()  # as if it had been killed just before it was written
    (tmp_path / "seen" / state["generations"][0]["key"]).rename(tmp_path / "seen" / ".draft")
    assert dedup(stage, first()).removed == {}
    assert json.loads((tmp_path / "seen" / "index.json").read_text()) == state


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (MinhashDedup(shingle="char:5"), "shingle 'word:5"),
        (MinhashDedup(seed=2), "seed 1 there, 2 here"),
        (MinhashDedup(bands=16, rows=8), "bands 21 there, 16 here; rows 6 there, 8 here"),
        (MinhashDedup(scheme="legacy"), "scheme 'affine32' there, 'legacy' here"),
        (MinhashDedup(permutations=256), "permutations 128 there, 256 here"),
    ],
)
def test_an_index_of_other_parameters_is_refused(dedup: Dedup, tmp_path: Path, other: MinhashDedup, named: str) -> None:
    from dataclasses import replace

    folder = str(tmp_path / "seen")
    dedup(MinhashDedup(index=folder), first())
    before = (tmp_path / "seen" / "index.json").read_bytes()
    with pytest.raises(UsageError, match="made with other parameters: .*" + named.split(";")[0]):
        dedup(replace(other, index=folder), second())
    assert (tmp_path / "seen" / "index.json").read_bytes() == before


def damaged(folder: Path) -> Path:
    return next(path for path in sorted(folder.rglob("sets.bin")) if path.stat().st_size > 100)


def test_a_damaged_index_is_an_error_for_people(dedup: Dedup, tmp_path: Path) -> None:
    folder = tmp_path / "seen"
    stage = MinhashDedup(index=str(folder))
    dedup(stage, first())
    path = damaged(folder)
    good = path.read_bytes()
    path.unlink()  # the file may be linked to that of a task
    path.write_bytes(good[:-8])
    with pytest.raises(InputError, match=r"sets\.bin is missing or cut short: the index is damaged"):
        dedup(stage, second())
    path.write_bytes(good[:40] + bytes([good[40] ^ 1]) + good[41:])
    with pytest.raises(InputError, match=r"sets\.bin was changed after it was written"):
        dedup(stage, second())
    path.unlink()
    with pytest.raises(InputError, match="is missing or cut short"):
        dedup(stage, second())
    path.write_bytes(good)
    (folder / "index.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="not an index"):
        dedup(stage, second())
    (folder / "index.json").write_text('{"version": 9, "signatures": {}, "generations": []}', encoding="utf-8")
    with pytest.raises(InputError, match="format version 9"):
        dedup(stage, second())


def test_a_folder_of_something_else_is_no_index(dedup: Dedup, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(UsageError, match=r"is no index: it holds letter\.txt"):
        dedup(MinhashDedup(index=str(tmp_path / "mine")), first())
    with pytest.raises(InputError, match=r"has no index\.json"):
        read_index(str(tmp_path / "mine"))


def test_an_index_in_use_is_refused(dedup: Dedup, tmp_path: Path) -> None:
    import fcntl

    (tmp_path / "seen").mkdir()
    with (tmp_path / "seen" / "lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="in use by another run"):
            dedup(MinhashDedup(index=str(tmp_path / "seen")), first())


@pytest.mark.parametrize("scheme", ["affine32", "legacy"])
def test_datasketch_finds_the_same_candidates_in_an_exported_index(dedup: Dedup, tmp_path: Path, scheme: Any) -> None:
    from datasketch import MinHash

    stage = MinhashDedup(index=str(tmp_path / "seen"), scheme=scheme, threshold=0.7)
    rows = first() + [doc(f"near{i}", " ".join(text.split()[:45])) for i, text in enumerate(texts(1)[:20])]
    kept = dedup(stage, rows, 3)
    index = read_index(str(tmp_path / "seen"))
    assert export_index(index, str(tmp_path / "lsh.pickle")) == len(rows) - len(kept.removed)
    lsh = pickle.loads((tmp_path / "lsh.pickle").read_bytes())
    inside = {row["id"]: row["text"] for row in rows if row["id"] not in kept.removed}
    bands, r = stage.banding
    signatures = signed(stage, list(inside.values()))
    for name, text in [(row["id"], row["text"]) for row in rows]:
        own = signed(stage, [text])[0]
        minhash = MinHash(stage.permutations, seed=stage.seed, scheme=scheme, hashvalues=own.copy())
        same = (signatures == own)[:, : bands * r].reshape(len(inside), bands, r).all(axis=2).any(axis=1)
        wanted = {other for other, hit in zip(inside, same, strict=True) if hit}
        assert set(lsh.query(minhash)) == wanted
        assert name in inside or wanted


def signed(stage: MinhashDedup, some: list[str]) -> Any:
    return stage.hasher().signatures(TextBatch(pa.array(some)))


def test_export_as_parquet(dedup: Dedup, tmp_path: Path) -> None:
    stage = MinhashDedup(index=str(tmp_path / "seen"))
    dedup(stage, first())
    index = read_index(str(tmp_path / "seen"))
    assert export_index(index, str(tmp_path / "out.parquet")) == 40
    table = pq.read_table(tmp_path / "out.parquet")
    by_id = {row["id"]: row["text"] for row in first()}
    for row in table.to_pylist():
        assert (np.array(row["signature"], np.uint32) == signed(stage, [by_id[row["id"]]])[0]).all()
    with pytest.raises(UsageError, match=r"ends in \.pickle or \.parquet"):
        export_index(index, str(tmp_path / "out.csv"))


def test_shards_of_equal_content_and_an_empty_one(dedup: Dedup, tmp_path: Path) -> None:
    shard = shards_of(first()[:5], 1)[0]
    shards = [shard, MemoryShard(shard.table, 1), MemoryShard(shard.table.slice(0, 0), 2)]
    stage = MinhashDedup(index=str(tmp_path / "seen"))
    found = dedup(stage, shards)
    assert len(found.rows) == 5
    assert sum(one["rows"] for one in read_index(str(tmp_path / "seen")).generations) == 5
