"""What the comparisons of methods found, from the CSV files under results/."""

import itertools

import pandas as pd
from markdown_text import between, record, sentence, signed, table

TUTORIAL_METHODS = {"erm": "ERM", "walk": "GGA (walk)", "ascent": "GGA (ascent)"}
TUTORIAL_ENVIRONMENTS = {"env0": "emoji", "env1": "flat", "env2": "ink", "env3": "photo"}


def digits() -> str:
    """Accuracy of ERM, GGA and GGA_L on Digits."""
    cells = record("digits/digits.csv")
    cells = cells[cells["selection_method"] == "training-domain validation set"]
    head = ["", *(cells["environment"].unique())]
    rows = [
        [name, *(f"{mean:.1f} ± {error:.1f}" for mean, error in row[["mean", "standard_error"]].to_numpy())]
        for name, row in cells.groupby("algorithm", sort=False)
    ]
    return table([name.replace("Avg", "average") for name in head], rows)


def searches() -> str:
    """The comparison of searches: accuracy, similarity, seconds."""
    head = ["dataset", "dropout", "method", "accuracy", "over ERM", "sim before", "sim after", "accepted", "s"]
    rows = []
    for row in record("search/search.csv").itertuples():
        searched = row.gga_accepted == row.gga_accepted  # not NaN
        of_search = (f"{row.gga_sim_start:.4f}", f"{row.gga_sim_end:.4f}", f"{row.gga_accepted:.1f}")
        over_erm = f"{signed(row.over_erm)} ± {row.over_erm_error:.1f}" if row.method != "ERM" else ""
        accuracy = f"{row.accuracy:.1f} ± {row.error:.1f}"
        numbers = [*(of_search if searched else ("", "", "")), f"{row.seconds:.1f}"]
        rows.append([row.dataset, f"{row.dropout:g}", row.method, accuracy, over_erm, *numbers])
    return table(head, rows)


def similarity_gained() -> str:
    """What each way of searching gains, without dropout, with new masks, with the same masks."""
    gains = record("search/search.csv").dropna(subset="gga_sim_end")
    gains = gains.assign(gained=gains["gga_sim_end"] - gains["gga_sim_start"])
    fixed = gains["method"].str.endswith("fixed masks")
    kinds = {
        "no dropout": gains[gains["dropout"] == 0],
        "dropout, new masks for every candidate": gains[(gains["dropout"] > 0) & ~fixed],
        "dropout, the same masks for all": gains[fixed],
    }
    names = ("walk", "best", "ascent")
    rows = [
        [kind, *(between(of_kind.loc[of_kind["method"].str.contains(name), "gained"]) for name in names)]
        for kind, of_kind in kinds.items()
    ]
    return table(["similarity gained by a search", *names], rows)


def tutorial_settings() -> str:
    """Validation accuracy of the settings that the tutorial chose from."""
    tried = record("tutorial/settings.csv")
    methods = tried["setting"].str.split("_").str[0]
    tried = tried.iloc[methods.map(list(TUTORIAL_METHODS).index).argsort(kind="stable")]
    rows = [[setting_text(row.setting), f"{row.validation:.1f}"] for row in tried.itertuples()]
    counts = methods.value_counts()
    listed = ", ".join(f"{counts[name]} of {shown}" for name, shown in TUTORIAL_METHODS.items())
    return table(["setting", "validation accuracy"], rows) + "\n" + sentence(f"{len(tried)} settings: {listed}.")


def tutorial_accuracies() -> str:
    """Accuracy of ERM and GGA on each style held out."""
    cells = record("tutorial/accuracies.csv")
    rows = [
        [tutorial_method(name), *(f"{cell.mean:.1f} ± {cell.high - cell.mean:.1f}" for cell in of_setting.itertuples())]
        for name, of_setting in cells.groupby("setting", sort=False)
    ]
    return table(["", *(TUTORIAL_ENVIRONMENTS.get(name, name) for name in cells["environment"].unique())], rows)


def tutorial_differences() -> str:
    """GGA less ERM over pairs of runs, and what follows from the interval."""
    runs = record("tutorial/runs.csv").groupby("setting", sort=False)
    differences = record("tutorial/differences.csv")
    rows, verdicts = [], []
    for row in differences.itertuples():
        name, of_pairs = tutorial_method(row.setting), f"{row.low:+.1f} to {row.high:+.1f}"
        of_environments = f"{row.environments_low:+.1f} to {row.environments_high:+.1f}"
        similarity = [f"{runs.get_group(row.setting)[column].mean():+.3f}" for column in ("sim_start", "sim_end")]
        rows.append([name, signed(row.mean), of_environments, of_pairs, str(row.n), str(row.better), *similarity])
        low, high = min(row.low, row.environments_low), max(row.high, row.environments_high)
        verdicts.append(f"{name}: {verdict(low, high)}")
    head = ["", "over ERM", "95 %, environments", "95 %, pairs", "pairs", "better in", "sim before", "sim after"]
    return table(head, rows) + "\n" + sentence("; ".join(verdicts) + ".")


def setting_text(setting: str) -> str:
    """erm_1e-4 or walk_10-15_1e-5 in words."""
    if setting.startswith("erm_"):
        return f"ERM, learning rate {setting.removeprefix('erm_')}"
    _, window, rho = setting.split("_")
    return f"{tutorial_method(setting)}, steps {window.replace('-', ' to ')}, ρ {rho}"


def tutorial_method(setting: str) -> str:
    return TUTORIAL_METHODS[setting.split("_")[0]]


def verdict(low: float, high: float) -> str:
    """What the wider end of both 95 % intervals of differences says."""
    if low > 0:
        return "better than ERM"
    return "worse than ERM" if high < 0 else "no difference shown, an interval holds 0"


