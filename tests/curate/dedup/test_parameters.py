import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.curate.dedup.parameters import choose_bands, describe_parameters, explain_parameters, probability
from tamis.errors import UsageError


def simulated(similarity: float, bands: int, rows: int) -> float:
    """Part of simulated pairs whose signatures, values equal with this probability, agree in some band."""
    agree = np.random.default_rng(1).random((20_000, bands, rows)) < similarity
    return float(agree.all(axis=2).any(axis=1).mean())


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.7, 0.8])
@pytest.mark.parametrize(("bands", "rows"), [(21, 6), (16, 8), (1, 3)])
def test_probability_is_what_simulated_signatures_show(similarity: float, bands: int, rows: int) -> None:
    assert probability(similarity, bands, rows) == pytest.approx(simulated(similarity, bands, rows), abs=0.015)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0.8, 128), (21, 6)),
        ((0.5, 128), (42, 3)),
        ((0.9, 128), (12, 10)),
        ((1.0, 128), (1, 128)),
        ((0.8, 256), (32, 8)),
        ((0.8, 128, 16), (16, 6)),
        ((0.8, 128, 128), (128, 1)),
        ((0.8, 128, None, 5), (25, 5)),
        ((0.8, 128, 16, 8), (16, 8)),  # both given: the recall is theirs to choose
        ((0.8, 128, 1, 128), (1, 128)),
    ],
)
def test_chosen_bands(arguments: tuple[Any, ...], expected: tuple[int, int]) -> None:
    assert choose_bands(*arguments) == expected


@given(st.floats(0.05, 1), st.integers(1, 300), st.floats(0.5, 0.999))
def test_the_most_rows_that_reach_the_recall(threshold: float, permutations: int, recall: float) -> None:
    shapes = [(permutations // rows, rows) for rows in range(1, permutations + 1)]
    good = [shape for shape in shapes if 1 - (1 - threshold ** shape[1]) ** shape[0] >= recall]
    if good:
        assert choose_bands(threshold, permutations, recall=recall) == max(good, key=lambda shape: shape[1])
    else:
        with pytest.raises(UsageError, match="at best"):
            choose_bands(threshold, permutations, recall=recall)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.8, 128, 22, 6), "bands x rows is 22 x 6, expected at least 1 x 1 and a product of at most 128"),
        ((0.8, 128, 0, 6), "bands x rows is 0 x 6"),
        ((0.8, 128, None, 0), "rows is 0, expected 1 to 128"),
        ((0.8, 128, 129), "bands is 129, expected 1 to 128"),
        ((0.8, 128, -1), "bands is -1"),
        ((0.02, 128), r"at best 0.925 of the pairs at 0.02 are found with 128 permutations \(128 x 1\), expected 0.99"),
        ((0.8, 128, 1), "with 128 permutations and bands 1 .*leave out bands 1, raise permutations"),
        ((0.8, 128, None, 12), "and rows 12 .10 x 12.*or give both bands and rows$"),
        ((0, 128), "threshold is 0, expected above 0 and at most 1"),
        ((1.01, 128), "threshold is 1.01"),
        ((float("nan"), 128), "threshold is nan"),
    ],
)
def test_what_cannot_be_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_bands(*arguments)


def test_areas_are_those_of_datasketch() -> None:
    lsh = pytest.importorskip("datasketch.lsh")
    told = describe_parameters(0.8, 128)
    for one in [told, *told["alternatives"]]:
        below = lsh._false_positive_probability(0.8, one["bands"], one["rows"]) / 0.8
        above = lsh._false_negative_probability(0.8, one["bands"], one["rows"]) / 0.2
        assert one["false_candidates"] == pytest.approx(below, abs=2e-4)  # its integral has steps of 0.001
        assert one["missed"] == pytest.approx(above, abs=2e-4)


def test_description_is_json_and_holds_the_threshold() -> None:
    told = describe_parameters(0.85, 128, 16, 8)
    assert json.loads(json.dumps(told)) == told
    points = {point["similarity"]: point["probability"] for point in told["curve"]}
    assert list(points) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 1.0]
    assert points[0.85] == told["recall"] == probability(0.85, 16, 8)
    assert points[1.0] == 1
    assert [(one["bands"], one["rows"]) for one in told["alternatives"]] == [
        (25, 5), (21, 6), (18, 7), (14, 9), (12, 10), (11, 11)
    ]  # fmt: skip
    assert told["bytes"] == 128


@pytest.mark.parametrize(("threshold", "permutations"), [(0.8, 128), (1.0, 1), (0.3, 128), (0.75, 65536)])
def test_lines_show_curve_and_alternatives(threshold: float, permutations: int) -> None:
    told = describe_parameters(threshold, permutations)
    lines = explain_parameters(threshold, permutations)
    assert lines[0].startswith(f"{told['bands']} bands of {told['rows']} rows (")
    [at] = [line for line in lines if line.endswith("<- threshold")]
    assert float(at.split()[0]) == threshold
    assert float(at.split()[1]) == pytest.approx(told["recall"], abs=1e-6)
    [used] = [line for line in lines if line.endswith("<- used")]
    assert used.split()[:3] == [str(told["bands"]), "x", str(told["rows"])]
    assert len(lines) == 10 + len(told["curve"]) + len(told["alternatives"])
    assert max(map(len, lines)) <= 96


def test_nothing_compiled_is_loaded() -> None:
    script = """
import sys
from tamis.curate.dedup.parameters import explain_parameters
import tamis.text.shingling
from tamis.text.minhash import MinHasher
explain_parameters(0.8, 128), MinHasher().identity, MinHasher(scheme="legacy").coefficients
assert "numba" not in sys.modules
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
