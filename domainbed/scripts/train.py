"""Train one algorithm on one dataset with some environments held out."""

import argparse
import dataclasses
import functools
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from tqdm import tqdm

from domainbed import datasets
from domainbed.algorithms import algorithm_names, combinator_names
from domainbed.cpus import usable_cpus
from domainbed.datasets.image_cache import image_cache
from domainbed.errors import OUT_OF_MEMORY, InputError
from domainbed.files import is_done, make_directory
from domainbed.names import PRECISIONS, TASKS
from domainbed.networks.backbones import summary
from domainbed.reports.tables import print_row
from domainbed.running import checkpoints, failure, signals
from domainbed.running.arguments import Arguments
from domainbed.running.auto_lr import AutoLR
from domainbed.running.checks import (
    check_arguments,
    check_checkpoint_minutes,
    check_data,
    check_num_workers,
    check_output_dir,
    checked_device,
)
from domainbed.running.lock import check_free, exclusive_lock
from domainbed.running.log import tee
from domainbed.running.loggers import check_loggers, logger_names, make_loggers, tracked
from domainbed.running.machine_failure import machine_failure
from domainbed.running.rerun import setting_of
from domainbed.running.run import Diverged, Run
from domainbed.scripts.console import exit_code


def build_parser() -> argparse.ArgumentParser:
    """The flags of DomainBed's train script, and ours."""
    default = {field.name: field.default for field in dataclasses.fields(Arguments)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = functools.partial(_add, parser, default)
    add("data_dir", help="where the datasets are")
    add("dataset", help="a dataset's name (see --list), or ImageFolder:NAME for DATA_DIR/NAME/domain/class/image.*")
    add("algorithm", help="an algorithm's name (see --list), or one combined with another, such as CORAL_GGA")
    add("task", choices=TASKS, help="adaptation adds unlabeled test samples")
    add("hparams", help="JSON object that overrides hyperparameters, such as '{\"lr\": 0.001}'")
    parser.add_argument(
        "--hparams_from",
        metavar="RUN",
        help="take the hyperparameters of the run in this directory, under those of --hparams, and its other arguments"
        " as the defaults of the flags here",
    )
    add("hparams_seed", type=int, help="0: default hyperparameters; others: a random draw")
    parser.add_argument("--fixed_hparams", action="store_true", help="the same random draw for every --trial_seed")
    add("trial_seed", type=int, help="seeds the splits and the random hyperparameters")
    add("seed", type=int, help="seeds everything else")
    add("steps", type=int, help="number of updates (the dataset's own by default)")
    add("checkpoint_freq", type=int, help="updates between two evaluations (the dataset's own by default)")
    parser.add_argument("--test_envs", type=int, nargs="+", default=[0], help="indices of the held-out environments")
    add("output_dir", help="where results.jsonl, out.txt, err.txt, model.pkl and done go; an unfinished run continues")
    add("holdout_fraction", type=float, help="share of each environment kept for validation")
    add("uda_holdout_fraction", type=float, help="share of a test environment given to the algorithm without labels")
    parser.add_argument("--skip_model_save", action="store_true", help="write no model.pkl")
    parser.add_argument("--save_model_every_checkpoint", action="store_true", help="also write model_step<N>.pkl")
    parser.add_argument(
        "--combine", nargs="+", default=[], help="wrap the algorithm: --combine GGA names <algorithm>_GGA"
    )
    add("precision", choices=PRECISIONS, help="tf32 and bf16 are faster on GPUs that have them: docs/speed.md")
    parser.add_argument("--channels_last", action="store_true", help="store weights and feature maps channels last")
    parser.add_argument("--compile", action="store_true", help="run feature extractors through torch.compile")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: the GPU where there is one)")
    parser.add_argument("--num_workers", type=int, default=min(8, usable_cpus()), help="processes decoding images")
    parser.add_argument(
        "--checkpoint_minutes", type=float, default=10.0, help="most minutes of work that a killed run does again"
    )
    parser.add_argument(
        "--cache_dir", help="where decoded images are kept (default: in the user's cache; none: nowhere)"
    )
    parser.add_argument(
        "--exact_images", action="store_true", help="transform images one by one with PIL, slower, as the original does"
    )
    parser.add_argument(
        "--logger", nargs="+", default=[], metavar="NAME", help=f"trackers of the records: {', '.join(logger_names())}"
    )
    parser.add_argument("--list", action="store_true", help="list the algorithms and datasets, and exit")
    return parser


