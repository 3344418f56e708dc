"""Plain Python definitions of what is repeated below the document, and of the texts that are left."""

import random
import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.run.edits import EDITS, Edits
from tamis.stage import EDIT_SCHEMA, REMOVAL_SCHEMA, ReduceStage
from tamis.text import TextBatch
from tamis.text.hashing import hash_text
from tamis.text.words import word_tokens
from tests.conftest import ROOT

from .conftest import HereEngine, MemoryShard

Row = dict[str, Any]
SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "text", "url", "source", "date")])


@dataclass(frozen=True)
class Unit:
    """Where a unit lies in the text (characters), what it is compared by (None: by nothing), and its tokens."""

    start: int
    stop: int
    key: Hashable
    tokens: int = 0


Splitter = Callable[[str], list[Unit]]

CCNET_SIGNS = "，。、„”“«»」「《》´∶：？！（）；–—．～’…━〈〉【】％►"


def ccnet(line: str) -> str:
    """As cc_net describes it: strip, lower case, digits 0, its signs and control characters out."""
    line = re.sub(r"\d", "0", line.strip().lower())
    return "".join(c for c in line if c not in CCNET_SIGNS and not (ord(c) < 32 or 127 <= ord(c) < 160))


def normal(line: str, form: str) -> str:
    return ccnet(line) if form == "ccnet" else line.strip()


def lines(text: str, form: str = "ccnet") -> list[Unit]:
    found, at = [], 0
    for line in text.split("\n"):
        if line.strip():
            key = normal(line, form)
            found.append(Unit(at, at + len(line.rstrip()), key if key.strip() else None))
        at += len(line) + 1
    return found


def paragraphs(text: str, form: str = "ccnet") -> list[Unit]:
    found: list[Unit] = []
    at, block = 0, []
    for line in [*text.split("\n"), ""]:
        if line.strip():
            block.append((at, line))
        elif block:
            key = " ".join(normal(one, form) for _, one in block)
            last, end = block[-1]
            found.append(Unit(block[0][0], last + len(end.rstrip()), key if key.strip() else None))
            block = []
        at += len(line) + 1
    return found


def token_spans(text: str) -> list[tuple[int, int, int]]:
    """First character, last + 1 and hash of every token."""
    view = word_tokens(TextBatch(pa.array([text])))
    data = text.encode()
    starts = [len(data[:i].decode()) for i in view.token_start.tolist()]
    ends = [len(data[:i].decode()) for i in view.token_end.tolist()]
    return list(zip(starts, ends, view.token_hash.tolist(), strict=True))


def tokens(text: str) -> list[Unit]:
    return [Unit(start, stop, key, 1) for start, stop, key in token_spans(text)]


TITLES = "mr mrs ms dr prof st sr jr gen rep sen gov capt lt col sgt rev hon mt vs messrs mme cf"
NUMBERED = "no nos fig figs eq eqs sec secs vol vols pp p ch art approx ca"
MARKS = re.compile("[.!?．。！？｡…‥][.!?．。！？｡…‥\"')\\]”’）」』】》〉〕]*")


def sentences(text: str) -> list[Unit]:
    """Cut at line ends; then behind runs of marks, as the docstring of ``next_sentence`` says."""
    found, at = [], 0
    for line in text.split("\n"):
        spans = token_spans(line)
        cuts, begin = [], 0
        for match in MARKS.finditer(line):
            before = [span for span in spans if begin <= span[0] and span[1] <= match.start()]
            after = next((span for span in spans if span[0] >= match.end()), None)
            if before and _ends(line, match, before, after):
                cuts.append(match.end())
                begin = match.end()
        for start, stop in zip([0, *cuts], [*cuts, len(line)], strict=True):
            inside = [span for span in spans if start <= span[0] and span[1] <= stop]
            if inside:
                part = line[start:stop]
                left, right = len(part) - len(part.lstrip()), len(part.rstrip())
                key = tuple(span[2] for span in inside)
                found.append(Unit(at + start + left, at + start + right, key, len(inside)))
        at += len(line) + 1
    return found


