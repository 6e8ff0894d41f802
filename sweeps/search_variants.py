"""What each way of searching does to agreement, accuracy and time, on Digits and RotatedMNIST (5,000 digits).

    python sweeps/search_variants.py --output_dir sweep_output/search --csv results/search/search.csv --jobs 2

ERM, GGA with each proposal, and GGA_L; three trials; without dropout, and with half of the features dropped, where
the search compares either a new mask for every candidate or the same one for all. An interrupted run continues.
"""

import argparse
import itertools
import json
import statistics
import sys
from pathlib import Path

import pandas as pd
from pool import processes, train_all

from domainbed.cpus import usable_cpus
from domainbed.reports.records import load_records, training_seconds
from domainbed.reports.selection import IIDAccuracySelectionMethod

COMMON = {"batch_size": 32, "gga_start": 20, "gga_end": 29, "gga_search_steps": 40}
STEPS, CHECKPOINT_FREQ, TRIALS = 301, 100, 3
DATASETS = {
    "Digits": (range(4), {}),
    "RotatedMNIST": (range(6), {"mnist_source": "sample", "featurizer": "StridedCNN"}),
}
SEARCHES = {f"GGA ({proposal})": ("GGA", {"gga_proposal": proposal}) for proposal in ("walk", "best", "ascent")}
PLAIN = {"ERM": ("ERM", {}), **SEARCHES, "GGA_L": ("GGA_L", {})}
FIXED = {
    f"{name}, fixed masks": (base, hparams | {"gga_fixed_dropout": True}) for name, (base, hparams) in SEARCHES.items()
}
VARIANTS = {(0.0, name): variant for name, variant in PLAIN.items()}
VARIANTS |= {(0.5, name): variant for name, variant in (PLAIN | FIXED).items()}


def folder(output_dir, dataset, dropout, name):
    """Where the runs of one row of the table are."""
    safe = "".join(character if character.isalnum() else "_" for character in name)
    return Path(output_dir) / f"{dataset}-{dropout}-{safe}"


def jobs(output_dir):
    """The arguments of every run."""
    for (dataset, (test_envs, of_dataset)), ((dropout, name), (algorithm, of_method)) in itertools.product(
        DATASETS.items(), VARIANTS.items()
    ):
        hparams = json.dumps(COMMON | of_dataset | of_method | {"cnn_dropout": dropout})
        for test_env, trial in itertools.product(test_envs, range(TRIALS)):
            where = folder(output_dir, dataset, dropout, name) / f"{test_env}-{trial}"
            yield [
                *("--algorithm", algorithm, "--dataset", dataset, "--hparams", hparams, "--test_envs", str(test_env)),
                *("--trial_seed", str(trial), "--seed", str(trial), "--steps", str(STEPS), "--skip_model_save"),
                *("--checkpoint_freq", str(CHECKPOINT_FREQ), "--output_dir", str(where), "--device", "cpu"),
            ]


def rows(output_dir, dataset):
    """The table's rows. In a trial every method has the same splits, first weights and minibatches, so differences
    from ERM are taken trial by trial."""
    for dropout, name in VARIANTS:
        records = load_records(folder(output_dir, dataset, dropout, name))
        accuracies = by_trial(records)
        if name == "ERM":
            erm = accuracies
        gained = [accuracy - of_erm for accuracy, of_erm in zip(accuracies, erm, strict=True)]
        yield {
            "dataset": dataset,
            "dropout": dropout,
            "method": name,
            "accuracy": statistics.mean(accuracies),
            "error": standard_error(accuracies),
            "over_erm": statistics.mean(gained),
            "over_erm_error": standard_error(gained),
            **searches(records),
            "seconds": statistics.median(records.group("args.output_dir").map(lambda _, run: training_seconds(run))),
        }


def by_trial(records):
    """Accuracy on the environment held out, in percent, the mean over environments: one number for each trial."""
    return [100 * accuracy for accuracy in records.group("args.trial_seed").map(lambda _, trial: trial_accuracy(trial))]


def standard_error(values):
    return statistics.stdev(values) / len(values) ** 0.5


def searches(records):
    """What the searches did, means over the window."""
    window = records.filter(lambda record: "gga_sim_start" in record)
    return {name: window.select(name).mean() for name in ("gga_sim_start", "gga_sim_end", "gga_accepted")}


def trial_accuracy(records):
    """The mean over held-out environments of the test accuracy where the training domains' validation is best."""
    by_env = records.group(lambda record: record["args"]["test_envs"][0])
    return by_env.map(lambda _, group: IIDAccuracySelectionMethod.run_acc(group)["test_acc"]).mean()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", default="sweep_output/search", help="where the runs go")
    parser.add_argument("--csv", default="results/search/search.csv", help="the table to write")
    parser.add_argument("--jobs", type=int, default=usable_cpus(), help="runs at a time")
    options = parser.parse_args(argv)
    todo = list(jobs(options.output_dir))
    with processes(options.jobs) as pool:
        if any(train_all(todo, pool)):
            return 1
    table = pd.DataFrame(row for dataset in DATASETS for row in rows(options.output_dir, dataset))
    Path(options.csv).parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.csv, index=False, float_format="%.6g")
    print(table.to_string(index=False, float_format="%.4g"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
