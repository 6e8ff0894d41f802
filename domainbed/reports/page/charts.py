"""The charts of a report, as plotly figures, from the tables of `tables`."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from domainbed.errors import InputError

# Okabe and Ito, without those that are hard to see on white or on black; ERM, the baseline, is grey.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
BASELINE, BASELINE_COLOR = "ERM", "#808080"
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")


def styles(algorithms: Sequence[str]) -> dict[str, dict[str, str]]:
    """algorithm -> its colour and symbol, no two alike up to 36 algorithms."""
    others = [name for name in algorithms if name != BASELINE]
    chosen = {
        name: {"color": COLORS[place % len(COLORS)], "symbol": SYMBOLS[place // len(COLORS) % len(SYMBOLS)]}
        for place, name in enumerate(others)
    }
    return chosen | {BASELINE: {"color": BASELINE_COLOR, "symbol": "circle"}}


def accuracy_chart(accuracies: pd.DataFrame, style: dict[str, dict[str, str]]) -> Any:
    """A point with its 95 % interval for each algorithm and environment of one dataset."""
    go = graph_objects()
    environments = list(dict.fromkeys(accuracies["environment"]))
    algorithms = list(dict.fromkeys(accuracies["algorithm"]))
    figure = go.Figure()
    for index, name in enumerate(algorithms):
        rows = accuracies[accuracies["algorithm"] == name]
        offset = (index - (len(algorithms) - 1) / 2) * 0.7 / max(len(algorithms), 1)
        figure.add_scatter(
            x=[environments.index(environment) + offset for environment in rows["environment"]],
            y=rows["mean"],
            error_y={"array": rows["half_width"], "thickness": 1.5, "width": 3},
            mode="markers",
            marker={"size": 8, **style[name]},
            name=name,
            customdata=rows[["environment", "trials"]],
            hovertemplate="%{customdata[0]}: %{y:.1f} % (%{customdata[1]} trials)",
        )
    figure.update_xaxes(tickvals=list(range(len(environments))), ticktext=environments, title="environment held out")
    return _with_layout(figure, "accuracy, %")


def curve_chart(curves: pd.DataFrame, style: dict[str, dict[str, str]]) -> Any:
    """Test accuracy (solid) and validation accuracy (dotted) against the step, with one environment held out."""
    figure = graph_objects().Figure()
    for name, rows in curves.groupby("algorithm", sort=False):
        rows, color = rows.sort_values("step"), style[str(name)]["color"]
        marker = {"size": 7, "maxdisplayed": 12, **style[str(name)]}  # of long curves some: they tell the algorithm
        for column, dash in (("test", "solid"), ("validation", "dot")):
            figure.add_scatter(
                x=rows["step"],
                y=rows[column],
                mode="lines+markers",
                line={"color": color, "dash": dash, "width": 2},
                marker=marker,
                name=str(name),
                legendgroup=str(name),
                showlegend=column == "test",
                hovertemplate=f"{column} at step %{{x}}: %{{y:.1f}} %",
            )
    figure.update_xaxes(title="step")
    return _with_layout(figure, "accuracy, %")


def similarity_chart(searches: pd.DataFrame, color: str) -> Any:
    """The smallest cosine between two domains' gradients before and after searches, with the window shaded."""
    figure = graph_objects().Figure()
    # one line per record, from before to after
    steps = [x for step in searches["step"] for x in (step, step, None)]
    ends = [y for row in searches.itertuples() for y in (row.gga_sim_start, row.gga_sim_end, None)]
    figure.add_scatter(x=steps, y=ends, mode="lines", line={"color": color}, showlegend=False, hoverinfo="skip")
    for column, name, fill in (("gga_sim_start", "before", "-open"), ("gga_sim_end", "after", "")):
        figure.add_scatter(
            x=searches["step"],
            y=searches[column],
            mode="markers",
            marker={"color": color, "symbol": f"circle{fill}", "size": 7},
            name=name,
            hovertemplate="step %{x}: %{y:.5f}",
        )
    window = searches["gga_start"].min(), searches["gga_end"].max()
    figure.add_vrect(x0=window[0] - 0.5, x1=window[1] + 0.5, fillcolor=color, opacity=0.12, line_width=0)
    figure.update_xaxes(title="step", range=[-1, searches["last_step"].max() + 1])
    return _with_layout(figure, "smallest cosine")


def cost_chart(costs: pd.DataFrame, style: dict[str, dict[str, str]]) -> Any:
    """Accuracy, averaged over the environments of one dataset, against the time of a run's updates."""
    figure = graph_objects().Figure()
    for name, row in costs.set_index("algorithm").iterrows():
        figure.add_scatter(
            x=[row["seconds"]],
            y=[row["accuracy"]],
            error_y={"array": [row["half_width"]], "thickness": 1.5, "width": 3},
            mode="markers+text",
            text=[name],
            textposition="top center",
            marker={"size": 10, **style[str(name)]},
            name=str(name),
            hovertemplate="%{x:.3g} s, %{y:.1f} %",
            showlegend=False,
        )
    figure.update_xaxes(title="seconds of training, median over runs", rangemode="tozero")
    return _with_layout(figure, "average accuracy, %")


def graph_objects() -> Any:
    """plotly's module.

    Raises:
        InputError: it is not installed.
    """
    try:
        import plotly.graph_objects as go
    except ModuleNotFoundError:
        raise InputError('the report needs plotly: pip install "domainbed-gga[report]"') from None
    return go


def _with_layout(figure: Any, y_title: str) -> Any:
    """The colours of text and lines are the page's, which has a light and a dark one."""
    figure.update_yaxes(title=y_title)
    return figure.update_layout(
        template="none",
        margin={"l": 55, "r": 10, "t": 10, "b": 45},
        height=340,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
        hovermode="closest",
    )