def _ends(line: str, match: re.Match[str], before: list[Any], after: Any) -> bool:
    marks = [c for c in match.group() if c in ".!?．。！？｡…‥"]
    if set(marks) & set("。！？｡…‥"):
        return True
    if match.end() < len(line) and line[match.end()] not in " \t\r\v\f\xa0\u3000":
        return False
    if after is not None and line[after[0]].islower() and ord(line[after[0]]) < 0x530:
        return False
    if marks != ["."] or match.group()[0] != ".":
        return True
    start, stop, _ = before[-1]
    word = line[start:stop]
    if len(word) == 1 and word.isascii() and word.isalpha():
        if word.isupper() and word != "I":
            return False
        if line[start - 1 : start] == ".":
            return False
    if len(before) == 1 and word[0] in "0123456789" and word[-1] in "0123456789":
        return False
    if word.lower() in TITLES.split():
        return False
    return not (after is not None and line[after[0]] in "0123456789" and word.lower() in NUMBERED.split())


def cut_text(text: str, units: Sequence[Unit], cut: Sequence[bool]) -> str:
    """Join what is left by the gap with the most line ends; of several, the first that is not empty."""
    if not units or not any(cut):
        return text
    kept = [i for i, gone in enumerate(cut) if not gone]
    if not kept:
        return ""
    gaps = [text[a.stop : b.start] for a, b in pairwise(units)]
    out = text[: units[0].start]
    for i, j in zip(kept, [*kept[1:], None], strict=True):
        out += text[units[i].start : units[i].stop]
        if j is not None:
            between = gaps[i:j]
            out += max(between, key=lambda gap: (gap.count("\n"), bool(gap)))
    return out + text[units[-1].stop :]


def keeper_order(rows: Sequence[Row]) -> list[int]:
    return sorted(range(len(rows)), key=lambda i: (-len(rows[i]["text"]), int(hash_text(rows[i]["id"]))))


def repeated(
    rows: Sequence[Row], split: Splitter, width: int = 1, site: Callable[[Row], str] = lambda row: ""
) -> tuple[list[list[Unit]], list[list[bool]]]:
    """The units of each row, and which of them are repeated: every run of every document is looked up."""
    units = [split(row["text"]) for row in rows]
    best: dict[Hashable, tuple[int, int]] = {}
    cut = [[False] * len(one) for one in units]
    for i in keeper_order(rows):
        for at in range(len(units[i]) - width + 1):
            run = tuple(unit.key for unit in units[i][at : at + width])
            if None in run:
                continue
            doc, place = best.setdefault((site(rows[i]), run), (i, at))
            if (doc, place) == (i, at):
                continue
            begin = max(at, place + width) if doc == i else at
            cut[i][begin : at + width] = [True] * (at + width - begin)
    return units, cut


def expected(
    rows: Sequence[Row],
    split: Splitter,
    width: int = 1,
    site: Callable[[Row], str] = lambda row: "",
    left: Callable[[list[Unit]], bool] = lambda units: True,
) -> dict[str, str | None]:
    """What becomes of each text: None where the document is dropped."""
    units, cut = repeated(rows, split, width, site)
    out: dict[str, str | None] = {}
    for row, own, gone in zip(rows, units, cut, strict=True):
        stays = [unit for unit, dropped in zip(own, gone, strict=True) if not dropped]
        fits = not any(gone) or (bool(stays) and left(stays))
        out[row["id"]] = cut_text(row["text"], own, gone) if fits else None
    return out


@dataclass(frozen=True)
class Result:
    """What a stage made of the texts, checked against the contract."""

    texts: dict[str, str | None]
    removed: dict[str, Row]
    notes: dict[str, int]
    files: list[bytes]


