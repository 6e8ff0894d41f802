"""Published rows beside ours."""

import math

import pandas as pd
import pytest

from domainbed.reports.aggregation import Cell
from domainbed.reports.published import FOLDER, join, names, side_by_side

DATASETS = ["PACS", "VLCS", "OfficeHome", "TerraIncognita", "DomainNet"]


def cell(algorithm, dataset, mean, n_trials=3, environment="Avg"):
    return Cell("training-domain validation set", dataset, algorithm, environment, mean, 0.5, n_trials)


def rows(table):
    return {name: texts for name, *texts in table.texts.to_numpy().tolist()}


def test_what_is_published_by_the_paper():
    """Spot checks of both tables, and their sizes: 3 and 17 algorithms on five datasets."""
    assert names() == ["gga2025"]
    joined = join("gga2025", [])
    assert joined.groupby("table").size().to_dict() == {"table1": 15, "table2": 85}
    numbers = joined.set_index(["table", "algorithm", "dataset"])
    assert numbers.loc[("table1", "GGA_L", "TerraIncognita"), ["published", "published_error"]].tolist() == [49.8, 1.8]
    assert numbers.loc[("table2", "IRM", "TerraIncognita"), "published_change"] == -3.9
    assert joined.loc[joined["dataset"] == "DomainNet", "published_change"].isna().all()


def test_only_what_was_run_appears_as_ours():
    joined = join(
        "gga2025", [cell("ERM", "PACS", 80), cell("ERM", "VLCS", math.nan, 0), cell("ERM", "PACS", 1, 3, "A")]
    )
    ours = joined.dropna(subset="ours")
    assert ours[["algorithm", "dataset", "ours", "n_trials"]].to_numpy().tolist() == [["ERM", "PACS", 80, 3]]
    assert ours["difference"].tolist() == pytest.approx([80 - 85.5])
    first, second = map(rows, side_by_side(joined))
    assert first["ERM, ours"] == ["80.0 +/- 0.5", "", "", "", "", ""]
    assert first["ours - published"] == ["-5.5", "", "", "", "", ""]
    assert list(first) == ["ERM", "ERM, ours", "ours - published", "GGA", "GGA_L"]
    assert not any("ours" in name for name in second)


def test_the_change_when_gga_is_added_stands_beside_the_published_one():
    """CORAL on PACS: 86.2 and +0.7; ours 84 and 85.5, that is +1.5: differences -2.2 and +0.8."""
    joined = join("gga2025", [cell("CORAL", "PACS", 84), cell("CORAL_GGA", "PACS", 85.5), cell("CORAL", "VLCS", 78.8)])
    table = rows(side_by_side(joined)[1])
    assert table["CORAL"][0] == "86.2 +/- 0.3 (+0.7)"
    assert table["CORAL"][4] == "41.5 +/- 0.1"
    assert table["CORAL, ours"] == ["84.0 +/- 0.5 (+1.5)", "78.8 +/- 0.5", "", "", "", ""]
    assert table["ours - published"] == ["-2.2 (+0.8)", "0.0", "", "", "", ""]


def test_a_combination_without_its_base_is_no_row_of_ours():
    assert join("gga2025", [cell("CORAL_GGA", "PACS", 85.5)])["ours"].isna().all()


def test_averages_are_of_the_entries():
    """SagNet's changes -1.0, 0.9, 0.3 and 0.7 average to 0.225, not to the 0.4 that the paper prints."""
    table = rows(side_by_side(join("gga2025", []))[1])
    assert table["SagNet"][-1] == "64.2 (+0.2)"


def test_an_average_of_ours_needs_every_dataset():
    cells = [cell("ERM", dataset, 60 + index) for index, dataset in enumerate(DATASETS)]
    assert rows(side_by_side(join("gga2025", cells))[0])["ERM, ours"][-1] == "62.0"
    assert rows(side_by_side(join("gga2025", cells[:-1]))[0])["ERM, ours"][-1] == ""


def test_gga_under_its_long_name_is_gga():
    joined = join("gga2025", [cell("ERM_GGA", "PACS", 86)]).dropna(subset="ours")
    assert joined["algorithm"].tolist() == ["GGA"]


def test_there_is_one_copy_with_its_source():
    assert "arXiv:2502.20162" in (FOLDER / "README.md").read_text(encoding="utf-8")
    table = pd.read_csv(FOLDER / "gga2025" / "table1.csv")
    assert list(table.columns) == ["algorithm", "dataset", "mean", "stderr"]