def study_settings() -> str:
    """What each method chose on each dataset, of how many settings."""
    tried = record("study/settings.csv")
    chosen = tried.groupby(["method", "dataset"], sort=False)["setting"].agg(["first", "size"]).reset_index()
    rows = [
        [method, *(chosen_text(method, name) for name in of_method["first"]), str(of_method["size"].iloc[0])]
        for method, of_method in chosen.groupby("method", sort=False)
    ]
    total = f"{len(tried)} settings in all, each tried on every environment held out in trial 0."
    return table(["", *tried["dataset"].unique(), "tried, of each"], rows) + "\n" + sentence(total)


def study_accuracies() -> str:
    """Mean accuracy over the environments of each dataset, with its standard error over trials."""
    runs = record("study/runs.csv")
    trials = runs.groupby(["method", "dataset", "trial"], sort=False)["test"].mean()
    cells = trials.groupby(level=["method", "dataset"], sort=False).agg(["mean", "sem"])
    rows = [
        [method, *(f"{cell.mean:.1f} ± {cell.sem:.1f}" for cell in of_method.itertuples(index=False))]
        for method, of_method in cells.groupby(level="method", sort=False)
    ]
    return table(["", *runs["dataset"].unique()], rows)


def study_over_erm() -> str:
    """Each method less ERM."""
    return differences_by_dataset("study/over_erm.csv")


def study_over_base() -> str:
    """Each method with GGA less the method alone."""
    return differences_by_dataset("study/over_base.csv")


def differences_by_dataset(name: str) -> str:
    """The difference on each dataset, and over all environments with interval and p."""
    differences = record(name)
    of_all = differences[differences["dataset"] == "all"]
    datasets = [dataset for dataset in differences["dataset"].unique() if dataset != "all"]
    cells = differences.set_index(["algorithm", "dataset"])["difference"]
    rows = [
        [
            *(row.algorithm, *(signed(cells[row.algorithm, dataset]) for dataset in datasets)),
            *(signed(row.difference), f"{row.low:+.1f} to {row.high:+.1f}", p_value(row.p), p_value(row.p_holm)),
        ]
        for row in of_all.itertuples()
    ]
    pairs = sentence(f"{of_all['pairs'].max()} pairs of runs on {of_all['environments'].max()} environments.")
    return table(["", *datasets, "all", "95 %, environments", "p", "p (Holm)"], rows) + "\n" + pairs


def p_value(p: float) -> str:
    return "-" if pd.isna(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def study_agreement() -> str:
    """Whether agreement goes with accuracy gained."""
    cells = record("study/agreement.csv").set_index(["measure", "same", "dataset"])
    datasets = cells.index.unique("dataset")
    shown = {"reached": "reached", "gained": "gained by the searches"}
    rows = []
    for measure, same in itertools.product(shown, cells.index.unique("same")):
        of_all = cells.loc[(measure, same, "all")]
        kind = "within a method" if "method" in same else "over all methods"
        correlations = (f"{cells.loc[(measure, same, dataset), 'correlation']:+.2f}" for dataset in datasets)
        rows.append([shown[measure], kind, *correlations, f"{of_all['low']:+.2f} to {of_all['high']:+.2f}"])
    runs = sentence(f"{cells['runs'].max()} runs.")
    return table(["agreement", "", *datasets, "95 % interval of all"], rows) + "\n" + runs


def study_swad() -> str:
    """How many SWAD runs averaged more than one segment."""
    runs = record("study/runs.csv").dropna(subset="swad_segments")
    of_dataset = runs["swad_segments"].gt(1).groupby(runs["dataset"], sort=False).agg(["sum", "size"])
    listed = ", ".join(f"{row.sum} of {row.size} on {row.Index}" for row in of_dataset.itertuples())
    return sentence(f"Runs in which SWAD averaged more than one segment: {listed}.")


def study_cost() -> str:
    """Training time in that of ERM, and the similarity before and after a search."""
    runs = record("study/runs.csv")
    erm = runs[runs["method"] == "ERM"].groupby("dataset")["seconds"].median()
    medians = runs.groupby(["method", "dataset"], sort=False)[["seconds", "sim_start", "sim_end"]].median()
    rows = []
    for method, of_method in medians.groupby(level="method", sort=False):
        cells = of_method.droplevel("method")
        texts = (f"{cells.loc[dataset, 'seconds'] / erm[dataset]:.1f}" for dataset in erm.index)
        sims = (similarities(cells.loc[dataset]) for dataset in erm.index)
        rows.append([method, *(f"{text}{sim}" for text, sim in zip(texts, sims, strict=True))])
    return table(["", *erm.index], rows)


def similarities(row: pd.Series) -> str:
    """Similarity before and after a search, of methods that search."""
    return "" if pd.isna(row["sim_end"]) else f"; {row['sim_start']:+.3f} to {row['sim_end']:+.3f}"


def chosen_text(method: str, setting: str) -> str:
    """The hyperparameters of "GGA lr=0.001 gga_rho=1e-05 ..." that the method chose, rather than took over."""
    hparams = dict(word.split("=") for word in setting.split(" ")[1:])
    if method.startswith("GGA ("):
        return f"{hparams['gga_start']} to {hparams['gga_end']}, ρ {float(hparams['gga_rho']):g}"
    if "GGA" in method and method != "GGA_L":
        return hparams["gga_proposal"]
    taken_over = {"lr"} if method != "ERM" else set()
    return ", ".join(f"{name} {float(value):g}" for name, value in hparams.items() if name not in taken_over)


WRITERS = (
    *(digits, searches, similarity_gained, tutorial_settings, tutorial_accuracies, tutorial_differences),
    *(study_settings, study_accuracies, study_over_erm, study_over_base, study_agreement, study_swad, study_cost),
)
