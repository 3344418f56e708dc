"""The report page: every number is on it, no text of a report becomes markup, nothing is loaded, lists are bounded."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import InputError
from tamis.run import page, page_lists
from tamis.run.counts import Counts
from tamis.run.page import render
from tamis.run.page_markup import SEEN, share, text, widths
from tamis.run.report import StageCounts, build_report

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\u202e</title></svg></style>'

VOID = {"meta", "br"}
"""Elements of HTML without an end tag."""


def counts(came: list[int], dropped: dict[str, list[int]], failed: dict[str, list[int]], **more: Any) -> Counts:
    """Build the bill of a stage; what is kept is what is left, less what was cut out of kept texts."""
    bill = Counts()
    bill.came = came
    bill.gone = {"dropped": dropped, "failed": failed}
    left = [came[unit] - sum(size[unit] for size in [*dropped.values(), *failed.values()]) for unit in range(4)]
    cut = more.get("cut", [0, 0, 0, 0])
    bill.kept = [value - less for value, less in zip(left, cut, strict=True)]
    bill.notes = more.get("notes", {})
    bill.sources = more.get("sources", {})
    return bill


def sized(documents: int, tokens_each: int) -> list[int]:
    return [documents, documents * tokens_each * 6, documents * tokens_each * 5, documents * tokens_each]


def source_pairs(files: int) -> dict[str, list[int]]:
    """Return per file the documents in and kept: most lose two thirds, some much more, every 50th all."""
    pairs: dict[str, list[int]] = {}
    for at in range(files):
        came = 2_000 + 7_919 * at % 5_000
        loss = 1000 if at % 50 == 49 else min(350 + (at * 37 % 90) * (at * 53 % 100) // 15, 970)
        folder = ["crawl/CC-MAIN-2024-10", "crawl/中文站点", "dumps"][at % 3]
        pairs[f"{folder}/part-{at:05}.warc.gz"] = [came, came * (1000 - loss) // 1000]
    return pairs


def sample(files: int = 180) -> dict[str, Any]:
    """Return the report of a run as large as a real one: six stages, damage, alarms, many sources."""
    read_in = [1_284_310, 5_912_884_120, 4_961_440_902, 871_204_551]
    read = counts(
        read_in,
        {
            "request": [402_110, 0, 0, 0],
            "metadata": [40_007, 0, 0, 0],
            "no_text": [8_114, 0, 0, 0],
            "redirect": [3_020, 0, 0, 0],
            "not_html": [1_377, 0, 0, 0],
        },
        {
            "extract_timeout": [31, 0, 0, 0],
            "truncated_record": [12, 0, 0, 0],
            "bad_chunk": [7, 0, 0, 0],
            "extract_crash": [1, 0, 0, 0],
        },
        notes={"metadata_records": 40_007},
    )
    after = [read.kept]

    def then(dropped: dict[str, list[int]], failed: dict[str, list[int]] | None = None, **more: Any) -> Counts:
        bill = counts(list(after[-1]), dropped, failed or {}, **more)
        after.append(bill.kept)
        return bill

    language = then({"not_en_or_zh": sized(211_904, 930), "low_score": sized(34_020, 310)})
    quality = then(
        {
            "gopher_short_doc": sized(71_230, 22),
            "gopher_above_avg_threshold": sized(4_310, 512),
            "gopher_too_many_ellipsis": sized(1_910, 402),
            "gopher_enough_stop_words": sized(22_018, 340),
            "gopher_below_alpha_threshold": sized(38_007, 255),
            "dup_line_frac": sized(12_330, 801),
            "top_2_gram": sized(5_120, 377),
            "duplicated_5_n_grams": sized(9_014, 1_210),
        },
        {"rule_error": sized(3, 90)},
    )
    lines = then(
        {"too_few_sentences": sized(14_220, 61), "lorem_ipsum": sized(44, 210), "curly_bracket": sized(6_009, 480)},
        cut=[0, 301_220_118, 252_180_077, 44_018_245],
        notes={"documents_edited": 288_104, "lines_removed": 5_520_117, "lines_no_terminal_punctuation": 4_110_300},
    )
    exact = then({"same_text": sized(40_118, 505)}, notes={"clusters": 17_008})
    near = then({"near_duplicate": sized(61_990, 733)}, notes={"clusters": 20_455, "largest_cluster": 4_018})
    pairs = source_pairs(files)
    language.sources = {name: [came, came] for name, (came, _) in pairs.items()}
    near.sources = {name: [kept, kept] for name, (_, kept) in pairs.items()}
    stages = [
        StageCounts("1-ingest", "ingest", read, {"extractor": "resiliparse", "timeout": 20.0, "memory": 2048}),
        StageCounts("2-language", "language", language, {"keep": ["en", "zh"], "least": 0.65}),
        StageCounts("3-gopher_quality", "gopher_quality", quality, {"dialect": "datatrove", "tokenizer": "en-spacy"}),
        StageCounts("4-c4", "c4", lines, {"dialect": "tfds", "characters": {"{": "drop", "。": "ends"}}),
        StageCounts("5-exact", "exact", exact, {"normalise": "nfc"}),
        StageCounts("6-minhash", "minhash", near, {"bands": 14, "rows": 8, "seed": 1, "shingle": "word-5"}),
    ]
    return build_report(stages, entries(list(pairs)), max_source_loss=0.9)


def entries(names: list[str]) -> list[dict[str, Any]]:
    """Return input entries, some of them damaged or refused."""
    listed: list[dict[str, Any]] = []
    for at, name in enumerate(names):
        entry = {"name": name, "kind": "warc", "bytes": 12_345_678 + at, "content": f"{at:032x}"}
        entry |= {"status": "ok", "records": 7_000 + at, "documents": 4_000 + at}
        if at % 40 == 7:
            damage = [{"offset": 1_048_576 * n + at, "reason": "bad_chunk", "detail": None} for n in range(1, 5)]
            entry |= {"status": "partial", "failed": 4 + at, "failures": damage}
        listed.append(entry)
    listed.append({"name": "crawl/notes.docx", "status": "rejected", "reason": "no reader takes .docx"})
    listed.append({"name": "dumps/数据.zip", "status": "rejected", "reason": "a zip archive: unpack it first"})
    return listed


class Tree(HTMLParser):
    """A strict reader of pages: elements close in order; tags, attributes and text are kept."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.untold = 0
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag == "svg":
            assert ("role", "img") in attrs
        if tag != "title" and self.tags[-2:-1] == ["svg"]:
            self.untold += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return sample()


