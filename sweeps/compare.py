"""What the methods of a few sweeps on one dataset reached, what their searches did, and what they cost.

    python sweeps/compare.py --input_dirs SWEEP [SWEEP ...] --every_step RUNS --output_dir WHERE

Prints three tables, writes each as CSV, and draws the first two. A sweep holds one way of searching; GGA's rows carry
its name, as in `GGA (walk)`. RUNS holds one run of each way of searching, recorded at every step.
"""

import argparse
import hashlib
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

from domainbed.errors import InputError
from domainbed.files import whole_file
from domainbed.reports.aggregation import AVERAGE, cells_frame, summarize
from domainbed.reports.figures import draw_accuracies, draw_searches, quiet_axes
from domainbed.reports.frames import frame_of_runs, repeated
from domainbed.reports.query import Q
from domainbed.reports.records import Record, load_records, load_runs
from domainbed.reports.selection import IIDAccuracySelectionMethod
from domainbed.scripts.console import exit_code

COLORS = {"ERM": "#4d4d4d", "GGA (walk)": "#0072b2", "GGA (ascent)": "#d55e00", "GGA_L": "#009e73"}


def method(record: Record) -> str:
    """The algorithm's name, with the way of searching where it searches."""
    proposal = record["hparams"].get("gga_proposal")
    return f"{record['args']['algorithm']} ({proposal})" if proposal else record["args"]["algorithm"]


def labelled(records: Q) -> Q:
    """The records with the method in place of the algorithm."""
    return Q(record | {"args": record["args"] | {"algorithm": method(record)}} for record in records)


def accuracies(records: Q) -> pd.DataFrame:
    """Accuracy on the held-out environments in percent, its standard error, by training-domain validation."""
    cells = cells_frame(summarize(records, IIDAccuracySelectionMethod)).drop(columns="selection_method")
    return in_order(cells.rename(columns={"algorithm": "method"}))


def searches(records: Q) -> pd.DataFrame:
    """Per method and step: the smallest cosine between two domains' gradients before and after the search."""
    names = ("gga_sim_start", "gga_sim_end", "gga_accepted", "gga_gradients")
    rows = [
        {"method": record["args"]["algorithm"], "step": record["step"], **{name: record[name] for name in names}}
        for record in records
        if "gga_sim_start" in record
    ]
    frame = pd.DataFrame(rows, columns=["method", "step", *names])
    return in_order(frame.assign(gained=frame["gga_sim_end"] - frame["gga_sim_start"]).sort_values("step"))


def costs(records: Q) -> pd.DataFrame:
    """Seconds per step, the median over records, beside ERM's; of methods that search, while they search."""
    rows = []
    for name, group in records.filter(lambda record: record["step"] > 0).group("args.algorithm"):
        window = group.filter(lambda record: "gga_gradients" in record)
        rows.append(
            {
                "method": name,
                "seconds_per_step": (window or group).select("step_time").sorted()[len(window or group) // 2],
                "gradients_for_candidates": window.select("gga_gradients").mean() if window else 0.0,
            }
        )
    frame = in_order(pd.DataFrame(rows))
    erm = frame.loc[frame["method"] == "ERM", "seconds_per_step"]
    return frame.assign(times_erm=frame["seconds_per_step"] / erm.iloc[0]) if len(erm) else frame


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows method by method, those that have a colour first."""
    places = {name: place for place, name in enumerate(COLORS)}
    last = len(places)
    place = frame["method"].map(lambda name: places.get(name, last))
    return frame.iloc[place.argsort(kind="stable")].reset_index(drop=True)


def draw(accuracy: pd.DataFrame, search: pd.DataFrame, path: Path, source: str) -> None:
    """Left, what the searches did to the similarity; right, accuracy per held-out environment.

    `source`, which says what the tables were, is kept in the file.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), width_ratios=(4, 5), layout="constrained")
    draw_searches(left, search, COLORS)
    left.set_title("Similarity before (open) and after (filled) each search", fontsize="medium", loc="left")
    named = accuracy["environment"].replace(AVERAGE, "average")
    draw_accuracies(right, accuracy.assign(environment=named, error=accuracy["standard_error"]), COLORS)
    title = f"Accuracy, mean and standard error over {accuracy['n_trials'].max()} trials"
    right.set_title(title, fontsize="medium", loc="left")
    for axes in (left, right):
        quiet_axes(axes)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    with whole_file(path) as file:
        figure.savefig(file, dpi=150, format="png", metadata={"Source": source})
    plt.close(figure)


