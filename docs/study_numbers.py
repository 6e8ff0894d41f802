"""What the comparisons of methods found, from the CSV files under results/."""

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


WRITERS = (digits, searches, similarity_gained, tutorial_settings, tutorial_accuracies, tutorial_differences)