@pytest.fixture(scope="module")
def tree(report: dict[str, Any]) -> Tree:
    return Tree(render(report, "corpus-2024-10"))


def test_every_number_of_the_totals_is_on_the_page(report: dict[str, Any], tree: Tree) -> None:
    total = report["total"]
    kept_size = total["kept_size"]
    wanted = [total[key] for key in ("in", "kept", "dropped", "failed")]
    wanted += [kept_size[unit] for unit in ("tokens", "characters", "bytes")]
    for reasons in total["by_reason"].values():
        wanted += reasons.values()
    missing = [value for value in wanted if not re.search(rf"(?<![\d,]){value:,}(?![\d,])", tree.text)]
    assert missing == []
    assert "1,284,310 = 297,384 + 986,872 + 54" in tree.text
    assert "adds up" in tree.text


def test_every_stage_shows_its_sums_and_reasons_in_documents_and_tokens(report: dict[str, Any], tree: Tree) -> None:
    for stage in report["stages"]:
        for unit in ("documents", "tokens"):
            wanted = [stage["in"][unit], stage["kept"][unit]]
            for outcome in ("dropped", "failed"):
                wanted.append(sum(size[unit] for size in stage[outcome].values()))
            wanted += [size[unit] for size in [*stage["dropped"].values(), *stage["failed"].values()]]
            assert [value for value in wanted if f"{value:,}" not in tree.text] == []
        for named in [stage["stage"], *stage["dropped"], *stage["failed"], *stage["notes"]]:
            assert named in tree.text
        assert all(f"{value:,}" in tree.text for value in stage["notes"].values())


def test_tokens_cut_out_of_kept_texts_are_a_part_of_the_stage(tree: Tree) -> None:
    assert "3,760,980 dropped, 0 failed, 44,018,245 cut" in tree.text


def test_a_sum_that_is_wrong_is_called_wrong(report: dict[str, Any]) -> None:
    wrong = {**report, "total": {**report["total"], "balanced": False}}
    assert "does not add up" in Tree(render(wrong, "x")).text


def test_reasons_come_most_frequent_first_with_their_share(tree: Tree) -> None:
    part = tree.text[tree.text.index("Why documents left") : tree.text.index("Loss by source")]
    order = ["gopher_short_doc", "gopher_below_alpha_threshold", "gopher_enough_stop_words", "dup_line_frac"]
    places = [part.index(reason) for reason in order]
    assert places == sorted(places)
    assert "31.3%" in part  # 402,110 requests of 1,284,310 records
    assert "failed" in part[part.index("extract_crash") :][:80]


def test_sources_come_worst_first_and_alarms_are_marked(report: dict[str, Any], tree: Tree) -> None:
    part = tree.text[tree.text.index("Loss by source") : tree.text.index("Input files")]
    shown = re.findall(r"(?:crawl|dumps)/\S+?\.warc\.gz(?!:)", part)
    losses = [report["sources"][source]["loss"] for source in shown]
    assert len(shown) == len(report["sources"]) == 180
    assert losses == sorted(losses, reverse=True)
    assert report["alarm_count"] == 3
    assert part.count("alarm") - part.count("The alarm rings") == 3
    assert "3 sources lost more than 90% of their documents" in tree.text


