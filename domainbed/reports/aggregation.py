"""Result tables: test accuracies of a sweep aggregated over trials, and the text of the tables."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pandas as pd

from domainbed.errors import InputError
from domainbed.names import ALGORITHMS, DATASETS, ENVIRONMENTS, in_table_order
from domainbed.reports.frames import environment_count, frame_of
from domainbed.reports.query import Q
from domainbed.reports.selection import SelectionMethod, select
from domainbed.reports.tables import MISSING, escape_latex, format_cell, format_table, mean_and_error

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


def summarize(records: pd.DataFrame | Q, method: type[SelectionMethod], ddof: int = 0) -> list[Cell]:
    """Every cell of a selection method's tables, in their order: dataset, algorithm, environment.

    After its environments, each (dataset, algorithm) has a cell `Avg`: over the trials that have all environments,
    of the mean over environments.

    Args:
        records: of a whole sweep, as `frames.load` gives them or as a Q.
        method: selects the record that counts.
        ddof: of the standard deviation over trials.

    Raises:
        InputError: no records.
    """
    if not len(records):
        raise InputError("no records to make tables of")
    frame = frame_of(records) if isinstance(records, Q) else records
    results = sweep_accuracies(frame, method)
    algorithms = in_table_order(frame["algorithm"].unique(), ALGORITHMS)
    cells = []
    for dataset, names in environment_names(frame).items():
        for algorithm in algorithms:
            trials = [results[dataset, algorithm, index] for index in range(len(names))]
            for name, column in zip([*names, AVERAGE], [*trials, _complete_trials(trials)], strict=True):
                accuracies = [column[trial_seed] for trial_seed in sorted(column)]
                mean, error = mean_and_error(accuracies, ddof)
                cells.append(Cell(method.name, dataset, algorithm, name, mean, error, len(accuracies)))
    return cells


def sweep_accuracies(frame: pd.DataFrame, method: type[SelectionMethod]) -> dict[tuple[str, str, int], Trials]:
    """(dataset, algorithm, test environment) -> trial_seed -> test accuracy in [0, 1]; {} for what is missing."""
    results: dict[tuple[str, str, int], Trials] = defaultdict(dict)
    chosen = select(frame, method)[["dataset", "algorithm", "test_env", "trial_seed", "test_acc"]]
    for dataset, algorithm, test_env, trial_seed, accuracy in chosen.to_numpy(dtype=object):
        results[dataset, algorithm, test_env][trial_seed] = accuracy
    return results


def environment_names(frame: pd.DataFrame) -> dict[str, list[str]]:
    """The datasets present, in table order, with their environments; those without a known name are `env0`, ..."""
    counts: dict[str, int] = {}
    for dataset, fields in frame[["dataset", "fields"]].drop_duplicates().itertuples(index=False):
        counts[dataset] = max(counts.get(dataset, 0), environment_count(fields))
    known = {dataset: ENVIRONMENTS.get(dataset, []) for dataset in in_table_order(counts, DATASETS)}
    return {
        dataset: [*names, *(f"env{index}" for index in range(len(names), counts[dataset]))]
        for dataset, names in known.items()
    }


def cells_frame(cells: Iterable[Cell]) -> pd.DataFrame:
    """One row per cell, with the fields of `Cell` as columns."""
    return pd.DataFrame(list(cells), columns=list(Cell._fields))


class Table(NamedTuple):
    """A table as it is shown: the first column has the names of the rows."""

    section: str
    title: str
    texts: pd.DataFrame
    colwidth: int = 20


def tables_of(cells: Sequence[Cell], latex: bool = False) -> list[Table]:
    """A selection method's tables: one per dataset, then the averages."""
    rows: dict[str, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        rows[cell.dataset][cell.algorithm].append(cell)
    selected_by = f"model selection method: {cells[0].selection_method}"
    tables = []
    for dataset, by_algorithm in rows.items():
        texts = [[algorithm, *_texts(row[:-1], latex)] for algorithm, row in by_algorithm.items()]
        columns = [cell.environment for cell in next(iter(by_algorithm.values()))[:-1]]
        tables.append(Table(dataset, f"Dataset: {dataset}, {selected_by}", _table(texts, columns)))
    algorithms = list(next(iter(rows.values())))
    averages = [[name, *_texts([row[name][-1] for row in rows.values()], latex)] for name in algorithms]
    return [*tables, Table("Averages", f"Averages, {selected_by}", _table(averages, list(rows)), 25)]


def format_tables(cells: Sequence[Cell], latex: bool) -> str:
    """A selection method's tables as text."""
    return "".join(format_one(table, latex) for table in tables_of(cells, latex))


def format_one(table: Table, latex: bool) -> str:
    """A table as DomainBed prints it, in LaTeX below a heading."""
    heading = f"\n\\subsubsection{{{escape_latex(table.section)}}}\n" if latex else ""
    names, *columns = table.texts.columns
    cells = table.texts[columns].to_numpy().tolist()
    rows = table.texts[names].tolist()
    return heading + format_table(cells, table.title, rows, [names, *columns], table.colwidth, latex, cut=False)


def _table(texts: Sequence[Sequence[str]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(texts, columns=["Algorithm", *columns, AVERAGE], dtype=object)


def _texts(cells: Sequence[Cell], latex: bool) -> list[str]:
    """The cells of a row and the plain mean of their means, which one missing cell makes missing."""
    complete = all(cell.n_trials for cell in cells)
    average = f"{sum(cell.mean for cell in cells) / len(cells):.1f}" if complete else MISSING
    return [*(cell.text(latex) for cell in cells), average]


def _complete_trials(environments: Sequence[Trials]) -> Trials:
    """trial_seed -> mean accuracy over the environments, for the trials that have all of them."""
    complete = set.intersection(*(set(trials) for trials in environments)) if environments else set()
    return {seed: sum(trials[seed] for trials in environments) / len(environments) for seed in complete}
