"""Comparisons with a baseline, paired over dataset, test environment and trial.

Pairs that share an environment are not independent: an algorithm that suits an environment suits it in every trial. The
interval over environments respects that and is the one to quote; the one over pairs is what the pairs would say if they
were independent.

Sources: B. Efron, R. Tibshirani, *An Introduction to the Bootstrap*, 1993 (percentile interval); A. Davison,
D. Hinkley, *Bootstrap Methods and their Application*, 1997, section 3.8 (hierarchical data: resample whole clusters);
F. Wilcoxon, 1945; S. Holm, 1979.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from domainbed.names import ALGORITHMS, in_table_order
from domainbed.reports.aggregation import Table
from domainbed.reports.published import signed

FEWEST_PAIRS = 6
"""With five, the smallest two-sided p of the signed-rank test is 2 / 2^5 = 0.0625."""

PAIR = ["dataset", "test_env", "trial_seed"]
ENVIRONMENT = ["dataset", "test_env"]


def paired_differences(selected: pd.DataFrame, algorithm: str, baseline: str) -> pd.Series:
    """Test accuracy of the algorithm less the baseline's, in points, indexed by dataset, test_env and trial_seed.

    Args:
        selected: from `selection.select`. Pairs of which one is missing are left out.
        algorithm: its name.
        baseline: its name.
    """
    accuracies = selected.set_index([*PAIR, "algorithm"])["test_acc"]
    first, second = (accuracies.xs(name, level="algorithm") for name in (algorithm, baseline))
    return (100 * (first - second)).dropna()


def compare(selected: pd.DataFrame, baseline: str, resamples: int = 9999) -> pd.DataFrame:
    """Every algorithm against the baseline.

    Args:
        selected: from `selection.select`.
        baseline: its algorithm.
        resamples: of each bootstrap, which is seeded.

    Returns:
        A row per algorithm, in points: `algorithm`, `baseline`, `pairs`, `environments`, `difference` (mean over
        environments of the mean over trials), `low`, `high` (95 % over environments), `pairs_low`, `pairs_high` (95 %
        over pairs), `p` (Wilcoxon's signed-rank test over pairs, two-sided), `p_holm` (corrected for the number of
        algorithms tested) and `trials_for_a_point`. NaN where there are too few pairs for the number.
    """
    columns = [
        *("algorithm", "baseline", "pairs", "environments", "difference", "low", "high", "pairs_low", "pairs_high"),
        *("p", "trials_for_a_point"),
    ]
    rows = []
    present = set(selected["algorithm"])
    for algorithm in in_table_order(selected["algorithm"].unique(), ALGORITHMS) if baseline in present else []:
        differences = paired_differences(selected, algorithm, baseline)
        if algorithm == baseline or differences.empty:
            continue
        means = differences.groupby(level=ENVIRONMENT).mean()
        intervals = *interval(means, resamples), *interval(differences, resamples)
        numbers = (len(differences), len(means), means.mean(), *intervals, signed_rank_p(differences))
        rows.append((algorithm, baseline, *numbers, trials_needed(differences)))
    table = pd.DataFrame(rows, columns=columns)
    table.insert(columns.index("p") + 1, "p_holm", holm(table["p"]))
    return table


def interval(values: ArrayLike, resamples: int = 9999) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean; NaN for less than two values."""
    from scipy import stats

    values = np.asarray(values)
    if len(values) < 2:
        return float("nan"), float("nan")
    found = stats.bootstrap(
        (values,), np.mean, n_resamples=resamples, method="percentile", random_state=0
    ).confidence_interval
    return float(found.low), float(found.high)


def signed_rank_p(differences: ArrayLike) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; NaN for less than six pairs."""
    from scipy import stats

    # Accuracies are fractions: without rounding, differences that are equal would have ranks of their own.
    differences = np.round(np.asarray(differences), 9)
    if len(differences) < FEWEST_PAIRS:
        return float("nan")
    if not np.any(differences):
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's step-down correction over the p values that are numbers; NaN stays."""
    p = np.asarray(p_values, dtype=float)
    corrected = np.full(len(p), np.nan)
    order = np.argsort(p)[: int(np.sum(~np.isnan(p)))]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1)
    return corrected