def test_the_spread_counts_every_source_once(report: dict[str, Any], tree: Tree) -> None:
    told = re.search(r"Sources by loss: ([^\n]*?)(?=\d+–|$)", tree.text)
    assert told is not None
    counted = [int(found) for found in re.findall(r"%: (\d+)", told.group(1))]
    losses = [1 - one["kept"] / one["in"] for one in report["sources"].values()]
    expected = [sum(low / 10 <= loss < low / 10 + 0.1 for loss in losses) for low in range(9)]
    assert counted[:9] == expected
    assert sum(counted[:9]) < 180
    assert str(180 - sum(expected)) in told.group(0)


def test_damaged_and_rejected_files_tell_where_and_why(tree: Tree) -> None:
    part = tree.text[tree.text.index("Input files") :]
    assert "ok 175partial 5rejected 2" in part
    assert "no reader takes .docx" in part
    assert "offset 1,048,583: bad_chunk" in part  # 1 MiB + 7
    assert "and 8 more records" in part  # 11 failed, 3 shown
    assert "dumps/数据.zip" in part


def test_parameters_are_listed_as_they_are(tree: Tree) -> None:
    assert '["en", "zh"]' in tree.text
    assert '{"{": "drop", "。": "ends"}' in tree.text


def test_nothing_is_loaded_from_anywhere(report: dict[str, Any]) -> None:
    source = render(report, "corpus")
    parsed = Tree(source)
    assert not {"script", "link", "img", "iframe", "object", "use", "a", "base"} & set(parsed.tags)
    assert not {key for _, key, _ in parsed.attributes} & {"src", "href", "srcset", "xlink:href", "style", "action"}
    assert not re.search(r"https?:|url\(|@import|@font-face", source)


def test_every_picture_has_a_text_for_those_who_do_not_see_it(tree: Tree) -> None:
    assert tree.tags.count("svg") > 200
    assert tree.untold == 0


def poisoned(word: str) -> dict[str, Any]:
    """Return a report in which every free text is ``word``."""
    size = {"documents": 2, "bytes": 20, "characters": 20, "tokens": 4}
    stage = {"stage": word, "kind": word, "in": {unit: 3 * n for unit, n in size.items()}, "kept": size}
    stage |= {"dropped": {}, "failed": {word: {unit: n // 2 for unit, n in size.items()}}, "notes": {word: 1}}
    entry = {"name": word, "kind": word, "bytes": 1, "status": "ok", "records": 1, "documents": 1}
    partial = {**entry, "status": "partial", "failed": 2}
    partial["failures"] = [{"offset": 5, "reason": word, "detail": word}]
    return {
        "version": 1,
        "stages": [stage, {**stage, "dropped": stage["failed"], "failed": {}}],
        "total": {"in": 3, "kept": 1, "dropped": 1, "failed": 1, "balanced": True, "kept_size": size},
        "sources": {word: {"in": 3, "kept": 0, "loss": 1.0}},
        "max_source_loss": 0.9,
        "alarms": [{"source": word, "in": 3, "kept": 0, "loss": 1.0}],
        "alarm_count": 1,
        "inputs": [entry, partial, {"name": word, "status": word, "reason": word}],
        "signatures": {word: {word: word, "deep": {"list": [word]}}},
    }


def test_no_text_of_a_report_becomes_markup() -> None:
    hostile, harmless = Tree(render(poisoned(HOSTILE), HOSTILE)), Tree(render(poisoned("word"), "word"))
    assert hostile.tags == harmless.tags
    assert [(tag, key) for tag, key, _ in hostile.attributes] == [(tag, key) for tag, key, _ in harmless.attributes]
    assert hostile.text.count("<script>alert(1)</script>") >= 20
    assert "\\u202e" in hostile.text
    assert "\u202e" not in hostile.text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("中文/文件　名.html", "中文/文件　名.html"),
        ("a\x00b\x1b[31m", "a\\u0000b\\u001b[31m"),
        ("half \ud800", "half \\ud800"),
        ("<b>&\"'", "&lt;b&gt;&amp;&quot;&#x27;"),
        ("x" * 200 + "y" * 200, "x" * 150 + " … " + "y" * 150),
    ],
)
def test_text_is_shown_as_it_is_unless_it_cannot_be(given: str, shown: str) -> None:
    assert text(given) == shown
    assert text(given).encode()


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 0, "–"),
        (0, 7, "0.0%"),
        (7, 7, "100.0%"),
        (1, 10**9, "&lt;0.1%"),
        (10**9 - 1, 10**9, "&gt;99.9%"),
        (1, 3, "33.3%"),
    ],
)
def test_a_share_never_rounds_to_all_or_nothing(part: int, whole: int, shown: str) -> None:
    assert share(part, whole) == shown


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=5), st.integers(100, 2000))
def test_parts_of_a_bar_are_seen_and_fill_it(values: list[int], across: int) -> None:
    whole = sum(values)
    shown = widths([("kept", value) for value in values], whole, across)
    least = 100 * SEEN / across
    if whole:
        assert sum(shown) == pytest.approx(100)
    for value, width in zip(values, shown, strict=True):
        assert (width >= least - 1e-9) if value else width == 0
        if value and whole:
            assert abs(width - 100 * value / whole) <= len(values) * least + 1e-9


