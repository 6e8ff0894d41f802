"""Every measured number of the documentation is what its CSV file under results/ has."""

import hashlib
import importlib
import re
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "docs/search.md", "docs/differences.md", "docs/algorithms.md", "docs/loading.md"]
PAGES += ["results/digits/README.md", "results/search/README.md"]
# Decimal numbers that pages may hold outside what is generated: settings, versions, and what follows from a formula
# (2D/3 at D = 5; the quantile of Student's t for three trials).
NO_MEASUREMENTS = {"0.1", "0.5", "1e-4", "1e-5", "1e-6", "3e-5", "2.4", "2.9", "3.10", "3.13", "3.3", "4.3"}
OF_NO_MEASUREMENT = re.compile(
    r"<!-- begin: .*?<!-- end -->|^```.*?^```$|`[^`]*`|arXiv:[\d.v]+|https?://\S+", re.DOTALL | re.MULTILINE
)


@pytest.fixture
def published_numbers(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module("published_numbers")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_its_numbers_are_those_of_the_records(page, published_numbers):
    assert published_numbers.BLOCK.search(text_of(page))
    assert published_numbers.updated(text_of(page)) == text_of(page), "run: python docs/published_numbers.py"


def test_every_written_block_stands_in_a_page(published_numbers):
    written = {name for page in PAGES for _, name, _ in published_numbers.BLOCK.findall(text_of(page))}
    assert written == published_numbers.WRITERS.keys()


@pytest.mark.parametrize("page", PAGES)
def test_no_measured_number_stands_outside_what_is_generated(page):
    prose = OF_NO_MEASUREMENT.sub("", text_of(page))
    assert set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?e-\d+|(?<![\w.])\d+\.\d+(?![\w.])", prose)) <= NO_MEASUREMENTS


def test_the_picture_is_drawn_from_its_tables():
    demo = ROOT / "results/demo"
    tables = b"".join((demo / f"{name}.csv").read_bytes() for name in ("accuracy", "searches"))
    assert Image.open(demo / "demo.png").text["Source"] == hashlib.md5(tables).hexdigest()


def test_what_is_concluded_from_digits():
    """GGA as good as ERM on average, above it on optdigits, below it on fonts; GGA_L no surer than two errors."""
    cells = pd.read_csv(ROOT / "results/digits/digits.csv")
    cells = cells[cells["selection_method"] == "training-domain validation set"].set_index(["algorithm", "environment"])
    over = {name: cells.loc[name, "mean"] - cells.loc["ERM", "mean"] for name in ("GGA", "GGA_L")}
    errors = {
        name: (cells.loc[name, "standard_error"] ** 2 + cells.loc["ERM", "standard_error"] ** 2) ** 0.5 for name in over
    }
    assert abs(over["GGA"]["Avg"]) < errors["GGA"]["Avg"]
    assert over["GGA"]["optdigits"] > 0 > over["GGA"]["fonts"]
    assert 0 < over["GGA_L"]["Avg"] < 2 * errors["GGA_L"]["Avg"]


def test_what_is_concluded_from_the_comparison_of_searches():
    """No search moves accuracy by much more than half a point; GGA_L is below ERM, and not surely."""
    table = pd.read_csv(ROOT / "results/search/search.csv")
    gga = table[table["method"].str.startswith("GGA (")]
    assert gga["over_erm"].abs().max() < 0.55
    sure = gga[gga["over_erm"].abs() > 2 * gga["over_erm_error"]]
    assert set(sure["dataset"]) == {"RotatedMNIST"}
    assert sorted(sure["method"]) == ["GGA (best)", "GGA (best), fixed masks"]
    assert (sure["over_erm"] < 0).all()
    gga_l = table[table["method"] == "GGA_L"]
    assert ((gga_l["over_erm"] < 0) & (gga_l["over_erm"] > -2 * gga_l["over_erm_error"])).all()
    gained = (gga["gga_sim_end"] - gga["gga_sim_start"])[gga["dropout"] == 0].groupby(gga["method"]).min()
    assert gained["GGA (ascent)"] > 50 * gained[["GGA (walk)", "GGA (best)"]].max()
