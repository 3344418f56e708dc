"""The difference of two texts: right for any two, fine where it can be, bounded where it cannot."""

import random
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.run import difference as module
from tamis.run.difference import TOKEN, Difference, difference


def changes(left: str, right: str) -> list[tuple[str, str]]:
    found = difference(left, right)
    return [(left[h.left : h.left_end], right[h.right : h.right_end]) for h in found.hunks]


def in_common(one: list[str], two: list[str]) -> int:
    """How many tokens two lists begin with alike."""
    pairs = zip(one, two, strict=False)
    return next((number for number, (a, b) in enumerate(pairs) if a != b), min(len(one), len(two)))


def assert_right(left: str, right: str, found: Difference) -> None:
    """What lies between the changes is equal, they are in order, none is empty and none touches the next."""
    a = b = 0
    for number, hunk in enumerate(found.hunks):
        assert hunk.left_end > hunk.left or hunk.right_end > hunk.right
        assert hunk.left >= a
        assert hunk.right >= b
        assert number == 0 or hunk.left > a or hunk.right > b
        assert left[a : hunk.left] == right[b : hunk.right]
        a, b = hunk.left_end, hunk.right_end
    assert left[a:] == right[b:]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("", "", []),
        ("same", "same", []),
        ("", "new", [("", "new")]),
        ("old\n", "", [("old\n", "")]),
        ("the quick brown fox", "the quick red fox", [("brown", "red")]),
        ("the fox.", "the fox!", [(".", "!")]),
        ("one two three", "one three", [("two ", "")]),
        ("今天天气很好。", "今天天氣很好。", [("气", "氣")]),
        ("東京へ行く", "京都へ行く", [("東", ""), ("", "都")]),
        ("a\nb\nc\n", "a\nx\nc\n", [("b", "x")]),
        ("nai\u0308ve idea", "naive idea", [("nai\u0308ve", "naive")]),
        ("한국어 문장", "한국말 문장", [("한국어", "한국말")]),
    ],
)
def test_small_differences_are_told_in_words_or_characters(
    left: str, right: str, expected: list[tuple[str, str]]
) -> None:
    assert changes(left, right) == expected


@given(st.text(), st.text())
def test_any_two_texts(left: str, right: str) -> None:
    assert_right(left, right, difference(left, right))
    assert difference(left, left).hunks == ()


@given(st.lists(st.sampled_from(["a ", "b ", "c\n", "中", "文", "!", "x"]), max_size=60), st.randoms())
def test_short_texts_differ_by_tokens_as_difflib_says(words: list[str], draw: random.Random) -> None:
    """On short texts of one line all between the equal ends is left to difflib: no more tokens change than it says."""
    left = "".join(words).replace("\n", "")
    right = "".join(word for word in words if draw.random() > 0.2).replace("\n", "")
    sides = TOKEN.findall(left), TOKEN.findall(right)
    start = in_common(*sides)
    rest = [side[start:][::-1] for side in sides]
    tail = in_common(*rest)
    oracle = SequenceMatcher(str.isspace, *(side[tail:][::-1] for side in rest), autojunk=False)
    equal = start + tail + sum(block.size for block in oracle.get_matching_blocks())
    found = difference(left, right)
    assert not found.cut
    changed = sum(len(TOKEN.findall(left[h.left : h.left_end])) for h in found.hunks)
    assert changed <= len(sides[0]) - equal


@given(st.text())
def test_tokens_are_the_text(text: str) -> None:
    assert "".join(TOKEN.findall(text)) == text


@given(
    st.lists(st.sampled_from(["a", "b ", "\n", "中", "cc "]), max_size=80),
    st.lists(st.sampled_from(["a", "b ", "\n", "中", "cc "]), max_size=80),
    st.integers(0, 50),
    st.integers(1, 30),
    st.integers(0, 40),
)
def test_right_whatever_the_budget(one: list[str], two: list[str], pairs: int, gap: int, limit: int) -> None:
    left, right = "".join(one), "".join(two)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("BUDGET", pairs), ("GAP", gap), ("LIMIT", limit), ("EDGE", 2), ("RUN", 2)):
            patch.setattr(module, name, value)
        found = difference(left, right)
    assert_right(left, right, found)


def test_long_texts_that_differ_in_a_word_are_not_cut() -> None:
    draw = random.Random(5)
    words = [f"w{draw.randrange(5000)}" for _ in range(400_000)]
    for separator in (" ", "\n"):
        left = separator.join(words)
        right = separator.join([*words[:200_000], "NEW", *words[200_001:]])
        found = difference(left, right)
        assert not found.cut
        assert [left[h.left : h.left_end] for h in found.hunks] == [words[200_000]]


def test_long_texts_that_have_nothing_in_common_end_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is counted, not timed."""
    looked = 0
    inner = SequenceMatcher.find_longest_match

    def counted(self: SequenceMatcher[str], a_low: int, a_high: int, b_low: int, b_high: int) -> object:
        nonlocal looked
        looked += sum(len(self.b2j.get(token, ())) for token in self.a[a_low:a_high])  # type: ignore[attr-defined]
        return inner(self, a_low, a_high, b_low, b_high)

    monkeypatch.setattr(SequenceMatcher, "find_longest_match", counted)
    draw = random.Random(6)
    texts = ["".join(draw.choice("ab \n") for _ in range(300_000)) for _ in range(2)]
    found = difference(*texts)
    assert found.cut
    assert 0 < looked <= module.BUDGET
    assert_right(*texts, found)
    one_line = [" ".join(draw.choice("ab") for _ in range(module.GAP // 2)) for _ in range(2)]
    looked = 0
    assert difference(*one_line).cut
    assert looked <= module.BUDGET
