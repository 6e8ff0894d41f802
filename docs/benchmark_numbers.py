"""What the benchmarks measured, from the CSV files under results/benchmarks."""

import pandas as pd
from markdown_text import digits3, record, scientific, sentence, table


def ascent() -> str:
    """Each proposal at equal ρ."""
    head = ["D", "proposal", "sim before", "gained", "gradients", "CPU s", "gained per gradient", "gained per s"]
    rows = [
        [
            *(str(row.domains), row.proposal, f"{row.sim_before:.4f}", scientific(row.gained)),
            *(str(row.gradients), f"{row.seconds:.1f}"),
            *(scientific(row.gained / row.gradients), scientific(row.gained / row.seconds)),
        ]
        for row in record("benchmarks/ascent.csv").itertuples()
    ]
    return table(head, rows)


def search_cost() -> str:
    """The search beside a plain one."""
    head = ["D", "plain search / this one", "at most", "a rejected candidate", "a candidate of the plain search"]
    rows = [
        [
            *(str(row.domains), f"{row.faster:.2f}x", f"{row.at_most:.2f}x"),
            f"{row.rejected_over_bound:.2f} of its bound, 2/{row.domains} ERM step",
            f"{row.plain_in_erm_steps:.2f} ERM steps",
        ]
        for row in record("benchmarks/search.csv").itertuples()
    ]
    return table(head, rows)


def memory() -> str:
    """Copies of the weights that a search holds."""
    copies = record("benchmarks/memory.csv")
    few, many = copies["candidates"].min(), copies["candidates"].max()
    return sentence(
        f"Measured: at most {copies['copies_of_weights'].max():.1f} copies of a ResNet-50's weights beyond its domain "
        f"gradients, over n = {few} and n = {many}."
    )


def precision() -> str:
    """The order of candidates in reduced precision."""
    shown = {
        "float32": "float32",
        "TF32": "TF32 (emulated)",
        "bfloat16": "bfloat16 autocast",
        "channels_last": "float32, channels last",
        "compile": "float32, compiled",
    }
    rows = [
        [
            *(shown[row.precision], scientific(row.error_of_a_change), f"{row.correlation:.3f}"),
            *(f"{100 * row.right_order:.0f} %", f"{row.decisions_changed} of {row.candidates}"),
        ]
        for row in record("benchmarks/precision.csv").itertuples()
    ]
    head = ["", "error of a change", "correlation with float64", "pairs of candidates in the right order"]
    head.append("decisions changed")
    spread = scientific(record("benchmarks/precision.csv")["spread_of_changes"].iloc[0])
    return table(head, rows) + f"\nThe change itself has a standard deviation of {spread} over the candidates.\n"


def flags() -> str:
    """A step with each of the flags in steps without."""
    steps = record("benchmarks/flags.csv")
    networks = list(steps["network"].unique())
    rows = [
        [f"`{flag}`", *(f"{value:.2f}" for value in of_flag.set_index("network").loc[networks, "steps"])]
        for flag, of_flag in steps.groupby("flag", sort=False)
    ]
    return table(["steps without the flag", *networks], rows)


def train() -> str:
    """Whole runs beside plain PyTorch."""
    head = ["task", "s", "plain", "plain / ours", "CPU s", "plain", "plain / ours"]
    rows = [
        [
            *(row.task, f"{row.seconds:.1f}", f"{row.plain_seconds:.1f}", f"{row.faster:.2f}x"),
            *(f"{row.cpu_seconds:.1f}", f"{row.plain_cpu_seconds:.1f}", f"{row.less_cpu:.2f}x"),
        ]
        for name in ("train", "train_folder")
        for row in record(f"benchmarks/{name}.csv").itertuples()
    ]
    return table(head, rows)


def sweep_scale() -> str:
    """CPU seconds and memory of the sweep scripts, by the number of jobs."""
    cells = record("benchmarks/sweep_scale.csv")
    sizes = sorted(cells["jobs"].unique())
    rows = []
    for script in cells["script"].unique():
        of_script = cells[cells["script"] == script].set_index("jobs")
        seconds = [f"{of_script.loc[size, 'cpu_seconds']:.1f}" for size in sizes]
        rows.append([script, *seconds, f"{of_script['gib'].max():.2f} GiB"])
    return table(["CPU s for", *(f"{size:,} jobs" for size in sizes), "memory, at most"], rows)


