"""The files under sweeps/: their jobs pass every check that a launch makes before the data is looked for."""

import re
from pathlib import Path

import pytest

from domainbed.scripts import sweep, sweep_file
from domainbed.sweeping.checks import check_jobs
from domainbed.sweeping.jobs import Job

SWEEPS = Path(__file__).parents[2] / "sweeps"
FILES = sorted(SWEEPS.glob("*.txt"))


def jobs_of(path: Path) -> list[Job]:
    parts = sweep_file.requests(sweep._parser(), ["launch"], str(path))
    return [Job(args, part.output_dir) for part in parts for args in sweep._args_list(part)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_jobs_would_be_launched_and_are_as_many_as_its_page_says(path):
    jobs = jobs_of(path)
    check_jobs(jobs)
    (written,) = re.findall(rf"^\| \[{path.name}\].*\| (\d+) \|$", (SWEEPS / "README.md").read_text(), re.MULTILINE)
    assert len({job.output_dir for job in jobs}) == len(jobs) == int(written)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_directory_of_it_has_a_run_twice_for_the_tables(path):
    """Tables take runs that differ in other flags than these for one."""
    names = ("dataset", "algorithm", "test_envs", "trial_seed", "hparams_seed")
    runs = [(Path(job.output_dir).parent, *(str(job.train_args[name]) for name in names)) for job in jobs_of(path)]
    assert len(set(runs)) == len(runs)


def test_the_first_two_tables_hold_out_every_environment_three_times():
    """22 environments of the five datasets; three methods in the first, 36 in the second."""
    datasets = {"PACS", "VLCS", "OfficeHome", "TerraIncognita", "DomainNet"}
    for name, algorithms in (("table1", 3), ("table2", 36)):
        runs = {
            (args["dataset"], args["algorithm"], *args["test_envs"], args["trial_seed"])
            for args in (job.train_args for job in jobs_of(SWEEPS / f"{name}.txt"))
        }
        assert {dataset for dataset, *_ in runs} == datasets
        assert len(runs) == 22 * 3 * algorithms