def accuracy_table(accuracy: pd.DataFrame) -> str:
    text = [f"{mean:.1f} ± {error:.1f}" for mean, error in accuracy[["mean", "standard_error"]].to_numpy()]
    table = accuracy.assign(text=text).pivot(index="method", columns="environment", values="text")
    order = [list(dict.fromkeys(accuracy[column])) for column in ("method", "environment")]
    return aligned(table.loc[order[0], order[1]].reset_index().rename(columns={"method": "", AVERAGE: "average"}))


def search_table(search: pd.DataFrame) -> str:
    means = search.groupby("method", sort=False).mean()
    table = {
        "": means.index,
        "before": means["gga_sim_start"].map("{:+.3f}".format),
        "after": means["gga_sim_end"].map("{:+.3f}".format),
        "gained": means["gained"].map("{:.5f}".format),
        "accepted": means["gga_accepted"].map("{:.1f}".format),
    }
    return aligned(pd.DataFrame(table))


def cost_table(cost: pd.DataFrame) -> str:
    table = {
        "": cost["method"],
        "ms per step": (1000 * cost["seconds_per_step"]).map("{:.1f}".format),
        "times ERM": cost["times_erm"].map("{:.1f}".format) if "times_erm" in cost else "",
        "gradients for candidates": cost["gradients_for_candidates"].map("{:.1f}".format),
    }
    return aligned(pd.DataFrame(table))


def aligned(table: pd.DataFrame) -> str:
    """The table as text, names to the left, numbers to the right."""
    width = table.iloc[:, 0].str.len().max()
    return table.to_string(index=False, formatters={table.columns[0]: lambda name: f"{name:<{width}}"})


def write(output_dir: Path, accuracy: pd.DataFrame, search: pd.DataFrame, cost: pd.DataFrame) -> None:
    """The tables as CSV, and the picture, which holds the MD5 of the two that it shows."""
    output_dir.mkdir(parents=True, exist_ok=True)
    tables = {"accuracy": accuracy, "searches": search, "costs": cost}
    texts = {name: table.to_csv(index=False, float_format="%.6g").encode() for name, table in tables.items()}
    for name, text in texts.items():
        with whole_file(output_dir / f"{name}.csv") as file:
            file.write(text)
    source = hashlib.md5(texts["accuracy"] + texts["searches"]).hexdigest()
    draw(accuracy, search, output_dir / "demo.png", source)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input_dirs", type=Path, nargs="+", required=True, help="the output_dir of each sweep")
    parser.add_argument("--every_step", type=Path, required=True, help="the directory of runs recorded at every step")
    parser.add_argument("--output_dir", type=Path, required=True, help="where the CSVs and the picture go")
    return parser


def compare(options: argparse.Namespace) -> None:
    sweeps = [load_runs(directory) for directory in options.input_dirs]
    for line in (line for runs in sweeps for line in repeated(frame_of_runs(runs))):
        raise InputError(f"{line}; remove the directory that is not wanted")
    records = labelled(Q(record for runs in sweeps for run in runs for record in run.records))
    if not records:
        raise InputError(f"no records under {', '.join(map(str, options.input_dirs))}")
    accuracy, cost = accuracies(records), costs(records)
    search = searches(labelled(load_records(options.every_step)))
    print(f"\nAccuracy on the environment held out, %, mean and standard error over trials\n{accuracy_table(accuracy)}")
    title = "Smallest cosine between two domains' gradients before and after a search, mean over the window"
    print(f"\n{title}\n{search_table(search)}")
    print(f"\nCost of a step, searches included while there are any\n{cost_table(cost)}")
    write(options.output_dir, accuracy, search, cost)


def main(argv=None):
    return exit_code(compare, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