def masks() -> str:
    """Spread of the similarity over dropout masks and over perturbations."""
    head = ["D", "standard deviation of sim over masks", "over perturbations of ρ = 1e-5", "ratio"]
    rows = [
        [
            *(str(row.domains), scientific(row.over_masks), scientific(row.over_perturbations)),
            f"{row.over_masks / row.over_perturbations:.0f}",
        ]
        for row in record("benchmarks/masks.csv").itertuples()
    ]
    return table(head, rows)


def gga_l() -> str:
    """A step of GGA_L in steps of ERM."""
    steps = record("benchmarks/gga_l.csv")
    domains = sorted(steps["domains"].unique())
    rows = [
        [network, *(f"{value:.2f}" for value in of_network.sort_values("domains")["erm_steps"])]
        for network, of_network in steps.groupby("network", sort=False)
    ]
    return table(["ERM steps", *(f"D = {number}" for number in domains)], rows)


def algorithms() -> str:
    """The methods whose step takes longer than ERM's, and how well the passes tell."""
    steps = record("benchmarks/algorithms.csv")
    longer = steps[steps["erm_steps"] >= 1.3].sort_values("erm_steps")
    excess = (steps["erm_steps"] / steps["implied_steps"]).loc[steps["method"] != "ARM"].max()
    listed = ", ".join(f"{row.method} {row.erm_steps:.1f}" for row in longer.itertuples())
    return sentence(
        f"Measured, in ERM steps, where it is 1.3 or more: {listed}. All but ARM take at most {excess:.1f} times what "
        "their passes imply."
    )


def reports_scale() -> str:
    """CPU seconds and memory of the tables of large sweeps."""
    rows = [
        [f"{row.runs:,}", f"{row.records:,}", f"{row.seconds:.0f}", f"{row.at_most_gib:.1f}"]
        for row in record("benchmarks/reports_scale.csv").itertuples()
    ]
    return table(["runs", "records", "CPU s", "at most GiB"], rows)


def figure1() -> str:
    """Accuracy in the plane."""
    shown = {"GGA": "GGA (best)", "descent": "descent: the same candidates, accepted where the loss falls"}
    rows = [
        [
            *(shown.get(row.method, row.method), str(row.steps)),
            *(f"{row.training:.3f} ± {row.training_error:.3f}", f"{row.unseen:.3f} ± {row.unseen_error:.3f}"),
        ]
        for row in record("benchmarks/figure1.csv").itertuples()
    ]
    return table(["", "steps", "training", "unseen"], rows)


def folder_index() -> str:
    """A folder of many images: the index, and a plain walk."""
    jobs = record("benchmarks/folder_index.csv").set_index("job")
    files, seconds = jobs["files"].max(), jobs["cpu_seconds"]
    later, imports = seconds[["later", "again"]].min(), seconds["imports"]
    return sentence(
        f"Measured on {files:,} files, CPU seconds from the start of a process to its splits: {later:.1f}, of which "
        f"{imports:.1f} import the packages; with a walk over all files {seconds['plain']:.1f}. Without the imports "
        f"the walk takes {(seconds['plain'] - imports) / (later - imports):.1f} times as long."
    )


def loading() -> str:
    """Loading images here beside plain loaders."""
    loaders = record("benchmarks/loading.csv").set_index("kind")
    shown = {
        "plain": "plain loaders",
        "exact": "`--exact_images`",
        "check": "the check of a new folder",
        "cold": "default, empty cache",
        "warm": "default, filled cache",
    }
    head = ["", "a pass: images/s", "CPU ms per image", "minibatches: images/s", "CPU ms per image"]
    head += ["first minibatch, s", "memory, MB"]
    columns = ("pass_images_per_s", "pass_cpu_ms", "training_images_per_s", "training_cpu_ms", "first_s", "memory_mb")
    rows = [
        [label, *("" if pd.isna(value) else digits3(value) for value in loaders.loc[kind, list(columns)])]
        for kind, label in shown.items()
    ]
    plain, warm, cold = (loaders.loc[kind] for kind in ("plain", "warm", "cold"))
    passes = (f"{row['pass_images_per_s'] / plain['pass_images_per_s']:.1f}" for row in (warm, cold))
    minibatches = warm["training_images_per_s"] / plain["training_images_per_s"]
    text = (
        "{:,} images. Times as fast as the plain loaders: a pass {} with a filled cache, {} with an empty one; "
        "minibatches {:.1f}."
    )
    return table(head, rows) + "\n" + sentence(text.format(loaders["images"].iloc[0], *passes, minibatches))


WRITERS = (
    *(ascent, search_cost, memory, precision, masks, gga_l, algorithms, figure1, flags, train),
    *(folder_index, reports_scale, sweep_scale, loading),
)
