"""Launch a sweep: every algorithm on every dataset, test environment, draw of hyperparameters and trial."""

import argparse
import functools
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from domainbed.errors import InputError
from domainbed.files import check_directory
from domainbed.names import ALGORITHMS
from domainbed.names import DATASETS as ALL_DATASETS
from domainbed.scripts.console import exit_code
from domainbed.sweeping.jobs import Job, all_test_env_combinations, make_args_list, other_data_dirs
from domainbed.sweeping.launchers import Launcher, get_launcher, launcher_names, local_launcher, visible_devices

__all__ = ["DATASETS", "Job", "all_test_env_combinations", "ask_for_confirmation", "main", "make_args_list"]

DATASETS = [name for name in ALL_DATASETS if "Debug" not in name]
TASKS = ("domain_generalization", "domain_adaptation")
# Flags that are handed to scripts/train.py, and become part of a job's name, only when they are given.
PASSED_ON = (
    "checkpoint_freq", "exact_images", "fixed_hparams", "save_model_every_checkpoint", "skip_model_save",
    "uda_holdout_fraction",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0, or 1 if a job failed, 2 for bad input, 130 when interrupted.
    """
    try:
        return exit_code(_sweep, _parser().parse_args(argv))
    except KeyboardInterrupt:
        print("Interrupted. Launch again with --resume_incomplete to continue.", file=sys.stderr)
        return 130


def ask_for_confirmation() -> None:
    """Exit with code 0 unless the answer begins with y."""
    try:
        answer = input("Are you sure? (y/n) ")
    except EOFError:
        answer = ""
    if not answer.strip().lower().startswith("y"):
        print("Nevermind!")
        sys.exit(0)


def _sweep(args: argparse.Namespace) -> int:
    jobs = [Job(train_args, args.output_dir) for train_args in _args_list(args)]
    return _launch(args, jobs) if args.command == "launch" else _delete_incomplete(args, jobs)


def _launch(args: argparse.Namespace, jobs: list[Job]) -> int:
    launcher = _launcher(args)
    fresh = [job for job in jobs if job.state == Job.NOT_LAUNCHED]
    stopped = [job for job in jobs if job.state == Job.INCOMPLETE and not job.is_live()]
    chosen = fresh + stopped if args.resume_incomplete else fresh
    if chosen:
        _check(args, chosen)
    _print_jobs(jobs)
    for data_dir, count in other_data_dirs(fresh, args.output_dir).items():
        print(
            f"WARNING: {count} of these jobs were run with --data_dir {data_dir}, which is part of a job's name; "
            "give the same to find them again.",
            file=sys.stderr,
        )
    print(f"About to launch {len(chosen)} jobs.")
    if not args.skip_confirmation:
        ask_for_confirmation()
    # A job that another launch took over in the meantime is in good hands.
    failed = [
        (job, code) for job, code in Job.launch(chosen, launcher, args.seed) if not (job.is_done() or job.is_live())
    ]
    for job, code in failed:
        print(f"Failed with exit code {code}: {job.output_dir}{_last_error(job)}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {len(chosen)} jobs failed.", file=sys.stderr)
    return 1 if failed else 0


def _delete_incomplete(args: argparse.Namespace, jobs: list[Job]) -> int:
    _print_jobs(jobs)
    incomplete = [job for job in jobs if job.state == Job.INCOMPLETE]
    stopped = [job for job in incomplete if not job.is_live()]
    print(f"About to delete {len(stopped)} jobs.")
    if not args.skip_confirmation:
        ask_for_confirmation()
    Job.delete(stopped)
    return 0


def _print_jobs(jobs: list[Job]) -> None:
    for job in jobs:
        print(job)
    states = Counter(job.state for job in jobs)
    counts = [states[state] for state in (Job.DONE, Job.INCOMPLETE, Job.NOT_LAUNCHED)]
    print("{} jobs: {} done, {} incomplete, {} not launched.".format(len(jobs), *counts))
    running = sum(job.is_live() for job in jobs if job.state == Job.INCOMPLETE)
    if running:
        print(f"{running} of the incomplete jobs are running; they are left alone.")


def _last_error(job: Job) -> str:
    path = Path(job.output_dir) / "err.txt"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return f": {lines[-1]}" if lines else ""


def _args_list(args: argparse.Namespace) -> list[dict[str, Any]]:
    if args.n_trials < 1 or args.n_hparams <= args.n_hparams_from:
        raise InputError(
            "no jobs: --n_trials must be at least 1, and --n_hparams, the end of the range, above its start"
        )
    algorithms = args.algorithms
    if args.combine:
        algorithms = [f"{base}_{combinator}" for base in algorithms for combinator in args.combine]
    return make_args_list(
        n_trials=args.n_trials,
        dataset_names=list(dict.fromkeys(args.datasets)),
        algorithms=list(dict.fromkeys(algorithms)),
        n_hparams_from=args.n_hparams_from,
        n_hparams=args.n_hparams,
        steps=args.steps,
        data_dir=args.data_dir,
        task=args.task,
        holdout_fraction=args.holdout_fraction,
        single_test_envs=args.single_test_envs,
        hparams=args.hparams,
        **{name: getattr(args, name) for name in PASSED_ON},
    )


def _launcher(args: argparse.Namespace) -> Launcher:
    """The launcher asked for, with --jobs and --device, which do not belong to a job's name."""
    launcher = get_launcher(args.command_launcher)
    if args.command_launcher == "multi_gpu":
        visible_devices()
    if args.jobs is not None:
        if args.command_launcher != "local" or args.jobs < 1:
            raise InputError(f"--jobs {args.jobs}: at least 1, and only with --command_launcher local")
        launcher = functools.partial(local_launcher, jobs=args.jobs)
    if args.device is None:
        return launcher
    device = f" --device {shlex.quote(args.device)}"
    return lambda commands: launcher([command + device for command in commands])


def _check(args: argparse.Namespace, jobs: list[Job]) -> None:
    from domainbed.sweeping import checks  # needs PyTorch, which listing and deleting do not

    check_directory(Path(args.output_dir))
    checks.check_jobs(jobs)
    checks.check_device(args.device)
    if args.command_launcher != "dummy":
        checks.check_data(jobs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m domainbed.scripts.sweep", description=__doc__)
    add = parser.add_argument
    add("command", choices=["launch", "delete_incomplete"], help="what to do with the jobs that the flags describe")
    add("--datasets", nargs="+", default=DATASETS, metavar="NAME", help="default: DomainBed's 16")
    add("--algorithms", nargs="+", default=ALGORITHMS, metavar="NAME", help="default: DomainBed's 34")
    add("--combine", nargs="+", metavar="NAME", help="wrap every algorithm: CORAL with GGA is CORAL_GGA")
    add("--task", default=TASKS[0], choices=TASKS, help=f"default: {TASKS[0]}")
    add("--n_hparams_from", type=int, default=0, help="first seed of the hyperparameters; 0 gives the defaults")
    add("--n_hparams", type=int, default=20, help="end of the range of these seeds, exclusive (default: 20)")
    add("--fixed_hparams", action="store_const", const=True, help="the same hyperparameters in every trial")
    add("--exact_images", action="store_const", const=True, help="as for domainbed.scripts.train")
    add("--n_trials", type=int, default=3, help="repetitions with other splits and seeds (default: 3)")
    add("--steps", type=int, help="of every run; default: the dataset's own number")
    add("--hparams", metavar="JSON", help="hyperparameters that override the drawn ones in every run")
    add("--holdout_fraction", type=float, default=0.2, help="of each environment, for evaluation (default: 0.2)")
    add("--uda_holdout_fraction", type=float, help="of the test environments, given unlabeled to domain_adaptation")
    add("--single_test_envs", action="store_true", help="no pairs of test environments")
    add("--checkpoint_freq", type=int, help="steps between evaluations; default: the dataset's own number")
    add("--skip_model_save", action="store_const", const=True, help="leave no model.pkl")
    add("--save_model_every_checkpoint", action="store_const", const=True, help="leave a model_step<N>.pkl each time")
    add("--data_dir", default="./data", help="where the datasets are; enters the jobs' names as written")
    add("--output_dir", default="./sweep_output", help="where the jobs' directories are")
    add("--command_launcher", default="local", help=f"one of {', '.join(launcher_names())} (default: local)")
    add(
        "--jobs",
        type=int,
        metavar="N",
        help="local processes at a time (default: 1); on a CPU, OMP_NUM_THREADS shares its cores",
    )
    add("--device", help="of the runs, such as cpu or cuda:1; default: a GPU where there is one")
    add("--resume_incomplete", action="store_true", help="launch the jobs that stopped half-way as well")
    add("--seed", type=int, default=0, help="of the order in which jobs are launched")
    add("--skip_confirmation", action="store_true", help="do not ask")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
