"""Average ranks of algorithms over test environments, with Nemenyi's critical difference.

Source: J. Demšar, *Statistical Comparisons of Classifiers over Multiple Data Sets*, JMLR 7, 2006, sections 3.2.2
to 3.2.4. An environment, averaged over its trials, takes the place of a data set.
"""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from domainbed.errors import InputError
from domainbed.files import whole_file


class Ranks(NamedTuple):
    """`mean`: algorithm -> average rank, best (smallest) first, over `environments` environments. Two that differ by
    less than `critical_difference` are not told apart at the 5 % level, and none are where `p`, of Friedman's test for
    any difference at all, is above it. NaN of two algorithms, for which that test is none."""

    mean: pd.Series
    environments: int
    critical_difference: float
    p: float

    def groups(self) -> list[list[str]]:
        """The largest sets of algorithms that are not told apart, two or more in each."""
        names, ranks = list(self.mean.index), self.mean.to_numpy()
        ends = [int(np.searchsorted(ranks, rank + self.critical_difference)) for rank in ranks]
        starts = [0, *(start for start, (before, end) in enumerate(pairwise(ends), start=1) if end > before)]
        return [names[start : ends[start]] for start in starts if ends[start] - start > 1]


def average_ranks(selected: pd.DataFrame) -> Ranks:
    """Ranks over the environments in which every algorithm has a result.

    Args:
        selected: from `selection.select`.

    Raises:
        InputError: less than two algorithms, or no such environment.
    """
    table = selected.pivot_table(index=["dataset", "test_env"], columns="algorithm", values="test_acc")
    accuracies = table.dropna().round(9)
    count, algorithms = accuracies.shape
    if algorithms < 2 or not count:
        raise InputError(
            "ranks need two algorithms and an environment in which all of them have results;"
            " --algorithms names those to rank"
        )
    mean = accuracies.rank(axis=1, ascending=False).mean().sort_values(kind="stable")
    critical_difference = critical_value(algorithms) * float(np.sqrt(algorithms * (algorithms + 1) / (6 * count)))
    return Ranks(mean, count, critical_difference, friedman_p(accuracies))


def friedman_p(accuracies: pd.DataFrame) -> float:
    """p of Friedman's test that the algorithms, one a column, have the same average rank; NaN for less than three."""
    from scipy import stats

    if accuracies.shape[1] < 3:
        return float("nan")
    if accuracies.eq(accuracies.iloc[:, 0], axis=0).all(axis=None):
        return 1.0
    return float(stats.friedmanchisquare(*accuracies.to_numpy().T).pvalue)


def critical_value(algorithms: int) -> float:
    """Nemenyi's at the 5 % level: the studentized range over the square root of two."""
    from scipy import stats

    return float(stats.studentized_range.ppf(0.95, algorithms, np.inf) / np.sqrt(2))


def draw(ranks: Ranks, path: Path) -> None:
    """The critical-difference diagram; bars join algorithms that are not told apart. The suffix gives the format."""
    from matplotlib.figure import Figure

    groups = ranks.groups()
    figure = Figure(figsize=(7, 1.2 + 0.12 * len(groups) + 0.11 * len(ranks.mean)), layout="constrained")
    axes = figure.subplots()
    low, high = 1, len(ranks.mean)
    axes.plot([low, low + ranks.critical_difference], [1, 1], color="black", marker="|")
    axes.text(low, 1.15, f"critical difference {ranks.critical_difference:.2f}", fontsize="small")
    for place, names in enumerate(groups):
        ends = ranks.mean[names].iloc[[0, -1]]
        axes.plot(ends, [-0.25 - 0.25 * place] * 2, color="black", linewidth=4, solid_capstyle="butt")
    below = -0.25 - 0.25 * len(groups)
    half = (len(ranks.mean) + 1) // 2
    for place, (name, rank) in enumerate(ranks.mean.items()):
        left = place < half
        height = below - 0.35 * (place if left else len(ranks.mean) - 1 - place)
        end = low - 0.02 * (high - low) if left else high + 0.02 * (high - low)
        axes.plot([rank, rank, end], [0, height, height], color="0.4", linewidth=0.8)
        axes.text(end, height, f"{name} {rank:.2f}", ha="right" if left else "left", va="center", fontsize="small")
    axes.spines[["left", "right", "bottom"]].set_visible(False)
    axes.xaxis.tick_top()
    axes.spines["top"].set_position(("data", 0))
    axes.set(xticks=range(low, high + 1), yticks=[], ylim=(below - 0.35 * half, 1.6))
    friedman = "" if np.isnan(ranks.p) else f"; Friedman's test: p = {ranks.p:.2g}"
    title = f"Average rank over {ranks.environments} test environments, best first{friedman}"
    axes.set_title(title, fontsize="medium")
    try:
        with whole_file(path) as file:
            figure.savefig(file, format=path.suffix[1:] or "png", dpi=150)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot draw {path}: {error}") from None
