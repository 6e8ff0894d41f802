"""The documentation is executed: its Python runs, its commands parse, its links lead on, its package installs."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES += sorted(ROOT.glob("docs/*.md")) + sorted(ROOT.glob("results/*.md"))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OF_A_CHECKOUT = "domainbed_gga.install.into(globals())"  # belongs at the end of an original DomainBed's algorithms.py


def of_page(path: Path) -> str:
    return str(path.relative_to(ROOT))


def python_blocks(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    files = {body for _, body in NAMED.findall(text)}
    blocks = [body for language, body in FENCED.findall(text) if language == "python" and body not in files]
    return [block for block in blocks if OF_A_CHECKOUT not in block]


def commands() -> list[str]:
    """The shell commands of all pages: lines indented by four spaces, or fenced without a language."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        shell = [body for language, body in FENCED.findall(text) if language in ("", "sh", "bash")]
        indented = re.findall(r"^ {4}(\S.*)$", FENCED.sub("", text), re.MULTILINE)
        found += [line.strip() for line in [*"".join(shell).splitlines(), *indented]]
    return list(dict.fromkeys(found))


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
def own_package(tmp_path_factory) -> Path:
    """The package of docs/extending.md, installed beside nothing else."""
    source, target = tmp_path_factory.mktemp("my-domainbed"), tmp_path_factory.mktemp("installed")
    for name, body in NAMED.findall((ROOT / "docs/extending.md").read_text(encoding="utf-8")):
        (source / name).write_text(body, encoding="utf-8")
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    python("-m", "pip", "install", *offline, "--target", str(target), str(source), path=target)
    return target


def test_an_installed_package_brings_its_algorithm_its_combinator_and_its_dataset(own_package):
    listed = python("-m", "domainbed.scripts.train", "--list", path=own_package)
    lines = [set(line.split()) for line in listed.splitlines()]
    assert [name in line for name, line in zip(("WorstOfLate", "EMA", "Moons"), lines, strict=True)] == [True] * 3


def test_an_installed_package_s_launcher_sweeps_its_dataset_with_its_algorithm_wrapped(own_package, tmp_path):
    sweep = (
        "launch --algorithms WorstOfLate_EMA --datasets Moons --single_test_envs --n_hparams 1 --n_trials 1 --steps 3"
    )
    flags = ["--steps", "3", "--command_launcher", "nice", "--skip_confirmation", "--output_dir", str(tmp_path)]
    python("-m", "domainbed.scripts.sweep", *sweep.split(), *flags, path=own_package)
    assert len(list(tmp_path.glob("*/done"))) == 3


@pytest.mark.parametrize("page", [page for page in PAGES if python_blocks(page)], ids=of_page)
def test_its_python_runs(page, own_package):
    python("-c", "\n".join(python_blocks(page)), path=own_package)


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
        parser.parse_args([word for word in arguments if word != "..."])


def test_its_commands_name_files_and_targets_that_exist():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    words = [shlex.split(line, comments=True) for line in commands() if line.startswith(("make ", "python "))]
    assert {"make", "python"} <= {first for first, *_ in words}
    for first, second, *_ in words:
        assert second in targets if first == "make" else second == "-m" or (ROOT / second).exists(), second


def test_the_table_of_algorithms_is_what_the_registry_says(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    script = importlib.import_module("algorithm_table")
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.updated(page) == page, "run: python docs/algorithm_table.py"
