import math

import pandas as pd
import pytest
from PIL import Image

from domainbed.errors import InputError
from domainbed.reports.ranks import Ranks, average_ranks, critical_value, draw


def selected(accuracies):
    """Of {algorithm: accuracy per environment}, one trial each."""
    rows = [
        {"dataset": "PACS", "algorithm": name, "test_env": env, "trial_seed": 0, "test_acc": accuracy}
        for name, of_name in accuracies.items()
        for env, accuracy in enumerate(of_name)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("algorithms", "value"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_critical_values_are_those_of_demsars_table_5a(algorithms, value):
    assert critical_value(algorithms) == pytest.approx(value, abs=1e-3)


def test_ranks_worked_out_by_hand():
    """A is first, second, second; B second, first, third; C third (tied with none), third, first."""
    ranks = average_ranks(selected({"A": [0.9, 0.5, 0.5], "B": [0.8, 0.6, 0.4], "C": [0.7, 0.4, 0.6]}))
    assert ranks.mean.to_dict() == pytest.approx({"A": 5 / 3, "B": 2, "C": 7 / 3})
    assert ranks.environments == 3
    assert ranks.critical_difference == pytest.approx(2.343 * (3 * 4 / (6 * 3)) ** 0.5, abs=1e-3)
    assert ranks.groups() == [["A", "B", "C"]]
    # Friedman's chi² = 12 N / (k (k + 1)) (Σ R² - k (k + 1)² / 4) = 3 (110 / 9 - 12), of two degrees of freedom
    assert ranks.p == pytest.approx(math.exp(-3 * (110 / 9 - 12) / 2))


def test_friedmans_test_of_two_algorithms_and_of_equal_ones():
    assert math.isnan(average_ranks(selected({"A": [0.5, 0.9], "B": [0.6, 0.8]})).p)
    assert average_ranks(selected({name: [0.5, 0.9] for name in "ABC"})).p == 1


def test_ties_share_their_rank_and_environments_that_lack_an_algorithm_are_left_out():
    ranks = average_ranks(selected({"A": [0.5, 0.9], "B": [0.5, 0.8], "C": [0.1]}))
    assert ranks.mean.to_dict() == {"A": 1.5, "B": 1.5, "C": 3}
    assert ranks.environments == 1


def test_groups_are_the_largest_sets_within_the_critical_difference():
    """1 to 2 and 1.5 to 2.5 differ by 1; 4 stands alone."""
    ranks = Ranks(pd.Series({"A": 1, "B": 1.5, "C": 2.25, "D": 4}), 8, 1, 0.01)
    assert ranks.groups() == [["A", "B"], ["B", "C"]]


def test_one_algorithm_has_no_rank():
    with pytest.raises(InputError, match=r"two algorithms.*--algorithms"):
        average_ranks(selected({"A": [0.5]}))
    with pytest.raises(InputError, match="two algorithms"):
        average_ranks(pd.concat([selected({"A": [0.5]}), selected({"B": [0.5, 0.6]}).iloc[1:]]))


def test_the_diagram_is_drawn_in_the_format_of_its_suffix(tmp_path):
    ranks = average_ranks(selected({"A": [0.9, 0.5], "B": [0.8, 0.6], "C": [0.7, 0.4]}))
    draw(ranks, tmp_path / "ranks.pdf")
    draw(ranks, tmp_path / "ranks.png")
    assert (tmp_path / "ranks.pdf").read_bytes().startswith(b"%PDF")
    assert Image.open(tmp_path / "ranks.png").convert("L").getextrema()[0] < 50
    with pytest.raises(InputError, match="cannot draw"):
        draw(ranks, tmp_path / "ranks.doc")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ranks.pdf", "ranks.png"]
