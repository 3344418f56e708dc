"""An index of what earlier runs kept, so that a later corpus is deduplicated against all of them.

The folder holds ``index.json`` (what its signatures depend on, and its generations, one for each run that added to it)
and a folder for each generation with one folder for each shard: record and key files as a run has them, keys whole,
the signatures, and the shingle sets, since every removal is verified. A run that is repeated finds its own generation
and compares with the earlier ones only, so that it gives the same bytes again.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow.parquet as pq
import xxhash

from tamis.curate.dedup.components import read_parent
from tamis.curate.dedup.keeper import Keeper
from tamis.curate.dedup.layout import NONE
from tamis.curate.dedup.minhash import MinhashDedup
from tamis.curate.dedup.records import Facts, RecordWriter, hashes64
from tamis.curate.dedup.sets import Sections, SetWriter, entries_of
from tamis.errors import InputError, OutputError, UsageError
from tamis.run.ledger import task_key
from tamis.stage import Done, Engine, ShardView, Task
from tamis.storage import content_hash, link_or_copy, write_text, writing
from tamis.text import TextBatch

FORMAT: Final = 1
FILES: Final = (
    "records.npy", "tokens.npy", "ids.arrow", "keys.bin", "rows.bin", "sections.npy",
    "sets.bin", "offsets.npy", "signatures.bin",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stored:
    """One shard of a generation."""

    folder: Path
    rows: int
    key: str
    """Hash of its content."""


@dataclass
class Index:
    """An index folder, held by this process."""

    folder: Path
    identity: dict[str, Any]
    generations: list[dict[str, Any]] = field(default_factory=list)
    _own: str = ""

    def before(self, views: Sequence[ShardView], engine: Engine) -> tuple[Stored, ...]:
        """Return the shards that a run over these documents compares with: all, or those older than its own.

        A corpus is known again by its ids and texts alone: not by its shards, the version of tamis or the threshold.
        Else repeating a run after an update would find every document of it in the index, and drop it.
        """
        tasks = [Task(task_key("index content", view.key), "minhash: index", content_sum, (view,)) for view in views]
        total = sum(done.result["sum"] for done in engine.run(tasks)) % (1 << 64)
        content = [sum(view.rows for view in views), total]
        for count in range(len(self.generations) + 1):
            older = [one["key"] for one in self.generations[:count]]
            self._own = xxhash.xxh3_128_hexdigest(orjson.dumps([content, older]))
            if count < len(self.generations) and self.generations[count]["key"] == self._own:
                return self._stored(count)
        return self._stored(len(self.generations))

    def _stored(self, count: int) -> tuple[Stored, ...]:
        return tuple(
            Stored(self.folder / one["key"] / shard["folder"], shard["rows"], shard["key"])
            for one in self.generations[:count]
            for shard in one["shards"]
        )

    def check(self, engine: Engine, used: Sequence[str]) -> None:
        """Compare the content of every file that is used with its hash. Raises InputError naming the file."""
        known = {shard["key"]: (one, shard) for one in self.generations for shard in one["shards"]}
        tasks = []
        for key in used:
            one, shard = known[key]
            place = self.folder / one["key"] / shard["folder"]
            stamps = [[(place / name).stat().st_mtime_ns for name in shard["files"]]]
            args = (place, shard["files"])
            tasks.append(Task(task_key("index check", key, stamps), "minhash: index check", check_files, args))
        engine.run(tasks)

    def add(self, made: Sequence[Done]) -> None:
        """Make what a run kept a generation; nothing changes if it is one already."""
        if any(one["key"] == self._own for one in self.generations):
            return
        draft, final = self.folder / f".{self._own}", self.folder / self._own
        shards = []
        with writing(self.folder):
            for folder in (draft, final):  # left by a run that was killed
                shutil.rmtree(folder, ignore_errors=True)
            for number, done in enumerate(made):
                if not done.result["rows"]:
                    continue
                place = draft / f"{number:05}"
                place.mkdir(parents=True)
                files = {}
                for name in FILES:
                    link_or_copy(done.folder / name, place / name)
                    path = place / name
                    files[name] = {"bytes": path.stat().st_size, "content": content_hash(str(path))}
                key = task_key([one["content"] for one in files.values()])
                shards.append({"folder": place.name, "rows": done.result["rows"], "key": key, "files": files})
            if shards:
                draft.rename(final)
            self.generations.append({"key": self._own, "rows": sum(one["rows"] for one in shards), "shards": shards})
            self.save()

    def save(self) -> None:
        """Write ``index.json`` in one step."""
        state = {"version": FORMAT, "signatures": self.identity, "generations": self.generations}
        write_text(self.folder / "index.json", orjson.dumps(state, option=orjson.OPT_INDENT_2).decode() + "\n")


@contextlib.contextmanager
def opened(folder: str | None, identity: dict[str, Any]) -> Iterator[Index | None]:
    """Hold an index folder for this run, made if it is not there; None without a folder.

    Raises UsageError where it was made with other parameters, InputError where it cannot be read, OutputError where
    another run has it.
    """
    if folder is None:
        yield None
        return
    path = Path(folder).absolute()
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        handle = (path / "lock").open("a")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OutputError(f"index {folder} is in use by another run; wait for it or use another --index") from None
        if not (path / "index.json").exists():
            strange = [one.name for one in path.iterdir() if one.name != "lock" and not one.name.startswith(".")]
            if strange:
                raise UsageError(f"{folder} is no index: it holds {strange[0]} but no index.json; use another --index")
            yield Index(path, identity)
            return
        index = read_index(folder)
        unlike = [key for key in sorted({*identity, *index.identity}) if identity.get(key) != index.identity.get(key)]
        if unlike:
            told = "; ".join(f"{key} {index.identity.get(key)!r} there, {identity.get(key)!r} here" for key in unlike)
            raise UsageError(f"index {folder} was made with other parameters: {told}; use the same or another --index")
        yield index


def read_index(folder: str) -> Index:
    """Read ``index.json`` and check that every file is there with its size. Raises InputError."""
    path = Path(folder).absolute()
    try:
        state = orjson.loads((path / "index.json").read_bytes())
        version, index = state["version"], Index(path, state["signatures"], state["generations"])
    except FileNotFoundError:
        raise InputError(f"{folder} is no index: it has no index.json") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"cannot read {folder}/index.json: not an index ({error})") from None
    if version != FORMAT:
        raise InputError(f"index {folder} has format version {version}, this tamis reads {FORMAT}: make it anew")
    for one in index.generations:
        for shard in one["shards"]:
            for name, entry in shard["files"].items():
                file = path / one["key"] / shard["folder"] / name
                if not file.is_file() or file.stat().st_size != entry["bytes"]:
                    raise InputError(
                        f"{file} is missing or cut short: the index is damaged; restore it, or make it anew from the"
                        " corpora that went into it"
                    )
    return index


def content_sum(view: ShardView, out: Path) -> dict[str, Any]:
    """Return the sum of a hash of every document, modulo 2**64: the same however documents lie in shards; a task."""
    total = 0
    for table in view.batches(["id", "text"]):
        ids, texts = hashes64(table.column("id")), hashes64(table.column("text"))
        mixed = (ids ^ (texts >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15) + texts
        total += int((mixed ^ (mixed >> np.uint64(29))).sum())
    return {"sum": total % (1 << 64)}


def check_files(folder: Path, files: dict[str, dict[str, Any]], out: Path) -> dict[str, Any]:
    """Compare files with their hashes; a task. Raises InputError naming the first that differs."""
    for name, entry in files.items():
        if content_hash(str(folder / name)) != entry["content"]:
            raise InputError(
                f"{folder / name} was changed after it was written: the index is damaged; restore it, or make it anew"
                " from the corpora that went into it"
            )
    return {}


def index_records(view: ShardView, stage: MinhashDedup, removed: Path, out: Path) -> dict[str, Any]:
    """Write what an index keeps of the rows of a shard that stay."""
    from tamis.text.shingles import shingle_set  # compiled kernels: only workers load them
    from tamis.text.words import count_chars

    gone = pq.read_table(removed / "removed.parquet", columns=["row"]).column("row").to_numpy()
    hasher, (bands, rows) = stage.hasher(), stage.banding
    stays = np.ones(view.rows, np.bool_)
    stays[gone] = False
    at, offsets, total = 0, [np.zeros(1, np.int64)], 0
    keeper = Keeper.parse(stage.keeper)
    with (
        RecordWriter(out, int(stays.sum()), 0, keeper, bands) as writer,
        (out / "sets.bin").open("wb") as sets,
        (out / "signatures.bin").open("wb") as signatures,
    ):
        for table in view.batches([*writer.columns, "text"]):
            table = table.filter(stays[at : (at := at + table.num_rows)])
            if not table.num_rows:
                continue
            batch = TextBatch(table["text"])
            found = hasher.band_keys(batch, bands, rows)
            writer.add(table, found.streams, Facts(count_chars(batch), found.tokens, bands=found.keys))
            hasher.signatures(batch).tofile(signatures)
            shingles = shingle_set(batch, hasher.shingling)
            shingles.hashes.tofile(sets)
            offsets.append(shingles.offsets[1:] + total)
            total += int(shingles.offsets[-1])
        writer.finish()
    np.save(out / "offsets.npy", np.concatenate(offsets))
    return {"rows": int(stays.sum())}


def index_sets(where: tuple[Path, int, int], sections: Sections, room: int, out: Path) -> dict[str, Any]:
    """Write entries and sets of the documents of one shard of an index that share a bucket with another document."""
    from tamis.curate.dedup.greedy import gather

    folder, base, count = where
    roots = read_parent(sections.parent, base, base + count)
    rows = np.flatnonzero(roots != NONE)
    section = sections.of(rows + base, roots[rows])
    entries = entries_of(folder, rows, base, roots[rows])
    offsets = np.load(folder / "offsets.npy")
    sizes = np.diff(offsets)[rows]
    entries["size"] = sizes
    hashes = np.empty(int(sizes.sum()), np.uint64)
    stored = np.fromfile(folder / "sets.bin", np.uint64)
    gather(stored, offsets, (rows, np.cumsum(sizes) - sizes), hashes)
    writer = SetWriter(out, room)
    writer.add(entries, section, hashes)
    writer.finish()
    return {"sets": len(rows)}


def index_sketches(folder: Path, parent: Path, base: int, out: Path) -> dict[str, Any]:
    """Write the low byte of each signature value of the documents of big components; see ``components.sketches``."""
    count = len(np.load(folder / "tokens.npy", mmap_mode="r"))
    rows = np.flatnonzero(np.isin(read_parent(parent, base, base + count), np.load(parent / "big.npy")))
    signatures = np.fromfile(folder / "signatures.bin", np.uint32).reshape(count, -1)
    (signatures[rows] & np.uint32(0xFF)).astype(np.uint8).tofile(out / "sketch.bin")
    np.save(out / "docs.npy", (rows + base).astype(np.uint32))
    return {"sketches": len(rows)}