def test_an_empty_report_is_a_page() -> None:
    parsed = Tree(render(build_report([], [], 0.99), "nothing"))
    assert "0 = 0 + 0 + 0" in parsed.text
    assert "No stage has run." in parsed.text


def test_stages_and_sources_without_documents_divide_by_nothing() -> None:
    empty = counts([0, 0, 0, 0], {}, {}, sources={"a": [0, 0]})
    stages = [StageCounts("1-ingest", "ingest", empty), StageCounts("2-exact", "exact", empty)]
    parsed = Tree(render(build_report(stages, [], 0.99), "nothing"))
    assert "Nothing left here." in parsed.text
    assert "1 source without loss" in parsed.text


def test_the_bytes_do_not_depend_on_the_order_of_keys(report: dict[str, Any]) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(one) for one in value] if isinstance(value, list) else value

    first = render(report, "x")
    assert render(report, "x") == first
    assert render({**turned(report), "inputs": turned(report["inputs"])[::-1]}, "x") == first


def test_a_report_read_from_disk_gives_the_same_page(report: dict[str, Any]) -> None:
    assert render(json.loads(json.dumps(report)), "x") == render(report, "x")


def test_a_huge_report_stays_a_page_and_counts_what_it_leaves_out() -> None:
    big = poisoned("word")
    loss = {"in": 10, "kept": 1, "loss": 0.9}
    big["sources"] = {f"s{at:06}": loss for at in range(20_000)}
    big["alarms"] = [{"source": f"s{at:06}", **loss} for at in range(200)]
    big["alarm_count"] = 20_000
    big["inputs"] = [{**big["inputs"][0], "name": f"ok{at:06}"} for at in range(30_000)]
    big["inputs"] += [{**poisoned("word")["inputs"][1], "name": f"bad{at:06}"} for at in range(10_000)]
    size = {"documents": 1, "bytes": 1, "characters": 1, "tokens": 1}
    big["stages"] = [{**big["stages"][0], "dropped": {f"r{at}": size for at in range(500)}, "failed": {}}] * 100
    big["stages"][0]["notes"] = {f"n{at}": at for at in range(500)}
    big["signatures"] = {f"g{at}": {f"k{key}": "v" * 10_000 for key in range(5)} for at in range(100)}
    source = render(big, "x" * 100_000)
    shown = page_lists.FIRST + page_lists.THEN
    assert len(source) < 1_500_000
    for line in [
        f"and {20_000 - page_lists.FIRST:,} more sources",
        f"and {20_000 - shown:,} more sources",
        f"and {20_000 - page_lists.MAX_ALARMS:,} more sources",
        f"and {10_000 - shown:,} more files",
        f"and {30_000 - page_lists.THEN:,} more files",
        f"and {500 - page.MAX_REASONS} more reasons with {500 - page.MAX_REASONS} documents",
        f"and {500 - page.MAX_NOTES} more notes",
        f"and {100 - page.MAX_STAGES} more stages",
    ]:
        assert line in source


@pytest.mark.parametrize(
    "broken", [[], {}, {"version": 2}, {"version": 1}, {"version": 1, "total": 5}, {"version": 1, "total": {"in": "x"}}]
)
def test_what_is_no_report_is_refused_in_one_line(broken: Any) -> None:
    with pytest.raises(InputError, match=r"run the job again") as caught:
        render(broken, "x")
    assert "\n" not in str(caught.value)


def luminance(colour: str) -> float:
    """WCAG 2.2 relative luminance of #rrggbb."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_texts_and_fills_stand_out_from_the_page_in_every_scheme(report: dict[str, Any]) -> None:
    schemes = re.findall(r":root \{(.*?)\}", render(report, "x"), re.DOTALL)
    assert len(schemes) == 3  # light, dark, print
    for scheme in schemes:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", scheme))
        for ground in ("page", "card"):
            for front, least in {"text": 7, "quiet": 4.5, "kept": 3, "dropped": 3, "failed": 3, "cut": 3}.items():
                low, high = sorted([luminance(colours[front]), luminance(colours[ground])])
                assert (high + 0.05) / (low + 0.05) >= least, (front, ground)