def parsed(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line; with --hparams_from, what it leaves open is as in that run."""
    args = parser.parse_args(argv)
    if args.hparams_from:
        try:
            setting = setting_of(args.hparams_from, args.hparams)
        except InputError as error:
            parser.exit(2, f"error: {error}\n")
        parser.set_defaults(**setting)
        args = parser.parse_args(argv)
        args.hparams = setting["hparams"]
    del args.hparams_from
    return args


def _add(parser: argparse.ArgumentParser, default: dict[str, Any], name: str, **options: Any) -> None:
    parser.add_argument(f"--{name}", default=default[name], **options)


def list_names() -> None:
    """Print what --algorithm, --combine and --dataset accept."""
    print("Algorithms:", *algorithm_names())
    print("Combinators (<algorithm>_<combinator>):", *combinator_names())
    print("Datasets:", *datasets.dataset_names(), "ImageFolder:NAME")


def print_header(run: Run | AutoLR) -> None:
    """The versions, arguments, hyperparameters and network that begin out.txt."""
    versions = {
        "Python": platform.python_version(),
        "PyTorch": torch.__version__,
        "Torchvision": version("torchvision"),
        "CUDA": torch.version.cuda,
        "CUDNN": torch.backends.cudnn.version(),
        "NumPy": np.__version__,
        "PIL": PIL.__version__,
    }
    sections = {
        "Environment": versions,
        "Args": sorted_items(run.arguments.record()),
        "HParams": sorted_items(run.hparams),
        "Model": summary(run.algorithm, run.hparams, run.dataset.input_shape),
        "Images": run.loader.description(),
    }
    for title, values in sections.items():
        if not values:
            continue
        print(f"{title}:")
        for name, value in values.items():
            print(f"\t{name}: {value}")


def sorted_items(values: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(values.items()))


def print_records(run: Run | AutoLR, loggers: Sequence[str] = ()) -> None:
    """Train, printing each record's metrics as a row, under a header wherever the metrics change."""
    progress = functools.partial(tqdm, desc=run.arguments.algorithm, unit="step", file=sys.__stderr__, disable=None)
    header: list[str] = []
    trackers = make_loggers(loggers, run.output_dir, run.arguments.record(), run.hparams)
    for record in tracked(run.records(progress), trackers):
        names = sorted(record.keys() - {"hparams", "args"})
        if names != header:
            print_row(names, colwidth=12)
            header = names
        print_row([record[name] for name in names], colwidth=12)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, 1 if training diverged or the machine failed, 2 for bad input, which leaves no trace, 75 if a GPU is
    out of memory, 130 when interrupted, or 143 when stopped by a signal, its state saved.
    """
    options = vars(parsed(build_parser(), argv))
    if options.pop("list"):
        list_names()
        return 0
    return trained(options)


def trained(options: dict[str, Any], run_class: type[Run] | type[AutoLR] = Run) -> int:
    """Train as a script does. Returns its exit code."""
    try:
        with signals.stop_signals():
            return exit_code(train, options, run_class)
    except signals.Stopped:
        print("Stopped by a signal. The same command continues.", file=sys.stderr)
        return signals.EXIT_CODE
    except torch.cuda.OutOfMemoryError as error:
        return machine_failed(error, Path(options["output_dir"]))
    except KeyboardInterrupt:
        print("Interrupted. The same command continues.", file=sys.stderr)
        return 130


def train(options: dict[str, Any], run_class: type[Run] | type[AutoLR] = Run) -> int:
    """Check everything, then run with stdout and stderr copied to output_dir; one that is done is left alone."""
    device = checked_device(options.pop("device"))
    num_workers, checkpoint_minutes = options.pop("num_workers"), options.pop("checkpoint_minutes")
    cache, loggers = image_cache(options.pop("cache_dir")), options.pop("logger")
    options["algorithm"] = "_".join([options["algorithm"], *options.pop("combine")])
    arguments = Arguments(**options)
    check_num_workers(num_workers)
    check_checkpoint_minutes(checkpoint_minutes)
    check_arguments(arguments)
    check_loggers(loggers)
    check_output_dir(arguments)
    output_dir = Path(arguments.output_dir)
    if report_if_done(output_dir):
        return 0
    check_free(output_dir)
    with failure.recorded(output_dir):
        check_data(arguments)
        run = run_class(arguments, arguments.all_hparams(), device, num_workers, checkpoint_minutes, cache)
    make_directory(output_dir)
    with exclusive_lock(output_dir):
        # Once more, because another process may have trained here until the directory was free.
        check_output_dir(arguments)
        if report_if_done(output_dir):
            return 0
        failure.forget(output_dir)
        with failure.recorded(output_dir), tee(output_dir):
            return print_run(run, loggers)


def report_if_done(output_dir: Path) -> bool:
    """Whether a run is done, which is printed."""
    if not is_done(output_dir):
        return False
    checkpoints.remove(output_dir)
    print(f"{output_dir} is done already")
    return True


def print_run(run: Run | AutoLR, loggers: Sequence[str] = ()) -> int:
    """Train and print everything. Returns the exit code."""
    print_header(run)
    try:
        print_records(run, loggers)
    except Diverged as error:
        print(f"error: {error}", file=sys.stderr)
        failure.record(run.output_dir, f"error: {error}")
        return 1
    except (OSError, MemoryError, RuntimeError) as error:
        return machine_failed(error, run.output_dir)
    return 0


def machine_failed(error: Exception, output_dir: Path) -> int:
    """Print and record the failure of a machine. Returns the exit code; any other error goes on."""
    line = machine_failure(error, output_dir)
    if line is None:
        raise error
    print(f"error: {line}", file=sys.stderr)
    failure.record(output_dir, f"error: {line}")
    return OUT_OF_MEMORY if isinstance(error, torch.cuda.OutOfMemoryError) else 1


if __name__ == "__main__":
    sys.exit(main())
