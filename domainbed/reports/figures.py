"""Figures for papers, by matplotlib: accuracy per environment, and what searches did to the gradients' similarity."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from domainbed.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Colors = Mapping[str, str]
"""method -> colour; matplotlib chooses those of others."""


def draw_searches(axes: "Axes", searches: pd.DataFrame, colors: Colors) -> None:
    """A line for each row, from the smallest cosine between two domains' gradients before searches to that after them.

    Args:
        searches: columns method, step, gga_sim_start, gga_sim_end.
    """
    methods = searches["method"].unique()
    for index, name in enumerate(methods):
        rows, color = searches[searches["method"] == name], colors.get(name)
        x = rows["step"] + (index - (len(methods) - 1) / 2) * 0.3
        axes.vlines(x, rows["gga_sim_start"], rows["gga_sim_end"], color=color, linewidth=1.5)
        axes.plot(x, rows["gga_sim_start"], "o", color=color, markerfacecolor="white", markersize=4)
        axes.plot(x, rows["gga_sim_end"], "o", color=color, label=name, markersize=4)
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set(xlabel="training step", ylabel="smallest cosine between domain gradients")


def draw_accuracies(axes: "Axes", accuracies: pd.DataFrame, colors: Colors) -> None:
    """A point with its error for each method and environment held out.

    Args:
        accuracies: columns method, environment, mean and error, both in percent.
    """
    environments = list(accuracies["environment"].unique())
    methods = accuracies["method"].unique()
    for index, name in enumerate(methods):
        rows = accuracies[accuracies["method"] == name]
        offset = (index - (len(methods) - 1) / 2) * min(0.16, 0.8 / len(methods))
        x = [environments.index(environment) + offset for environment in rows["environment"]]
        style: dict[str, Any] = {"fmt": "o", "markersize": 6, "capsize": 2}
        axes.errorbar(x, rows["mean"], rows["error"], color=colors.get(name), label=name, **style)
    axes.set(xticks=range(len(environments)), ylabel="accuracy, %", xlabel="environment held out")
    axes.set_xticklabels(environments)


def quiet_axes(axes: "Axes") -> None:
    """Without a frame at the top and the right, with pale horizontal lines."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)


def write_pdfs(directory: Path, accuracies: pd.DataFrame, searches: pd.DataFrame, colors: Colors) -> list[Path]:
    """One PDF per dataset and kind, DIRECTORY/<dataset>_accuracy.pdf and <dataset>_similarity.pdf; returns their paths.

    Args:
        accuracies: as for `draw_accuracies`, with a column dataset.
        searches: as for `draw_searches`, with a column dataset.
    """
    from matplotlib.figure import Figure

    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, frame, draw in (
        ("accuracy", accuracies, draw_accuracies),
        ("similarity", searches, draw_searches),
    ):
        for dataset, rows in frame.groupby("dataset", sort=False):
            figure = Figure(figsize=(5, 3.6), layout="constrained")
            axes = figure.subplots()
            draw(axes, rows, colors)
            quiet_axes(axes)
            figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
            paths.append(directory / f"{str(dataset).replace('/', '_')}_{kind}.pdf")
            with whole_file(paths[-1]) as file:
                figure.savefig(file, format="pdf", metadata={"CreationDate": None})
    return paths
