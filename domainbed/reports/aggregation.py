"""Result tables: test accuracies of a sweep aggregated over trials, and the text of the tables."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from domainbed.errors import InputError
from domainbed.names import ALGORITHMS, DATASETS, ENVIRONMENTS, in_table_order
from domainbed.reports.grouping import get_grouped_records
from domainbed.reports.query import Q
from domainbed.reports.records import num_environments
from domainbed.reports.selection import SelectionMethod
from domainbed.reports.tables import MISSING, escape_latex, format_cell, format_table, mean_and_error

if TYPE_CHECKING:
    import pandas as pd

AVERAGE = "Avg"

Trials = dict[int, float]


class Cell(NamedTuple):
    """One number of a table: mean and standard error over trials, in percent; NaN where n_trials is 0."""

    selection_method: str
    dataset: str
    algorithm: str
    environment: str
    mean: float
    standard_error: float
    n_trials: int

    def text(self, latex: bool) -> str:
        """As the tables show it."""
        return format_cell(self.mean, self.standard_error, latex) if self.n_trials else MISSING


def summarize(records: Q, method: type[SelectionMethod], ddof: int = 0) -> list[Cell]:
    """Every cell of a selection method's tables, in their order: dataset, algorithm, environment.

    After its environments, each (dataset, algorithm) has a cell `Avg`: over the trials that have all environments,
    of the mean over environments.

    Args:
        records: of a whole sweep.
        method: selects the record that counts.
        ddof: of the standard deviation over trials.

    Raises:
        InputError: no records.
    """
    if not records:
        raise InputError("no records to make tables of")
    results = sweep_accuracies(records, method)
    algorithms = in_table_order(records.select("args.algorithm").unique(), ALGORITHMS)
    cells = []
    for dataset, names in environment_names(records).items():
        for algorithm in algorithms:
            trials = [results[dataset, algorithm, index] for index in range(len(names))]
            for name, column in zip([*names, AVERAGE], [*trials, _complete_trials(trials)], strict=True):
                accuracies = [column[trial_seed] for trial_seed in sorted(column)]
                mean, error = mean_and_error(accuracies, ddof)
                cells.append(Cell(method.name, dataset, algorithm, name, mean, error, len(accuracies)))
    return cells


def sweep_accuracies(records: Q, method: type[SelectionMethod]) -> dict[tuple[str, str, int], Trials]:
    """(dataset, algorithm, test environment) -> trial_seed -> test accuracy in [0, 1]; {} for what is missing."""
    results: dict[tuple[str, str, int], Trials] = defaultdict(dict)
    for group in get_grouped_records(records):
        accuracy = method.sweep_acc(group["records"])
        if accuracy is not None:
            results[group["dataset"], group["algorithm"], group["test_env"]][group["trial_seed"]] = accuracy
    return results


def environment_names(records: Q) -> dict[str, list[str]]:
    """The datasets present, in table order, with their environments; those without a known name are `env0`, ..."""
    counts: dict[str, int] = {}
    for record in records:
        dataset = record["args"]["dataset"]
        counts[dataset] = max(counts.get(dataset, 0), num_environments(record))
    known = {dataset: ENVIRONMENTS.get(dataset, []) for dataset in in_table_order(counts, DATASETS)}
    return {
        dataset: [*names, *(f"env{index}" for index in range(len(names), counts[dataset]))]
        for dataset, names in known.items()
    }


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


def cells_frame(cells: Iterable[Cell]) -> "pd.DataFrame":
    """One row per cell, with the fields of `Cell` as columns."""
    import pandas as pd

    return pd.DataFrame(list(cells), columns=list(Cell._fields))


def format_tables(cells: Sequence[Cell], latex: bool) -> str:
    """A selection method's tables as text: one per dataset, then the averages."""
    rows: dict[str, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        rows[cell.dataset][cell.algorithm].append(cell)
    name = cells[0].selection_method
    texts = []
    for dataset, by_algorithm in rows.items():
        table = [_texts(row[:-1], latex) for row in by_algorithm.values()]
        columns = [cell.environment for cell in next(iter(by_algorithm.values()))[:-1]]
        texts.append(_section(dataset, f"Dataset: {dataset}", name, table, list(by_algorithm), columns, 20, latex))
    algorithms = list(next(iter(rows.values())))
    table = [_texts([by_algorithm[algorithm][-1] for by_algorithm in rows.values()], latex) for algorithm in algorithms]
    texts.append(_section("Averages", "Averages", name, table, algorithms, list(rows), 25, latex))
    return "".join(texts)


def _section(
    section: str,
    title: str,
    method: str,
    table: list[list[str]],
    algorithms: list[str],
    columns: list[str],
    colwidth: int,
    latex: bool,
) -> str:
    heading = f"\n\\subsubsection{{{escape_latex(section)}}}\n" if latex else ""
    header_text = f"{title}, model selection method: {method}"
    col_labels = ["Algorithm", *columns, AVERAGE]
    return heading + format_table(table, header_text, algorithms, col_labels, colwidth, latex, cut=False)


def _texts(cells: Sequence[Cell], latex: bool) -> list[str]:
    """The cells of a row and the plain mean of their means, which one missing cell makes missing."""
    complete = all(cell.n_trials for cell in cells)
    average = f"{sum(cell.mean for cell in cells) / len(cells):.1f}" if complete else MISSING
    return [*(cell.text(latex) for cell in cells), average]


def _complete_trials(environments: Sequence[Trials]) -> Trials:
    """trial_seed -> mean accuracy over the environments, for the trials that have all of them."""
    complete = set.intersection(*(set(trials) for trials in environments)) if environments else set()
    return {seed: sum(trials[seed] for trials in environments) / len(environments) for seed in complete}
