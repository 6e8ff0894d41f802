"""Published results beside those of a sweep, in the layout of the paper's tables."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from domainbed.reports.aggregation import AVERAGE, Cell, Table
from domainbed.reports.tables import format_cell

FOLDER = Path(__file__).parent / "published_results"
ALIASES = {"GGA": "ERM_GGA", "GGA_L": "ERM_GGA_L"}
TITLES = {
    "table1": "Published and ours",
    "table2": "Published and ours, in brackets the change when GGA is added",
}


def names() -> list[str]:
    """What `--published` may name."""
    return sorted(path.name for path in FOLDER.iterdir() if path.is_dir() and path.name[0] not in "._")


def join(name: str, cells: Iterable[Cell]) -> pd.DataFrame:
    """Every published number with ours.

    Args:
        name: of the publication.
        cells: ours, by the publication's selection method.

    Returns:
        Columns, in percent, NaN where a number was not published or not run: `table`, `algorithm`, `dataset`;
        `published`, `published_error`, `published_change` (when GGA is added); `ours`, `ours_error`, `ours_change`,
        `n_trials`; `difference` and `change_difference`, ours less published.
    """
    tables = {path.stem: pd.read_csv(path) for path in sorted((FOLDER / name).glob("*.csv"))}
    joined = pd.concat([frame.assign(table=table) for table, frame in tables.items()], ignore_index=True)
    joined = joined.rename(
        columns={"mean": "published", "stderr": "published_error", "change_with_gga": "published_change"}
    )
    ours = {(cell.algorithm, cell.dataset): cell for cell in cells if cell.environment == AVERAGE and cell.n_trials}
    rows = [_ours(ours, algorithm, dataset) for algorithm, dataset in joined[["algorithm", "dataset"]].to_numpy()]
    joined = joined.join(pd.DataFrame(rows, columns=["ours", "ours_error", "n_trials", "ours_change"], dtype=float))
    joined.loc[joined["table"] == "table1", "ours_change"] = float("nan")
    joined["difference"] = joined["ours"] - joined["published"]
    joined["change_difference"] = joined["ours_change"] - joined["published_change"]
    names_of = ["published", "published_error", "published_change", "ours", "ours_error", "ours_change", "n_trials"]
    return joined[["table", "algorithm", "dataset", *names_of, "difference", "change_difference"]]


def side_by_side(joined: pd.DataFrame, latex: bool = False) -> list[Table]:
    """The joined rows as the paper has them: a column per dataset, then the average of the entries.

    An algorithm that was run has two rows more, ours and the difference. What was not run is empty; an average of ours
    is shown where the same datasets were run as published.
    """
    tables = []
    for name, rows in joined.groupby("table", sort=False):
        datasets = list(rows["dataset"].unique())
        texts = []
        for algorithm, entries in rows.groupby("algorithm", sort=False):
            entries = entries.set_index("dataset").reindex(datasets)
            texts.append([algorithm, *_row(entries, "published", latex)])
            if entries["ours"].notna().any():
                texts.append([f"{algorithm}, ours", *_row(entries, "ours", latex)])
                texts.append(["ours - published", *_differences(entries)])
        frame = pd.DataFrame(texts, columns=["Algorithm", *datasets, AVERAGE], dtype=object)
        tables.append(Table(TITLES[str(name)], TITLES[str(name)], frame))
    return tables


def _ours(cells: dict[tuple[str, str], Cell], algorithm: str, dataset: str) -> tuple[float, ...]:
    """Mean, standard error, number of trials, change with GGA."""
    nothing = float("nan")
    base = cells.get((algorithm, dataset)) or cells.get((ALIASES.get(algorithm, algorithm), dataset))
    combined = cells.get((f"{algorithm}_GGA", dataset))
    if base is None:
        return nothing, nothing, nothing, nothing
    return base.mean, base.standard_error, base.n_trials, combined.mean - base.mean if combined else nothing


def _row(entries: pd.DataFrame, whose: str, latex: bool) -> list[str]:
    means, errors, changes = (entries[name] for name in (whose, f"{whose}_error", f"{whose}_change"))
    texts = [
        f"{format_cell(mean, error, latex)}{_bracketed(change)}" if mean == mean else ""
        for mean, error, change in zip(means, errors, changes, strict=True)
    ]
    return [*texts, f"{means.mean():.1f}{_bracketed(_average(changes, entries))}" if _complete(means, entries) else ""]


def _differences(entries: pd.DataFrame) -> list[str]:
    means, changes = entries["difference"], entries["change_difference"]
    texts = [
        f"{signed(mean)}{_bracketed(change)}" if mean == mean else ""
        for mean, change in zip(means, changes, strict=True)
    ]
    average = f"{signed(means.mean())}{_bracketed(_average(changes, entries))}" if _complete(means, entries) else ""
    return [*texts, average]


def _complete(values: pd.Series, entries: pd.DataFrame) -> bool:
    return bool(values[entries["published"].notna()].notna().all())


def _average(changes: pd.Series, entries: pd.DataFrame) -> float:
    """Over the datasets for which a change was published; NaN if one of them is missing."""
    return changes[entries["published_change"].notna()].mean(skipna=False)


def _bracketed(change: float) -> str:
    return f" ({signed(change)})" if change == change else ""


def signed(value: float) -> str:
    """+0.2, -0.2, 0.0"""
    return f"{value:+.1f}" if round(value, 1) else "0.0"
