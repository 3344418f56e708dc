from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from tamis.errors import InputError, RecipeError
from tamis.recipe import build, load, parse, unknown


@dataclass(frozen=True)
class Sample:
    name: str
    rate: float = 0.5
    count: int | None = None
    words: tuple[str, ...] = ()
    mode: Literal["fast", "slow"] = "fast"
    on: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.rate > 1:
            raise ValueError("rate must be at most 1")


def made(text: str) -> Sample:
    return build(Sample, parse(text, "r.yaml"), "sample")


def test_values_become_a_frozen_dataclass() -> None:
    assert made("name: a\nrate: 1\ncount: 3\nwords: [x, y]\nmode: slow\non: true\nextra: {k: [1, {z: 2}]}") == Sample(
        "a", 1.0, 3, ("x", "y"), "slow", True, {"k": [1, {"z": 2}]}
    )
    assert made("name: a\nwords: one\ncount: null").words == ("one",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nrte: 1", r"r\.yaml:2:1: unknown key of sample 'rte'; did you mean 'rate'\? \(known: count, extra,"),
        ("rate: 0.1", r"r\.yaml:1:1: sample needs the key 'name'"),
        ("name: 1", r"r\.yaml:1:1: sample: name: expected a word, found 1"),
        ("name: a\nrate: fast", r"r\.yaml:2:1: sample: rate: expected a number, found 'fast'"),
        ("name: a\ncount: true", r"r\.yaml:2:1: sample: count: expected a whole number, found True"),
        ("name: a\nwords: 3", r"expected a list, found 3"),
        ("name: a\nwords: [3]", r"r\.yaml:2:9: sample: words: expected a word, found 3"),
        ("name: a\nmode: slwo", r"did you mean 'slow'\? \(known: fast, slow\)"),
        ("name: a\nrate: 2", r"r\.yaml:1:1: sample: rate must be at most 1"),
        ("name: a\nname: b", r"r\.yaml:2:1: key 'name' appears twice"),
        ("name: [a", r"r\.yaml:\d+:\d+: not valid YAML"),
        ("- a", r"r\.yaml:1:1: a recipe is a mapping"),
        ("", r"r\.yaml:1:1: a recipe is a mapping"),
        ("name: a\nextra: 1", r"expected a mapping, found 1"),
        ("? [a]\n: b", r"a key must be a word"),
        ("name: 2020-13-45T99:99:99Z\x00", r"r\.yaml: not valid YAML"),
    ],
)
def test_every_complaint_says_where_and_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        made(text)


def test_an_unreadable_recipe_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read recipe .*: no such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "latin").write_bytes(b"name: \xff")
    with pytest.raises(InputError, match="cannot read recipe"):
        load(tmp_path / "latin")


def test_unknown_without_a_near_name_lists_the_known_ones() -> None:
    assert unknown("rule", "zzz", ["b", "a"]) == "unknown rule 'zzz' (known: a, b)"
