"""The report of a sweep: its numbers by hand, and the page as a browser shows it, without a network."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from handmade import make_record, write_run, write_sweep

from domainbed.names import ALGORITHMS
from domainbed.reports.frames import frame_of_runs
from domainbed.reports.page import charts, tables
from domainbed.reports.page import page as page_of
from domainbed.reports.records import in_training, load_runs
from domainbed.reports.selection import IIDAccuracySelectionMethod
from domainbed.scripts.report import main

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Path:
    """The sweep by hand, two runs of GGA with searches at steps 0 and 1, and one that stopped with an error."""
    directory = tmp_path_factory.mktemp("report") / "my sweep"
    write_sweep(directory)
    for trial_seed in (0, 1):
        records = [
            make_record(
                step,
                [(0.5, 0.5, True), (0.6, 0.6, False), (0.7, 0.7, False)],
                trial_seed=trial_seed,
                algorithm="GGA",
                hparams={"lr": 0.1 * (1 + trial_seed), "gga_start": 0, "gga_end": 1},
                gga_sim_start=-0.5 + 0.1 * trial_seed,
                gga_sim_end=0.5 + 0.1 * trial_seed,
                gga_accepted=2.0,
                gga_gradients=5.0,
            )
            for step in (0, 1)
        ]
        write_run(directory, f"gga-{trial_seed}", records)
    for path in directory.glob("*/results.jsonl"):
        path.write_text(path.read_text().replace('"step": 0}', '"step": 0, "step_time": 2.0}'))
        path.write_text(path.read_text().replace('"step": 1}', '"step": 1, "step_time": 3.0}'))
    stopped = write_run(directory, "stopped", [], done=False)
    (stopped / "err.txt").write_text("a warning\nerror: <script>alert(1)</script> is no hparam\n\n")
    return directory


@pytest.fixture(scope="module")
def runs(sweep):
    with pytest.warns(UserWarning, match="no records in stopped"):
        return load_runs(sweep)


@pytest.fixture(scope="module")
def page(sweep) -> Path:
    assert main(["--input_dir", str(sweep)]) == 0
    return sweep / "report.html"


def test_the_interval_is_that_of_students_t(runs):
    """ERM in environment 0: 0.6 and 0.8, so s = 0.1414 and, with one degree of freedom, 12.706 s / sqrt(2) = 1.2706."""
    frame = tables.accuracies(tables.selected_runs(frame_of_runs(runs), IIDAccuracySelectionMethod))
    row = frame[(frame["algorithm"] == "ERM") & (frame["environment"] == "0")].iloc[0]
    assert (row["mean"], row["trials"]) == (pytest.approx(70), 2)
    assert row["half_width"] == pytest.approx(127.06, abs=0.01)


def test_a_single_trial_has_no_interval(runs):
    frame = frame_of_runs(runs)
    first = frame[frame["trial_seed"] == 0].reset_index(drop=True)
    frame = tables.accuracies(tables.selected_runs(first, IIDAccuracySelectionMethod))
    assert frame["half_width"].isna().all()


def test_similarities_are_means_over_runs(runs):
    frame = tables.searches(frame_of_runs(runs))
    assert list(frame["step"]) == [0, 1]
    assert list(frame["runs"]) == [2, 2]
    assert frame["gga_sim_start"].to_list() == pytest.approx([-0.45, -0.45])
    assert frame["gga_sim_end"].to_list() == pytest.approx([0.55, 0.55])


def test_searches_since_the_record_before_lie_in_the_window_that_is_shaded(tmp_path):
    """Records every 300 steps, a window of 100 to 200: its searches are all in the record of step 300."""
    environments, window = [(0.5, 0.5, True), (0.5, 0.5, False)], {"gga_start": 100, "gga_end": 200}
    searched = dict.fromkeys(("gga_sim_start", "gga_sim_end", "gga_accepted", "gga_gradients"), 0.25)
    records = [
        make_record(step, environments, algorithm="GGA", hparams=window, **(searched if step == 300 else {}))
        for step in (0, 300, 600)
    ]
    write_run(tmp_path, "gga", records)
    (row,) = tables.searches(frame_of_runs(load_runs(tmp_path))).to_dict("records")
    assert (row["step"], row["gga_end"], row["last_step"]) == (200, 200, 600)


def write_averaged_run(sweep, name, done):
    """As SWAD leaves it: searches and accuracies 0.5, 0.6, 0.7 on the way, then a result of 0.9; or not yet."""
    searched = dict.fromkeys(("gga_sim_start", "gga_sim_end", "gga_accepted", "gga_gradients"), 0.25)
    common = {"algorithm": "GGA_SWAD", "hparams": {"gga_start": 0, "gga_end": 2}}
    records = [
        make_record(step, [(0.5 + step / 10, 0.5, True), (0.5, 0.5, False)], **common, **searched) for step in range(3)
    ]
    progress = write_run(sweep / name, "progress", records, done=False)
    if done:
        result = make_record(2, [(0.9, 0.9, True), (0.9, 0.9, False)], **common)
        write_run(sweep, name, [result])
    return progress


def test_a_run_that_reports_its_last_record_alone_has_curves_and_searches_of_its_training(tmp_path):
    """Its result is what the table shows, and no point of the curve."""
    write_averaged_run(tmp_path, "run", done=True)
    runs = load_runs(tmp_path)
    training = frame_of_runs([in_training(run) for run in runs])
    assert tables.curves(training)["test"].to_list() == pytest.approx([50, 60, 70])
    assert tables.searches(training)["step"].to_list() == [0, 1, 2]
    text = page_of(runs, "averaged")
    assert "GGA_SWAD: smallest cosine" in text
    assert "<td>90.0</td>" in text


def test_an_unfinished_run_that_reports_its_last_record_alone_shows_how_far_it_is(tmp_path, capsys):
    write_averaged_run(tmp_path, "run", done=False)
    assert main(["--input_dir", str(tmp_path)]) == 0
    assert "no records in run (its record comes at its end)" in capsys.readouterr().err
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    row = "".join(f"<td>{value}</td>" for value in ("run", "Debug28", "GGA_SWAD", 0, 0, 2, ""))
    assert row in re.sub(r">\s+<", "><", text)
    assert "GGA_SWAD: smallest cosine" in text


def test_an_average_needs_every_environment(runs):
    """GGA was run with environment 0 held out alone; ERM and IB_ERM with all three."""
    frame = frame_of_runs(runs)
    averages = tables.averages(tables.selected_runs(frame, IIDAccuracySelectionMethod), frame)
    assert averages["algorithm"].to_list() == ["ERM", "IB_ERM"]
    assert averages["accuracy"].to_list() == pytest.approx([75, 50])


def test_the_interval_of_an_average_is_that_of_the_averages_of_trials(runs, page):
    """ERM: 65 and 85 over environments in trials 0 and 1, so s = 14.14 and 12.706 s / sqrt(2) = 127.06."""
    frame = frame_of_runs(runs)
    averages = tables.averages(tables.selected_runs(frame, IIDAccuracySelectionMethod), frame)
    assert averages["half_width"].to_list() == pytest.approx([127.06, 0], abs=0.01)
    assert "<td>75.0 ± 127.1</td>" in page.read_text(encoding="utf-8")


def test_a_trial_that_lacks_an_environment_is_in_no_interval_of_averages(runs):
    frame = frame_of_runs(runs)
    chosen = tables.selected_runs(frame, IIDAccuracySelectionMethod)
    lacking = chosen[(chosen["trial"] == 0) | (chosen["environment"] != "2")]
    averages = tables.averages(lacking, frame)
    assert averages["algorithm"].to_list() == ["ERM", "IB_ERM"]
    assert averages["half_width"].isna().all()


def test_no_two_algorithms_have_curves_alike():
    """Seventeen and ERM, as Table 2 has them, on one environment."""
    names = ["ERM", *map(str, range(17))]
    rows = [{"algorithm": name, "step": step, "test": 50.0, "validation": 60.0} for name in names for step in (0, 1)]
    figure = charts.curve_chart(pd.DataFrame(rows), charts.styles(names))
    shown = [trace for trace in figure.data if trace.showlegend]
    assert len({(trace.line.color, trace.marker.symbol) for trace in shown}) == len(names)


def test_the_values_of_curves_are_a_table_too(page):
    text = re.sub(r">\s+<", "><", page.read_text(encoding="utf-8"))
    # ERM with environment 0 held out: steps 0 and 1, means over two trials
    for step, validation, test in ((0, 70.0, 50.0), (1, 70.0, 80.0)):
        values = ("Debug28", "ERM", 0, step, validation, test, 2)
        assert "".join(f"<td>{value}</td>" for value in values) in text


def test_an_algorithm_that_has_pairs_alone_is_drawn_all_the_same(tmp_path):
    environments = [(0.5, 0.5, True), (0.5, 0.5, True), (0.5, 0.5, False)]
    searched = {"gga_sim_start": 0.1, "gga_sim_end": 0.2, "gga_accepted": 1.0, "gga_gradients": 2.0}
    records = [make_record(0, environments, algorithm="GGA", hparams={"gga_start": 0, "gga_end": 1}, **searched)]
    write_run(tmp_path, "pair", records)
    text = page_of(load_runs(tmp_path), "pairs")
    assert "GGA: smallest cosine" in text


def test_only_hyperparameters_that_differ_are_listed(runs):
    chosen = tables.selected_runs(frame_of_runs(runs), IIDAccuracySelectionMethod)
    gga = tables.hparams_that_won(chosen[chosen["algorithm"] == "GGA"])
    assert gga["lr"].to_list() == [0.1, 0.2]
    assert "gga_end" not in gga


def test_a_run_that_stopped_is_listed_with_its_last_error(runs):
    (row,) = tables.unfinished(runs).to_dict("records")
    assert (row["directory"], row["last_error"]) == ("stopped", "error: <script>alert(1)</script> is no hparam")


def test_text_of_a_sweep_is_no_markup(page):
    text = page.read_text(encoding="utf-8")
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_figures_for_papers_are_pdfs(sweep, tmp_path, capsys):
    assert main(["--input_dir", str(sweep), "--output", str(tmp_path / "r.html"), "--pdf", str(tmp_path)]) == 0
    written = {Path(line) for line in capsys.readouterr().out.splitlines()}
    assert written == {tmp_path / name for name in ("r.html", "Debug28_accuracy.pdf", "Debug28_similarity.pdf")}
    assert all(path.read_bytes().startswith(b"%PDF") for path in written if path.suffix == ".pdf")


def test_a_directory_without_records_is_one_line(tmp_path, capsys):
    assert main(["--input_dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: no records under {tmp_path}; a sweep has them in <run>/results.jsonl\n"


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Opened:
    """The page in a browser window, with what it complained of and asked for."""

    def __init__(self, browser, page: Path, **options):
        self.complaints, self.requests = [], []
        self.window = browser.new_page(**options)
        self.window.on("console", lambda message: self.complaints.append(message.text))
        self.window.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.window.on("request", lambda request: self.requests.append(request.url))
        self.window.goto(page.as_uri())
        self.window.wait_for_function("document.querySelectorAll('.main-svg').length > 0")

    def evaluate(self, script: str):
        return self.window.evaluate(script)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_the_page_is_whole_without_a_network_and_fits(browser, page, width, scheme):
    opened = Opened(browser, page, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith(("data:", "blob:"))] == [page.as_uri()]
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    charts = "[...document.querySelectorAll('figure > div')]"
    # accuracy, three curves, one search, one of costs, each with its axes inside the window
    assert opened.evaluate(f"{charts}.length") == 6
    assert opened.evaluate(f"{charts}.every(d => d.querySelector('.xaxislayer-above text'))")
    assert opened.evaluate(f"{charts}.every(d => d.getBoundingClientRect().right <= {width})")
    assert contrast(opened, "document.body", "document.body") >= 4.5
    assert contrast(opened, "document.querySelector('.main-svg .xtick text')", "document.body", "fill") >= 4.5


def test_the_legend_of_many_algorithms_covers_no_axis(browser, tmp_path):
    for name in ALGORITHMS[:14]:
        write_run(tmp_path, name, [make_record(0, [(0.5, 0.5, True), (0.5, 0.5, False)], algorithm=name)])
    (tmp_path / "report.html").write_text(page_of(load_runs(tmp_path), "many"), encoding="utf-8")
    opened = Opened(browser, tmp_path / "report.html", viewport={"width": 390, "height": 900})
    title, legend = (f"d.querySelector('{part}').getBoundingClientRect()" for part in (".xtitle", ".legend"))
    below = f"d => {title}.bottom <= {legend}.top"
    assert opened.evaluate(f"[...document.querySelectorAll('figure > div')].every({below})")


def contrast(opened: Opened, text: str, ground: str, attribute: str = "color") -> float:
    """The contrast ratio of WCAG 2.1 between a text and what is behind it."""
    one = opened.evaluate(f"getComputedStyle({text}).{attribute}")
    other = opened.evaluate(f"getComputedStyle({ground}).backgroundColor")
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    channels = [int(value) / 255 for value in color.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_page_can_be_read_by_keyboard(browser, page):
    """Tab reaches every link of the navigation, opens what is folded, and scrolls what is wider than the window."""
    opened = Opened(browser, page, viewport={"width": 390, "height": 900})
    reached = []
    for _ in range(300):
        opened.window.keyboard.press("Tab")
        kind = opened.evaluate("document.activeElement.tagName + ' ' + document.activeElement.className")
        if kind.startswith("SUMMARY"):
            opened.window.keyboard.press("Enter")
        if kind.startswith("BODY"):
            break
        reached.append(kind.strip())
    assert reached.count("A") >= 6
    assert opened.evaluate("document.querySelectorAll('details:not([open])').length") == 0
    assert reached.count("DIV scroll") == opened.evaluate("document.querySelectorAll('.scroll').length")
    before = opened.evaluate("document.querySelector('.scroll').scrollLeft")
    opened.evaluate("document.querySelector('.scroll').focus()")
    opened.window.keyboard.press("ArrowRight")
    opened.window.wait_for_timeout(300)
    wider = opened.evaluate(
        "document.querySelector('.scroll').scrollWidth > document.querySelector('.scroll').clientWidth"
    )
    assert not wider or opened.evaluate("document.querySelector('.scroll').scrollLeft") > before


def test_plotly_is_asked_for_where_it_is_missing(sweep, tmp_path):
    """In an interpreter that cannot import plotly."""
    blocked = "import sys; sys.modules['plotly'] = None; from domainbed.scripts.report import main; "
    command = blocked + f"sys.exit(main(['--input_dir', {str(sweep)!r}, '--output', {str(tmp_path / 'r')!r}]))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert 'error: the report needs plotly: pip install "domainbed-gga[report]"' in done.stderr
