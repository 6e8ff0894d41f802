"""Does GGA help a pretrained network on Styles? Settings by validation accuracy alone, then five trials.

    python sweeps/tutorial_study.py --output_dir sweep_output/tutorial

Chooses ERM's learning rate, which GGA then takes as well; for each proposal, ρ in the early window, then the window at
that ρ. Each setting is one sweep of trial 0 over the four test environments; the chosen ones continue to five trials.
An interrupted study continues. The runs are those of sweeps/tutorial.py.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import pandas as pd
import tutorial
from paired import sweep_runs, validation

TRIALS = 5
LEARNING_RATES = ("5e-5", "1e-4", "2e-4", "3e-4", "1e-3")
RHOS = ("1e-5", "1e-4")
EARLY, LATE = (10, 15), (40, 45)


def best(output_dir: Path, commands: dict[str, str]) -> str:
    """Run the sweeps and name the one with the best mean validation accuracy in trial 0."""
    for command in commands.values():
        tutorial.run(command, output_dir)
    return validation(first_trials(output_dir, list(commands)))["setting"].iloc[0]


def first_trials(output_dir: Path, names: list[str]) -> pd.DataFrame:
    runs = pd.concat(sweep_runs(output_dir / name) for name in names)
    return runs[runs["trial"] == 0]


def study(output_dir: Path) -> None:
    of_lr = {lr: f"erm_{lr}" for lr in LEARNING_RATES}
    tried = {name: tutorial.erm_sweep(name, lr, 1) for lr, name in of_lr.items()}
    erm = best(output_dir, tried)
    lr = erm.removeprefix("erm_")
    chosen = {erm: tutorial.erm_sweep(erm, lr, TRIALS)}
    for proposal in tutorial.PROPOSALS:
        settings = {name_of(proposal, EARLY, rho): (proposal, EARLY, rho) for rho in RHOS}
        _, _, rho = settings[best(output_dir, sweeps_of(settings, lr))]
        settings |= {name_of(proposal, LATE, rho): (proposal, LATE, rho)}
        tried |= sweeps_of(settings, lr)
        name = best(output_dir, sweeps_of(settings, lr))
        chosen[name] = tutorial.gga_sweep(name, lr, *settings[name], TRIALS)
    for command in chosen.values():
        tutorial.run(command, output_dir)
    of_settings = first_trials(output_dir, list(tried))
    validation(of_settings).to_csv(output_dir / "settings.csv", index=False, float_format="%.6g")
    sweeps = " ".join(f"OUT/{name}" for name in chosen)
    tutorial.run(f"python sweeps/paired.py --input_dirs {sweeps} --output_dir OUT", output_dir)


def name_of(proposal: str, window: tuple[int, int], rho: str) -> str:
    return f"{proposal}_{window[0]}-{window[1]}_{rho}"


def sweeps_of(settings: dict[str, tuple[str, tuple[int, int], str]], lr: str) -> dict[str, str]:
    return {name: tutorial.gga_sweep(name, lr, *setting, 1) for name, setting in settings.items()}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, default="sweep_output/tutorial", help="where images and runs go")
    output_dir = parser.parse_args(argv).output_dir
    tutorial.prepared(output_dir)
    try:
        study(output_dir)
    except subprocess.CalledProcessError as error:  # which has said why
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
