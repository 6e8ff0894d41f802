"""What tables cannot show: why a cell is X, and which rows stand for different numbers of trials."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import pandas as pd

from domainbed.reports.aggregation import AVERAGE, Cell
from domainbed.reports.selection import LeaveOneOutSelectionMethod, SelectionMethod


def footer(frame: pd.DataFrame, method: type[SelectionMethod], cells: Sequence[Cell]) -> list[str]:
    """Lines for below the tables of a selection method: what it needs, why cells are X, uneven numbers of trials."""
    return [f"{method.name} needs {method.needs}", *reasons(frame, method, cells), *uneven_trials(cells)]


def reasons(frame: pd.DataFrame, method: type[SelectionMethod], cells: Iterable[Cell]) -> list[str]:
    """A line for each reason why cells are X, with the algorithms, datasets and environments that it concerns."""
    rows: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.environment != AVERAGE:
            rows[cell.algorithm, cell.dataset].append(cell)
    test_envs = frame.groupby(["algorithm", "dataset"], sort=False)["test_envs"].unique()
    where: dict[str, list[str]] = defaultdict(list)
    for (algorithm, dataset), row in rows.items():
        run = {frozenset(envs) for envs in test_envs.get((algorithm, dataset), [])}
        environments: dict[str, list[str]] = defaultdict(list)
        for index, cell in enumerate(row):
            if not cell.n_trials:
                environments[_reason(method, run, index, len(row))].append(cell.environment)
        for reason, names in environments.items():
            some = f" ({', '.join(names)})" if len(names) < len(row) else ""
            where[reason].append(f"{algorithm} on {dataset}{some}")
    return [f"X, {method.name}: {reason}: {', '.join(names)}" for reason, names in where.items()]


def uneven_trials(cells: Iterable[Cell]) -> list[str]:
    """A line for each (dataset, algorithm) whose cells stand for different numbers of trials."""
    rows: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        rows[f"{cell.algorithm} on {cell.dataset}, {cell.selection_method}"].append(cell)
    return [
        f"{name}: trials per environment are " + ", ".join(f"{cell.environment} {cell.n_trials}" for cell in row)
        for name, row in rows.items()
        if len({cell.n_trials for cell in row}) > 1
    ]


def _reason(method: type[SelectionMethod], test_envs: set[frozenset[int]], env: int, count: int) -> str:
    if not test_envs:
        return "no run"
    if frozenset([env]) not in test_envs:
        return "no run with this test environment alone"
    if not issubclass(method, LeaveOneOutSelectionMethod):
        return "the records lack the accuracies that it needs"
    pairs = {frozenset([env, other]) for other in range(count) if other != env}
    if pairs <= test_envs:
        return (
            "no step at which all its runs have a record (those that average weights have one alone, of their last "
            "step, and must all end at the same)"
        )
    return "no run that holds out each training environment as well"
