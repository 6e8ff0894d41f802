"""The documentation is executed: its Python runs, its commands parse, its links lead on, its package installs."""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy
import pytest
from builders import ours

from domainbed.algorithms import combinator_names
from domainbed.running.arguments import INCIDENTAL, Arguments
from domainbed.scripts.train import build_parser

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES += sorted(ROOT.glob("docs/*.md")) + sorted(ROOT.glob("results/**/README.md")) + [ROOT / "sweeps/README.md"]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OF_A_CHECKOUT = "domainbed_gga.install.into(globals())"  # belongs at the end of an original DomainBed's algorithms.py


def of_page(path: Path) -> str:
    return str(path.relative_to(ROOT))


def python_blocks(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    files = {body for _, body in NAMED.findall(text)}
    return [body for language, body in FENCED.findall(text) if language == "python" and body not in files]


def commands_of(page: Path) -> list[str]:
    """The shell commands of a page, in order: lines indented by four spaces, or fenced without a language."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    shell = re.compile(r"^```(?:sh|bash)?\n(.*?)^```$|^ {4}(\S.*?)$", re.DOTALL | re.MULTILINE)
    outside = re.sub(r"^```\w+\n.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return [line.strip() for fenced, indented in shell.findall(outside) for line in (fenced or indented).splitlines()]


def commands() -> list[str]:
    """The shell commands of all pages."""
    return list(dict.fromkeys(command for page in PAGES for command in commands_of(page)))


def python(*arguments: str, path: Path) -> str:
    """What a fresh interpreter prints that also sees the packages in `path`."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": str(path), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def example_package(tmp_path_factory) -> Path:
    """The package of docs/extending.md, installed beside nothing else."""
    source, target = tmp_path_factory.mktemp("my-domainbed"), tmp_path_factory.mktemp("installed")
    for name, body in NAMED.findall((ROOT / "docs/extending.md").read_text(encoding="utf-8")):
        (source / name).write_text(body, encoding="utf-8")
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    python("-m", "pip", "install", *offline, "--target", str(target), str(source), path=target)
    return target


def test_an_installed_package_brings_its_algorithm_its_combinator_and_its_dataset(example_package):
    listed = python("-m", "domainbed.scripts.train", "--list", path=example_package)
    lines = [set(line.split()) for line in listed.splitlines()]
    assert [name in line for name, line in zip(("WorstOfLate", "EMA", "Moons"), lines, strict=True)] == [True] * 3


def test_an_installed_package_s_launcher_sweeps_its_dataset_with_its_algorithm_wrapped(example_package, tmp_path):
    sweep = "launch --algorithms WorstOfLate_EMA --datasets Moons --single_test_envs --n_hparams 1 --n_trials 1"
    flags = ["--steps", "3", "--command_launcher", "nice", "--skip_confirmation", "--output_dir", str(tmp_path)]
    python("-m", "domainbed.scripts.sweep", *sweep.split(), *flags, path=example_package)
    assert len(list(tmp_path.glob("*/done"))) == 3


@pytest.mark.parametrize("page", [page for page in PAGES if python_blocks(page)], ids=of_page)
def test_its_python_runs(page, example_package):
    python("-c", "\n".join(python_blocks(page)), path=example_package)


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_its_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_its_commands_name_modules_and_flags_that_exist():
    """Parsed by the scripts' own parsers, which leave with SystemExit at what they don't know."""
    of_scripts = [shlex.split(line, comments=True) for line in commands() if line.startswith("python -m domainbed")]
    assert of_scripts
    for _, _, module, *arguments in of_scripts:
        script = importlib.import_module(module)
        parser = script.build_parser() if hasattr(script, "build_parser") else script._parser()
        parser.parse_args(arguments)


def test_its_commands_name_files_and_targets_that_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    words = [shlex.split(line, comments=True) for line in commands() if line.startswith(("make ", "python "))]
    assert {"make", "python"} <= {first for first, *_ in words}
    for first, second, *_ in words:
        assert second in targets if first == "make" else second in ("-m", "-c") or (ROOT / second).exists(), second


@pytest.fixture
def algorithm_table(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module("algorithm_table")


def test_the_table_of_algorithms_is_what_the_registry_says(algorithm_table):
    page = algorithm_table.PAGE.read_text(encoding="utf-8")
    assert algorithm_table.updated(page) == page, "run: python docs/algorithm_table.py"


def test_every_combinator_has_a_row(algorithm_table):
    assert algorithm_table.COMBINED.keys() == {name for name in combinator_names() if ours(name)}


# What the test adds to a command of the README so that it takes seconds and no network.
FASTER = {
    "pip": ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"],
    "domainbed.scripts.train": ["--steps", "2"],
    "domainbed.scripts.sweep": ["--steps", "1", "--algorithms", "GGA", "--n_trials", "1", "--skip_confirmation"],
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """The packages as a clone has them, with a fresh environment `env` inside that sees the installed libraries."""
    clone = tmp_path_factory.mktemp("clone")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone / name)
    for package in ("domainbed", "domainbed_gga"):
        shutil.copytree(ROOT / package, clone / package, ignore=shutil.ignore_patterns("__pycache__"))
    venv.create(clone / "env", with_pip=False, symlinks=True)
    (site,) = clone.glob("env/lib/python*/site-packages")
    (site / "libraries.pth").write_text(str(Path(numpy.__file__).parents[1]), encoding="utf-8")
    run_in(clone, clone, ["-m", "pip", "install", "-e", ".", *FASTER["pip"]])
    return clone


def run_in(clone: Path, directory: Path, arguments: list[str], **environment: str) -> str:
    """What the Python of the clone's environment prints when it is started in a directory."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONWARNINGS")}
    done = subprocess.run(
        [clone / "env/bin/python", *arguments],
        cwd=directory,
        env=inherited | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{shlex.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_commands_of_the_readme_run_in_their_order(clone):
    """All but those of make; what the demo runs is tested in test_demo.py."""
    printed = {}
    for line in commands_of(ROOT / "README.md"):
        program, *arguments = shlex.split(line, comments=True)
        if program == "make" or OF_A_CHECKOUT in line:
            continue
        assert program == "python"
        module = arguments[1] if arguments[0] == "-m" else ""
        printed[line] = run_in(clone, clone, [*arguments, *FASTER.get(module, [])])
    *_, tables, where = printed.values()
    assert re.search(r"^GGA( +\d+\.\d \+/- 0\.0){4} +\d+\.\d", tables, re.MULTILINE)
    assert where == f"{[str(clone / 'domainbed')]}\n"


def test_the_arguments_that_a_continued_run_may_change_are_named():
    """Those of no record, and those that records hold and a comparison passes over."""
    shorthand = {"help", "list", "hparams_from", "combine"}  # for others, or for no run
    unrecorded = {action.dest for action in build_parser()._actions} - set(vars(Arguments())) - shorthand
    for page, end, expected in (
        ("guarantees.md", "Other\narguments may not", unrecorded | INCIDENTAL),
        ("differences.md", "are ours, and are not recorded", unrecorded),
    ):
        paragraph = (ROOT / "docs" / page).read_text(encoding="utf-8").partition(end)[0].rpartition("\n\n")[2]
        assert set(re.findall(r"`--(\w+)`", paragraph)) == expected, page


def test_no_two_documented_runs_share_an_output_dir():
    runs = [line for line in commands() if "domainbed.scripts.train " in line]
    directories = [found.group(1) for line in runs if (found := re.search(r"--output_dir (\S+)", line))]
    assert len(directories) > 2
    assert len(set(directories)) == len(directories)


def test_which_domainbed_python_takes(clone, tmp_path):
    """As the README says, of the clone installed with -e and a checkout that is not installed."""
    scripts = tmp_path / "domainbed" / "scripts"
    scripts.mkdir(parents=True)
    ask = "import domainbed; print(domainbed.__path__[0])"
    for file, text in {
        scripts.parent / "__init__.py": "",
        scripts / "__init__.py": "",
        scripts / "who.py": ask,
    }.items():
        file.write_text(text, encoding="utf-8")
    ours, theirs = f"{clone / 'domainbed'}\n", f"{scripts.parent}\n"
    elsewhere = tmp_path.parent
    assert run_in(clone, tmp_path, ["-c", ask]) == theirs
    assert run_in(clone, tmp_path, ["-m", "domainbed.scripts.who"]) == theirs
    assert run_in(clone, elsewhere, ["-c", ask], PYTHONPATH=str(tmp_path)) == theirs
    assert run_in(clone, tmp_path, ["domainbed/scripts/who.py"]) == ours
    assert run_in(clone, elsewhere, ["-c", ask]) == ours
