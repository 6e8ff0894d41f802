"""Draw how the agreement of the domains' gradients develops over training, from the models that a sweep saved.

    python sweeps/agreement.py --input_dir SWEEP --output PICTURE.png

At every model_step<N>.pkl the smallest cosine between the gradients of two training domains is measured, on the
same minibatches for every algorithm. Run the sweep with --save_model_every_checkpoint.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch.nn.functional as F

from domainbed.algorithms import get_algorithm_class
from domainbed.datasets import get_dataset_class
from domainbed.errors import InputError
from domainbed.reports.records import load_runs
from domainbed.running import checkpoints
from domainbed.running.loading import TrainingLoader, split_environments
from domainbed_gga.similarity import START, DomainGradients

MINIBATCHES = 8


def similarity(algorithm, minibatches):
    """The smallest cosine between two domains' gradients of the prediction loss."""
    loss = lambda domain: F.cross_entropy(algorithm.predict(minibatches[domain][0]), minibatches[domain][1])  # noqa: E731
    sizes = [len(y) for _, y in minibatches]
    return DomainGradients(loss, sizes, list(algorithm.parameters())).measure(START).sim


def measure(run_dir):
    """step -> similarity of a run's saved models, the mean over the minibatches."""
    saved = {int(path.stem.removeprefix("model_step")): path for path in run_dir.glob("model_step*.pkl")}
    curve, batches = {}, None
    for step in sorted(saved):
        model = checkpoints.load(saved[step])
        args, hparams = model["args"], model["model_hparams"]
        batches = batches or training_minibatches(args, hparams)
        algorithm = get_algorithm_class(args["algorithm"])(
            model["model_input_shape"], model["model_num_classes"], model["model_num_domains"], hparams
        )
        algorithm.load_state_dict(model["model_dict"])
        curve[step] = np.mean([similarity(algorithm, minibatches) for minibatches in batches])
    return curve


def training_minibatches(args, hparams):
    """The same few minibatches of the training domains, whatever the algorithm."""
    dataset = get_dataset_class(args["dataset"])(args["data_dir"], args["test_envs"], hparams)
    environments = split_environments(dataset.datasets, [], args["trial_seed"], args["holdout_fraction"])
    splits = {f"env{i}": e.training for i, e in enumerate(environments) if i not in args["test_envs"]}
    return list(TrainingLoader(splits, hparams["batch_size"], seed=0).batches(0, MINIBATCHES))


def draw(curves, window, output):
    """One line per algorithm, the mean over its runs with a band of one standard error; the search window shaded."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for algorithm, runs in sorted(curves.items()):
        steps = sorted(set.intersection(*(set(run) for run in runs)))
        values = np.array([[run[step] for step in steps] for run in runs])
        mean, error = values.mean(0), values.std(0) / len(values) ** 0.5
        axes.plot(steps, mean, marker=".", label=algorithm)
        axes.fill_between(steps, mean - error, mean + error, alpha=0.2)
    if window:
        axes.axvspan(*window, color="gray", alpha=0.15, label="search window")
    axes.set(xlabel="training step", ylabel="smallest cosine between domain gradients")
    axes.set_title("mean over the held-out environments, band: one standard error", fontsize="medium")
    axes.legend()
    figure.savefig(output, dpi=150)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input_dir", type=Path, required=True, help="a sweep's output_dir")
    parser.add_argument("--output", type=Path, required=True, help="the picture to write")
    parser.add_argument("--algorithms", nargs="+", default=["ERM", "GGA"], help="which to draw (default: ERM GGA)")
    options = parser.parse_args(argv)
    matplotlib.use("Agg")
    curves, window = defaultdict(list), None
    for run in load_runs(options.input_dir):
        first = run.records[0] if run.records else {"args": {"algorithm": None}}
        algorithm = first["args"]["algorithm"]
        if algorithm in options.algorithms:
            curves[algorithm].append(measure(run.path))
            if "GGA" in algorithm:
                window = first["hparams"]["gga_start"], first["hparams"]["gga_end"]
    if not any(curve for runs in curves.values() for curve in runs):
        raise InputError(f"no model_step*.pkl of {' or '.join(options.algorithms)} in {options.input_dir}")
    draw(curves, window, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
