"""Every reason of every rule: a text that goes for it, and one that stays."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pyarrow as pa
import pytest

from tamis.curate.filter import FilterStage
from tamis.curate.rules import RULES, full_name

GOOD = (
    "The keeper of the lighthouse climbed the stairs every evening with a lamp and a book.\n"
    "She had learned to read the sea long before anyone taught her the names of the stars.\n"
    "When the fog came in from the north, ships would slow down and wait for her light to turn.\n"
    "Nobody in the village could remember a night on which it had failed to appear.\n"
    "Her daughter wanted to be a carpenter, and built small boats that never leaked.\n"
    "On Sundays they rowed out together, and talked of all that they would like to have seen."
)
GOOD_ZH = (
    "守塔人每天傍晚都提着一盏灯和一本书登上灯塔的台阶。\n"
    "在别人教会她星星的名字以前，她早就学会了看海。\n"
    "北方的雾来的时候，船只会慢下来，等待她的灯光转过去。\n"
    "村里没有人记得哪个夜晚那束光不曾出现。\n"
    "她的女儿想当木匠，做的小船从来不漏水，邻居们都很喜欢。\n"
    "星期天他们一起划船出海，谈论那些还没有见过的地方！"
)


def english_words() -> Iterator[str]:
    """Different words of five letters, none of them a stop word."""
    return map("".join, itertools.product("bdfgk", "aeiou", "lmnrs", "aeiou", "pqtvz"))


def han() -> Iterator[str]:
    """Different characters that are no stop characters."""
    return map(chr, range(0x5000, 0x6000))


def blocks(n: int, share: float, chinese: bool) -> str:
    """A text in which blocks of n different tokens come twice; the second copies are this share of its characters."""
    supply = han() if chinese else english_words()
    count = 6
    unit = 1 if chinese else 5
    repeated = [list(itertools.islice(supply, n)) for _ in range(count)]
    total = int(n * unit * count / share / (1 if chinese else 6))
    filler = list(itertools.islice(supply, total - 2 * n * count))
    parts = []
    for block in repeated * 2:
        parts += [*block, filler.pop()]
    return ("" if chinese else " ").join(parts + filler)


def twice(gram: int, length: int, chinese: bool) -> str:
    """A text of about ``length`` characters in which one n-gram occurs two times."""
    supply = han() if chinese else english_words()
    phrase = list(itertools.islice(supply, gram))
    filler = list(itertools.islice(supply, length // (1 if chinese else 6) - 2 * gram))
    return ("" if chinese else " ").join([*phrase, *filler[:3], *phrase, *filler[3:]])


def mixed(separator: str, unit: str, parts: int) -> str:
    """Different short segments, and a longer one that comes twice."""
    return separator.join([*(unit[: 4 + i] + str(i) for i in range(parts)), unit, unit])


LONG_EN = "A sentence that is long enough to weigh."
LONG_ZH = "这是一个足够长的句子，长到可以占去全文的一大部分。"

CASES = [
    ("length(min_characters=5)", "four", "too_few_characters"),
    ("length(max_characters=5)", "sixsix", "too_many_characters"),
    ("length(min_words=3)", "灯塔", "too_few_words"),
    ("length(max_words=2)", "a b c", "too_many_words"),
    ("length(min_tokens=3)", "好。", "too_few_tokens"),
    ("length(max_tokens=3)", "好。。。", "too_many_tokens"),
    ("gopher-quality@datatrove", "Only four words here.", "too_few_words"),
    ("gopher-quality@datatrove(max_words=60)", GOOD, "too_many_words"),
    ("gopher-quality@datatrove", "I am " * 60, "short_words"),
    ("gopher-quality@datatrove", "extraordinarily " * 60, "long_words"),
    ("gopher-quality@datatrove", "# word " * 60, "too_many_hashes"),
    ("gopher-quality@datatrove", "... word " * 60, "too_many_ellipses"),
    ("gopher-quality@datatrove", "- some words stand here\n" * 30, "too_many_bullets"),
    ("gopher-quality@datatrove", "some words stand here with no end in sight for us at all...\n" * 9, "ellipsis_lines"),
    ("gopher-quality@datatrove", "1234 5678 word " * 40, "too_few_alpha"),
    ("gopher-quality@datatrove", "some words stand here " * 20, "too_few_stop_words"),
    ("gopher-quality@zh", "只有六个汉字。", "too_few_words"),
    ("gopher-quality@zh(max_words=120)", GOOD_ZH, "too_many_words"),
    ("gopher-quality@zh(min_mean_word_length=1.5)", GOOD_ZH, "short_words"),
    ("gopher-quality@zh", "灯 lighthouse keepers 海 " * 40, "long_words"),
    ("gopher-quality@zh", "灯塔的#" * 60, "too_many_hashes"),
    ("gopher-quality@zh", "灯塔的……" * 60, "too_many_ellipses"),
    ("gopher-quality@zh", "· 灯塔的守护人在等待\n" * 20, "too_many_bullets"),
    ("gopher-quality@zh", "灯塔的守护人在等待着远方的船只归来……\n" * 10, "ellipsis_lines"),
    ("gopher-quality@zh", "灯塔的，是。！，" * 40, "too_few_alpha"),
    ("gopher-quality@zh", "灯塔守护者" * 40, "too_few_stop_words"),
    ("gopher-repetition@datatrove", "The same sentence is here again.\n\n" * 4, "dup_paragraphs"),
    ("gopher-repetition@datatrove", mixed("\n\n", LONG_EN, 4), "dup_paragraph_chars"),
    ("gopher-repetition@datatrove", "The same sentence is here again.\n" * 4, "dup_lines"),
    ("gopher-repetition@datatrove", mixed("\n", LONG_EN, 4), "dup_line_chars"),
    ("gopher-repetition@datatrove", twice(2, 100, False), "top_2_gram"),
    ("gopher-repetition@datatrove", twice(3, 150, False), "top_3_gram"),
    ("gopher-repetition@datatrove", twice(4, 240, False), "top_4_gram"),
    *(
        ("gopher-repetition@datatrove", blocks(n, share, False), f"dup_{n}_gram")
        for n, share in ((5, 0.16), (6, 0.155), (7, 0.14), (8, 0.13), (9, 0.12), (10, 0.105))
    ),
    ("gopher-repetition@zh", "同样的一句话又来了。\n\n" * 4, "dup_paragraphs"),
    ("gopher-repetition@zh", mixed("\n\n", LONG_ZH, 4), "dup_paragraph_chars"),
    ("gopher-repetition@zh", "同样的一句话又来了。\n" * 4, "dup_lines"),
    ("gopher-repetition@zh", mixed("\n", LONG_ZH, 4), "dup_line_chars"),
    ("gopher-repetition@zh", twice(2, 19, True), "top_2_gram"),
    ("gopher-repetition@zh", twice(3, 32, True), "top_3_gram"),
    ("gopher-repetition@zh", twice(4, 48, True), "top_4_gram"),
    *(
        ("gopher-repetition@zh", blocks(n, share, True), f"dup_{n}_gram")
        for n, share in ((7, 0.16), (8, 0.15), (10, 0.135), (11, 0.125), (13, 0.115), (14, 0.105))
    ),
    ("c4@datatrove", GOOD + "\nLorem ipsum dolor sit amet.", "lorem_ipsum"),
    ("c4@datatrove", GOOD + "\nHere a { bracket opens.", "curly_bracket"),
    ("c4@datatrove", "One sentence stands here.", "too_few_sentences"),
    ("c4@datatrove(min_sentences=none)", "no mark at the end of the line", "no_lines_left"),
    ("c4@zh", GOOD_ZH + "\n这一行有 lorem ipsum 的假文字。", "lorem_ipsum"),
    ("c4@zh", GOOD_ZH + "\n这一行有 { 的花括号在里面。", "curly_bracket"),
    ("c4@zh", "这里只有一个句子而已。", "too_few_sentences"),
    ("c4@zh(min_sentences=none)", "这一行没有标点结尾", "no_lines_left"),
    ("fineweb@datatrove", GOOD.replace(".", ""), "few_terminal_lines"),
    ("fineweb@datatrove", "A.\nB.\nC.\nD.\nE.", "short_lines"),
    ("fineweb@datatrove", GOOD + "\n" + GOOD.splitlines()[0], "dup_line_chars"),
    ("fineweb@datatrove", GOOD.replace("\n", "\n" * 8), "many_newlines"),
    ("fineweb@zh", GOOD_ZH.replace("。", "").replace("！", ""), "few_terminal_lines"),
    ("fineweb@zh", "好的。\n行吧。\n可以。\n再见！", "short_lines"),
    ("fineweb@zh", GOOD_ZH + "\n" + GOOD_ZH.splitlines()[0], "dup_line_chars"),
    ("fineweb@zh", GOOD_ZH.replace("\n", "\n" * 6), "many_newlines"),
]


def judged(rule: str, text: str) -> dict[str, object] | None:
    """Return how a filter of one rule drops a text, or None."""
    rows = FilterStage((rule,)).open().judge(pa.table({"text": [text]})).removed.to_pylist()
    return rows[0] if rows else None


@pytest.mark.parametrize(("rule", "text", "reason"), CASES, ids=[f"{rule}-{reason}" for rule, _, reason in CASES])
def test_reason_is_reached(rule: str, text: str, reason: str) -> None:
    row = judged(rule, text)
    assert row is not None
    assert row["reason"] == reason
    assert row["rule"] == rule.partition("(")[0]
    assert row["outcome"] == "dropped"
    assert row["value"] != row["threshold"]


@pytest.mark.parametrize("name", RULES)
def test_a_good_text_stays_and_a_blank_one_goes(name: str) -> None:
    settings = {"length": "(min_words=50,max_words=1000)", "language": "(languages=en)"}.get(name, "")
    text = GOOD_ZH if name.endswith("@zh") else GOOD
    stage = FilterStage((name + settings,))
    batch = pa.table({"text": [text, "", " \n\u3000", text], "language": ["en"] * 4})
    assert stage.open().judge(batch).removed.to_pylist() == [
        {
            "row": row,
            "outcome": "dropped",
            "reason": "empty",
            "rule": name,
            "value": None,
            "threshold": None,
            "detail": None,
        }
        for row in (1, 2)
    ]


@pytest.mark.parametrize("key", sorted(set(RULES) - {"language", "length"}))
def test_no_reason_is_without_its_case(key: str) -> None:
    reached = {reason for rule, _, reason in CASES if rule.partition("(")[0] == key}
    needed = {threshold.reason for threshold in RULES[key]().thresholds}
    assert needed <= reached


def test_the_table_names_its_rules() -> None:
    for key, cls in RULES.items():
        settings = {"length": {"min_words": 1}, "language": {"languages": ("en",)}}.get(key, {})
        rule = cls(**settings)
        assert full_name(rule) == key
        measured = {threshold.signal for threshold in rule.thresholds}
        assert measured <= set(rule.signal_names())


def test_datatrove_defaults_are_the_published_ones() -> None:
    bounds = {(t.reason, t.minimum, t.maximum) for t in RULES["gopher-quality@datatrove"]().thresholds}
    assert bounds == {
        ("too_few_words", 50, None),
        ("too_many_words", None, 100_000),
        ("short_words", 3, None),
        ("long_words", None, 10),
        ("too_many_hashes", None, 0.1),
        ("too_many_ellipses", None, 0.1),
        ("too_many_bullets", None, 0.9),
        ("ellipsis_lines", None, 0.3),
        ("too_few_alpha", 0.8, None),
        ("too_few_stop_words", 2, None),
    }
    most = {t.reason: t.maximum for t in RULES["gopher-repetition@datatrove"]().thresholds}
    assert most == {
        "dup_paragraphs": 0.3,
        "dup_paragraph_chars": 0.2,
        "dup_lines": 0.3,
        "dup_line_chars": 0.2,
        "top_2_gram": 0.2,
        "top_3_gram": 0.18,
        "top_4_gram": 0.16,
        **{f"dup_{n}_gram": (20 - n) / 100 for n in range(5, 11)},
    }
    assert [t.reason for t in RULES["gopher-repetition@datatrove"]().thresholds] == list(most)


DATATROVE = {
    "too_few_words": "gopher_short_doc",
    "too_many_words": "gopher_long_doc",
    "short_words": "gopher_below_avg_threshold",
    "long_words": "gopher_above_avg_threshold",
    "too_many_hashes": "gopher_too_many_hashes",
    "too_many_ellipses": "gopher_too_many_ellipsis",
    "too_many_bullets": "gopher_too_many_bullets",
    "ellipsis_lines": "gopher_too_many_end_ellipsis",
    "too_few_alpha": "gopher_below_alpha_threshold",
    "too_few_stop_words": "gopher_enough_stop_words",
    "dup_paragraphs": "dup_para_frac",
    "dup_paragraph_chars": "dup_para_char_frac",
    "dup_lines": "dup_line_frac",
    "dup_line_chars": "dup_line_char_frac",
    **{f"top_{n}_gram": f"top_{n}_gram" for n in (2, 3, 4)},
    **{f"dup_{n}_gram": f"duplicated_{n}_n_grams" for n in range(5, 11)},
    "lorem_ipsum": "lorem_ipsum",
    "curly_bracket": "curly_bracket",
    "too_few_sentences": "too_few_sentences",
    "few_terminal_lines": "line_punct_ratio",
    "short_lines": "short_line_ratio",
    "many_newlines": "list_ratio",
}


@pytest.mark.slow
def test_datatrove_names_the_same_reason() -> None:
    filters = pytest.importorskip("datatrove.pipeline.filters")
    pytest.importorskip("spacy")
    from datatrove.data import Document

    judges = {
        "gopher-quality@datatrove": filters.GopherQualityFilter(),
        "gopher-quality@datatrove(max_words=60)": filters.GopherQualityFilter(max_doc_words=60),
        "gopher-repetition@datatrove": filters.GopherRepetitionFilter(),
        "c4@datatrove": filters.C4QualityFilter(),
        "fineweb@datatrove": filters.FineWebQualityFilter(),
    }
    checked = 0
    for rule, text, reason in CASES:
        if rule not in judges:
            continue
        said = judges[rule].filter(Document(text=text, id="0"))
        name = "char_dup_ratio" if (rule, reason) == ("fineweb@datatrove", "dup_line_chars") else DATATROVE[reason]
        assert said == (False, name), (rule, reason)
        checked += 1
    assert checked == 30
    for judge in (judge for rule, judge in judges.items() if "(" not in rule):
        assert judge.filter(Document(text=GOOD, id="0")) is True