def shards(rows: Sequence[Row], count: int = 2, seed: int | None = None, step: int = 3) -> list[MemoryShard]:
    rows = list(rows)
    cuts = [len(rows) * i // count for i in range(count + 1)]
    if seed is not None:
        draw = random.Random(seed)
        draw.shuffle(rows)
        cuts = [0, *sorted(draw.randint(0, len(rows)) for _ in range(count - 1)), len(rows)]
    parts = [rows[cuts[i] : cuts[i + 1]] for i in range(count)]
    return [MemoryShard(pa.Table.from_pylist(part, schema=SCHEMA), i, step) for i, part in enumerate(parts)]


def result_of(stage: ReduceStage, given: Sequence[MemoryShard], root: Path, memory: int = 1 << 30) -> Result:
    done = stage.reduce(given, HereEngine(root, memory))
    texts: dict[str, str | None] = {}
    removed: dict[str, Row] = {}
    notes: dict[str, int] = {}
    files: list[bytes] = []
    for shard, one in zip(given, done, strict=True):
        table = pq.read_table(one.folder / "removed.parquet")
        assert table.schema.equals(REMOVAL_SCHEMA)
        gone = table["row"].to_pylist()
        assert gone == sorted(set(gone))
        files.append((one.folder / "removed.parquet").read_bytes())
        path = one.folder / EDITS
        if path.is_file():
            files.append(path.read_bytes())
            edits = pq.read_table(path)
            assert edits.schema.equals(EDIT_SCHEMA)
            _check(edits.to_pylist(), set(gone))
        else:
            files.append(b"")
        ids = shard.table["id"].to_pylist()
        reader, at = Edits(path), 0
        for batch in shard.batches(["text"]):
            new = reader.cut(batch, at).get("text", batch["text"])
            texts.update(zip(ids[at : at + len(batch)], new.to_pylist(), strict=True))
            at += len(batch)
        for row in table.to_pylist():
            texts[ids[row["row"]]] = None
            removed[ids[row["row"]]] = row
        for name, value in one.result["notes"].items():
            notes[name] = notes.get(name, 0) + value
    return Result(texts, removed, notes, files)


def _check(edits: list[Row], gone: set[int]) -> None:
    """Spans rise, are not empty, touch none other, and are of rows that stay."""
    last = (-1, 0)
    for edit in edits:
        assert edit["row"] not in gone
        assert edit["start"] < edit["end"]
        assert edit["row"] > last[0] or (edit["row"] == last[0] and edit["start"] > last[1])
        last = (edit["row"], edit["end"])


def patchwork(seed: int, count: int, unit: str) -> list[Row]:
    """Documents pieced together from English and Chinese texts, so that pieces of all sizes occur again."""
    draw = random.Random(seed)
    sources = sorted((ROOT / "fixtures" / "crawl" / "sources").glob("*.txt"))
    pieces: list[str] = []
    for path in sources:
        text = path.read_text(encoding="utf-8")
        whole = text.split("\n\n")
        if unit == "paragraph":
            pieces += whole
        else:
            pieces += [line for block in whole for line in block.split("\n")]
    chosen = draw.sample(pieces, min(len(pieces), 60))
    rows = []
    for number in range(count):
        parts = [draw.choice(chosen) for _ in range(draw.randint(0, 9))]
        text = "".join(part + draw.choice(["\n", "\n\n", "\n \n", "\r\n", "\n\n\n", "\n  "]) for part in parts)
        if draw.random() < 0.3:
            text = text.rstrip()
        if draw.random() < 0.3:
            text = text.upper()
        rows.append(
            row(f"d{number}", text, f"http://{draw.choice('abc')}.org/{number}" if draw.random() < 0.8 else None)
        )
    return rows


def row(name: str, text: str, url: str | None = None, source: str = "file#0") -> Row:
    return {"id": name, "text": text, "url": url, "source": source, "date": None}
