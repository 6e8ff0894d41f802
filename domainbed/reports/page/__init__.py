"""A report of a sweep as one HTML page that needs nothing else: no network, no other file."""

import html
import json
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import pandas as pd

from domainbed.names import ALGORITHMS, in_table_order
from domainbed.reports import figures
from domainbed.reports.aggregation import environment_names
from domainbed.reports.frames import frame_of_runs
from domainbed.reports.page import charts, tables
from domainbed.reports.records import RunRecords, in_training
from domainbed.reports.selection import METHODS, IIDAccuracySelectionMethod


def page(runs: Sequence[RunRecords], title: str) -> str:
    """The report of these runs. Curves and searches are of the weights in training, tables of the runs' results.

    Raises:
        InputError: plotly is not installed.
    """
    training = [in_training(run) for run in runs]
    frame, frame_in_training = frame_of_runs(runs), frame_of_runs(training)
    chosen = tables.selected_runs(frame, IIDAccuracySelectionMethod)
    style = charts.styles(in_table_order(frame_in_training["algorithm"].unique(), ALGORITHMS))
    builder = _Page()
    sections = {
        "Accuracy": _accuracy(builder, frame, chosen, style),
        "Training curves": _curves(builder, tables.curves(frame_in_training), style),
        "Gradient similarity": _searches(builder, tables.searches(frame_in_training), style),
        "Cost": _costs(builder, tables.averages(chosen, frame), tables.costs(runs), style),
        "Hyperparameters": _hparams(chosen),
        "Unfinished runs": _unfinished(training),
    }
    template = Template(resources.files("domainbed.reports.page").joinpath("template.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=html.escape(title),
        summary=html.escape(_summary(training)),
        navigation="".join(f'<a href="#{_anchor(name)}">{name}</a> ' for name in sections),
        sections="".join(_section(name, body) for name, body in sections.items()),
        figures=builder.figures(),
        plotly=_plotly_source(),
    )


class _Page:
    """Collects the figures of a page, which its script draws into the elements that stand for them."""

    def __init__(self) -> None:
        self.collected: dict[str, Any] = {}

    def chart(self, figure: Any, caption: str) -> str:
        """The element that stands for a figure, with its caption."""
        name = f"figure-{len(self.collected)}"
        self.collected[name] = json.loads(figure.to_json())
        text = html.escape(caption)
        return f'<figure><figcaption>{text}</figcaption><div id="{name}" role="img" aria-label="{text}"></div></figure>'

    def figures(self) -> str:
        """All figures as JSON that may stand inside a script element."""
        return json.dumps(self.collected).replace("<", "\\u003c")


def _accuracy(builder: _Page, frame: pd.DataFrame, chosen: pd.DataFrame, style: dict[str, dict[str, str]]) -> str:
    drawn = [
        builder.chart(charts.accuracy_chart(rows, style), f"{dataset}: mean and 95 % interval over trials")
        for dataset, rows in tables.accuracies(chosen).groupby("dataset", sort=False)
    ]
    by_method = [
        f"<h3>{html.escape(method.name)}</h3>{_accuracy_tables(tables.selected_runs(frame, method), frame)}"
        for method in METHODS
    ]
    return _grid(drawn) + "".join(by_method)


def _accuracy_tables(chosen: pd.DataFrame, frame: pd.DataFrame) -> str:
    if chosen.empty:
        return "<p>The runs of this sweep do not tell: no run has all that this method compares.</p>"
    texts = []
    for dataset, rows in tables.accuracies(chosen).groupby("dataset", sort=False):
        table = rows.assign(text=_texts(rows, "mean")).pivot(index="algorithm", columns="environment", values="text")
        names = environment_names(frame)[str(dataset)]
        table = table.reindex(index=rows["algorithm"].unique(), columns=names).rename_axis(None, axis="columns")
        averages = tables.averages(chosen, frame)
        averages = averages[averages["dataset"] == dataset].set_index("algorithm")
        table["average"] = _texts(averages, "accuracy").reindex(table.index)
        table = table.astype(object).fillna("X").reset_index()
        texts.append(
            _table(table, f"{dataset}, test accuracy in %, mean ± half-width of the 95 % interval over trials")
        )
    return "".join(texts)


def _curves(builder: _Page, curves: pd.DataFrame, style: dict[str, dict[str, str]]) -> str:
    drawn = [
        builder.chart(
            charts.curve_chart(rows, style),
            f"{dataset}, {environment} held out: accuracy of the weights in training, there (solid) and in validation"
            " (dotted), mean over runs",
        )
        for (dataset, environment), rows in curves.groupby(["dataset", "environment"], sort=False)
    ]
    return _grid(drawn) + _folded("Numbers", _table(curves.round(1), "Accuracies in %, means over runs"))


def _searches(builder: _Page, searches: pd.DataFrame, style: dict[str, dict[str, str]]) -> str:
    if searches.empty:
        return "<p>No run of this sweep searched, or none was recorded while it did.</p>"
    drawn = [
        builder.chart(
            charts.similarity_chart(rows, style[str(algorithm)]["color"]),
            f"{dataset}, {algorithm}: smallest cosine between two domains' gradients, mean over the searches since the"
            " record before; the window is shaded",
        )
        for (dataset, algorithm), rows in searches.groupby(["dataset", "algorithm"], sort=False)
    ]
    shown = searches.drop(columns=["gga_start", "gga_end"]).round(5)
    return _grid(drawn) + _folded(
        "Numbers", _table(shown, "Means over runs, of the means over the searches since the record before")
    )


def _costs(builder: _Page, averages: pd.DataFrame, costs: pd.DataFrame, style: dict[str, dict[str, str]]) -> str:
    both = costs.merge(averages, on=["dataset", "algorithm"])
    if both.empty:
        return "<p>No run is complete, or no algorithm has one for every environment.</p>"
    drawn = [
        builder.chart(charts.cost_chart(rows, style), f"{dataset}: accuracy and training time")
        for dataset, rows in both.groupby("dataset", sort=False)
    ]
    table = both.drop(columns="half_width").assign(
        seconds=both["seconds"].map("{:.1f}".format),
        seconds_per_step=both["seconds_per_step"].map("{:.4f}".format),
        accuracy=_texts(both, "accuracy"),
    )
    return _grid(drawn) + _table(
        table,
        "Medians over complete runs, evaluations not counted; average accuracy with its 95 % interval over trials",
    )


def _hparams(chosen: pd.DataFrame) -> str:
    table = tables.hparams_that_won(chosen).round(2)
    caption = "The run chosen by training-domain validation, and the hyperparameters that differ between these runs"
    return _folded(f"{len(table)} runs", _table(table, caption))


def _unfinished(runs: Sequence[RunRecords]) -> str:
    table = tables.unfinished(runs)
    return _table(table, "Runs without the file done") if len(table) else "<p>None: every run is complete.</p>"


def _summary(runs: Sequence[RunRecords]) -> str:
    complete = sum(run.complete for run in runs)
    return f"{len(runs)} runs, of which {complete} complete; {sum(len(run.records) for run in runs)} records."


def _section(name: str, body: str) -> str:
    return f'<section id="{_anchor(name)}"><h2>{name}</h2>{body}</section>'


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


def _grid(figures: Iterable[str]) -> str:
    return f'<div class="grid">{"".join(figures)}</div>'


def _folded(summary: str, body: str) -> str:
    return f"<details><summary>{html.escape(summary)}</summary>{body}</details>"


def _table(frame: pd.DataFrame, caption: str) -> str:
    """A table that scrolls sideways by itself, by keyboard too."""
    text = frame.rename(columns=lambda name: str(name).replace("_", " ")).to_html(index=False, border=0, na_rep="")
    label = html.escape(caption)
    scrolled = f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">{text}</div>'
    return f'<p class="caption">{label}</p>{scrolled}'


def _texts(rows: pd.DataFrame, name: str) -> pd.Series:
    """The means in a column as they are shown, with the half_width of their interval where there is one."""
    half_widths = rows["half_width"].map(lambda width: "" if pd.isna(width) else f" ± {width:.1f}")
    return rows[name].map("{:.1f}".format) + half_widths


def _plotly_source() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def paper_figures(runs: Sequence[RunRecords], directory: Path) -> list[Path]:
    """The figures of the report as PDF: accuracy with 95 % intervals, and similarity. Returns their paths."""
    frame = frame_of_runs(runs)
    accuracies = tables.accuracies(tables.selected_runs(frame, IIDAccuracySelectionMethod))
    columns = {"algorithm": "method", "half_width": "error"}
    colors = {name: style["color"] for name, style in charts.styles(list(accuracies["algorithm"].unique())).items()}
    searches = tables.searches(frame_of_runs(map(in_training, runs))).rename(columns=columns)
    return figures.write_pdfs(directory, accuracies.rename(columns=columns), searches, colors)


def title_of(directories: Sequence[Path]) -> str:
    """What a report of these sweeps is called."""
    return "Report of " + ", ".join(directory.resolve().name for directory in directories)