def trials_needed(differences: pd.Series, points: float = 1, level: float = 0.05, power: float = 0.8) -> float:
    """Trials per environment after which a true mean difference would be found on these environments.

    By the t test of paired differences, with the variance of trials within environments that was seen: the least n
    with points * sqrt(E n) / s >= t(1 - level / 2) + t(power), E environments, E (n - 1) degrees of freedom.

    Args:
        differences: from `paired_differences`.
        points: the mean difference.
        level: of the two-sided test.
        power: probability of finding it.

    Returns:
        A whole number, at least 2; NaN where no environment has two trials, or none below 10,000 suffices.
    """
    from scipy import stats

    groups = differences.groupby(level=ENVIRONMENT)
    freedom = len(differences) - groups.ngroups
    if freedom < 1:
        return float("nan")
    spread = float(np.sqrt(((differences - groups.transform("mean")) ** 2).sum() / freedom))
    n = np.arange(2, 10_000)
    of_t = stats.t(groups.ngroups * (n - 1))
    enough = points * np.sqrt(groups.ngroups * n) >= spread * (of_t.ppf(1 - level / 2) + of_t.ppf(power))
    return float(n[enough.argmax()]) if enough.any() else float("nan")


def comparison_table(comparisons: pd.DataFrame, method: str, power: bool = False, latex: bool = False) -> Table:
    """The comparisons of a selection method as they are shown."""
    rows = [
        [
            *(row["algorithm"], str(row["pairs"]), str(row["environments"]), signed(row["difference"])),
            *(_interval(row["low"], row["high"]), _interval(row["pairs_low"], row["pairs_high"])),
            *(_p(row["p"], latex), _p(row["p_holm"], latex)),
            *([_whole(row["trials_for_a_point"])] if power else []),
        ]
        for row in comparisons.to_dict("records")
    ]
    head = ["Algorithm", "pairs", "environments", "difference", "95 %, environments", "95 %, pairs", "p", "p (Holm)"]
    title = f"Differences from {comparisons['baseline'].iloc[0]} in points, model selection method: {method}"
    frame = pd.DataFrame(rows, columns=[*head, *(["trials for 1 point"] if power else [])], dtype=object)
    return Table("Comparisons", title, frame)


def few_pairs(comparisons: pd.DataFrame) -> list[str]:
    """A line that names the algorithms with too few pairs for a test, if there are any."""
    few = comparisons.loc[comparisons["pairs"] < FEWEST_PAIRS, "algorithm"]
    return [f"fewer than {FEWEST_PAIRS} pairs, so the intervals only: {', '.join(few)}"] if len(few) else []


def without_pairs(algorithms: Iterable[str], comparisons: pd.DataFrame, baseline: str) -> list[str]:
    """A line that names those of the algorithms that the comparisons with a baseline lack, if there are any."""
    lacking = [name for name in algorithms if name != baseline and name not in set(comparisons["algorithm"])]
    where = f"no dataset, test environment and trial in common with {baseline}, so no comparison"
    return [f"{where}: {', '.join(in_table_order(lacking, ALGORITHMS))}"] if lacking else []


def reading(power: bool = False) -> list[str]:
    """What a reader of the comparisons must know."""
    lines = [
        "Quote the difference with its interval over environments: trials of one environment are not independent, and "
        "the interval over pairs and p take them to be. With few environments (less than ten) it is itself too narrow",
        "p: Wilcoxon's signed-rank test over pairs; p (Holm): corrected for all algorithms compared",
    ]
    if power:
        lines.append(
            "trials for 1 point: per environment, for a t test at 5 % to find a true mean difference of one point on "
            "these environments in 80 % of sweeps, given the variance over trials that was seen"
        )
    return lines


def _interval(low: float, high: float) -> str:
    return f"{signed(low)} to {signed(high)}" if low == low else "-"


def _p(value: float, latex: bool) -> str:
    if np.isnan(value):
        return "-"
    less = "$<$" if latex else "<"
    return f"{value:.3f}" if value >= 0.001 else f"{less} 0.001"


def _whole(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.0f}"
