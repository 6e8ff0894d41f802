"""Launch a sweep: every algorithm on every dataset, test environment, draw of hyperparameters and trial; or what is
left of it. Show how far it is. Delete what is not done.
"""

import argparse
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from domainbed.errors import InputError
from domainbed.files import check_directory
from domainbed.names import ALGORITHMS, LEAVE_ONE_OUT, PRECISIONS, SELECTIONS, TASKS
from domainbed.names import DATASETS as ALL_DATASETS
from domainbed.scripts import sweep_file
from domainbed.scripts.console import exit_code
from domainbed.sweeping.jobs import Job, all_test_env_combinations, make_args_list, other_data_dirs
from domainbed.sweeping.launchers.flags import add_launcher_flags, chosen_launcher
from domainbed.sweeping.leftover import Left, what_is_left

__all__ = ["DATASETS", "Job", "all_test_env_combinations", "ask_for_confirmation", "main", "make_args_list"]

DATASETS = [name for name in ALL_DATASETS if "Debug" not in name]
# Flags that are handed to scripts/train.py, and become part of a job's name, only when they are given.
PASSED_ON = (
    "checkpoint_freq", "fixed_hparams", "save_model_every_checkpoint", "skip_model_save", "uda_holdout_fraction",
    "precision", "channels_last", "compile", "exact_images",
)  # fmt: skip


STOPPED = (130, 143)
"""Exit codes of runs that were interrupted or ended by a signal; those of killed ones are negative."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0, or 1 if a job failed, 2 for bad input, 130 when interrupted.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        return exit_code(_sweep, argv)
    except KeyboardInterrupt:
        print("Interrupted. The same command continues.", file=sys.stderr)
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


def _sweep(argv: list[str]) -> int:
    args = _parser().parse_args(argv)
    if args.command == "status":
        from domainbed.scripts.sweep_status import show_status

        if args.watch is not None and args.watch <= 0:
            raise InputError(f"--watch must be a number of seconds above 0, not {args.watch}")
        return show_status(Path(args.output_dir), args.json, args.watch)
    requests = sweep_file.requests(_parser(), argv, args.from_file) if args.from_file else [args]
    lists = [(request.output_dir, _args_list(request)) for request in requests]
    listed = [Job(train_args, output_dir) for output_dir, args_list in lists for train_args in args_list]
    jobs = list({job.output_dir: job for job in listed}.values())
    return _launch(args, jobs, requests) if args.command == "launch" else _delete_incomplete(args, jobs)


def _launch(args: argparse.Namespace, jobs: list[Job], requests: list[argparse.Namespace]) -> int:
    launcher = chosen_launcher(args)
    left = what_is_left(jobs)
    chosen = left.chosen(resume=_resumes(args), retry=args.retry_failed)
    if args.dry_run:
        return _dry_run(args, jobs, left, chosen)
    if chosen:
        _check(args, chosen)
    _print_jobs(jobs, left)
    for data_dir, count in other_data_dirs(left.fresh).items():
        print(
            f"WARNING: {count} of these jobs were run with --data_dir {data_dir}, which is part of a job's name; "
            "give the same to find them again.",
            file=sys.stderr,
        )
    print(f"About to launch {len(chosen)} jobs.")
    if not args.skip_confirmation:
        ask_for_confirmation()
    if chosen:
        _record(requests)
    # A job that another launch took over in the meantime is in good hands.
    failed = [
        (job, code) for job, code in Job.launch(chosen, launcher, args.seed) if not (job.is_done() or job.is_live())
    ]
    stopped = [(job, code) for job, code in failed if code in STOPPED or code < 0]
    for job, code in failed:
        how = (
            f"Stopped with exit code {code}: {job.output_dir}"
            if (job, code) in stopped
            else (f"Failed with exit code {code}: {job.output_dir}{_last_error(job)}")
        )
        print(how, file=sys.stderr)
    if len(failed) > len(stopped):
        print(f"{len(failed) - len(stopped)} of {len(chosen)} jobs failed.", file=sys.stderr)
    if stopped:
        print(f"{len(stopped)} of {len(chosen)} jobs were stopped; the same command continues them.", file=sys.stderr)
    return 1 if failed else 0


def _resumes(args: argparse.Namespace) -> bool:
    """Whether jobs that stopped are launched again: those of dummy, which runs nothing, only when that is asked for."""
    return args.resume_incomplete or not (args.only_new or args.command_launcher == "dummy")


def _dry_run(args: argparse.Namespace, jobs: list[Job], left: Left, chosen: list[Job]) -> int:
    from domainbed.scripts.sweep_status import print_projection
    from domainbed.sweeping.checks import check_jobs

    check_jobs(chosen)
    _print_jobs(jobs, left)
    print_projection(chosen)
    return 0


def _record(requests: list[argparse.Namespace]) -> None:
    from domainbed.sweeping.grids import grid_of, record_launch

    for output_dir in dict.fromkeys(request.output_dir for request in requests):
        grids = [grid_of(_list_arguments(request)) for request in requests if request.output_dir == output_dir]
        record_launch(Path(output_dir), grids)


def _delete_incomplete(args: argparse.Namespace, jobs: list[Job]) -> int:
    left = what_is_left(jobs)
    _print_jobs(jobs, left)
    stopped = left.stopped + left.failed
    print(f"About to delete {len(stopped)} jobs.")
    if not args.skip_confirmation:
        ask_for_confirmation()
    Job.delete(stopped)
    return 0


def _print_jobs(jobs: list[Job], left: Left) -> None:
    for job in jobs:
        print(job)
    states = Counter(job.state for job in jobs)
    counts = [states[state] for state in (Job.DONE, Job.INCOMPLETE, Job.NOT_LAUNCHED)]
    print("{} jobs: {} done, {} incomplete, {} not launched.".format(len(jobs), *counts))
    if left.live:
        print(f"{len(left.live)} of the incomplete jobs are running; they are left alone.")
    if left.failed:
        print(f"{len(left.failed)} of the incomplete jobs failed; launch --retry_failed tries them again:")
    for job in left.failed:
        print(f"  {job.output_dir}{_last_error(job)}")


def _last_error(job: Job) -> str:
    """ ": " and the line with which the job failed, or else the last that it printed on stderr."""
    path = Path(job.output_dir) / "err.txt"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    line = job.last_error() or (lines[-1] if lines else "")
    return f": {line}" if line else ""


def _args_list(args: argparse.Namespace) -> list[dict[str, Any]]:
    return make_args_list(**_list_arguments(args))


def _list_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `make_args_list`."""
    if args.n_trials < 1 or args.n_hparams <= args.n_hparams_from:
        raise InputError(
            "no jobs: --n_trials must be at least 1, and --n_hparams, the end of the range, above its start"
        )
    algorithms = args.algorithms
    if args.combine:
        algorithms = [f"{base}_{combinator}" for base in algorithms for combinator in args.combine]
    return {
        "n_trials": args.n_trials,
        "dataset_names": list(dict.fromkeys(args.datasets)),
        "algorithms": list(dict.fromkeys(algorithms)),
        "n_hparams_from": args.n_hparams_from,
        "n_hparams": args.n_hparams,
        "steps": args.steps,
        "data_dir": args.data_dir,
        "task": args.task,
        "holdout_fraction": args.holdout_fraction,
        "single_test_envs": args.single_test_envs or _needs_no_pairs(args.selection),
        "hparams": args.hparams,
        **{name: getattr(args, name) for name in PASSED_ON},
    }


def _needs_no_pairs(selection: list[str] | None) -> bool:
    return selection is not None and LEAVE_ONE_OUT not in selection


def _check(args: argparse.Namespace, jobs: list[Job]) -> None:
    # They need PyTorch, which listing and deleting do not.
    from domainbed.running.checks import check_checkpoint_minutes, check_num_workers
    from domainbed.running.loggers import check_loggers
    from domainbed.sweeping import checks

    check_directory(Path(args.output_dir))
    checks.check_jobs(jobs)
    checks.check_device(args.device)
    check_loggers(args.logger or [])
    if args.num_workers is not None:
        check_num_workers(args.num_workers)
    if args.checkpoint_minutes is not None:
        check_checkpoint_minutes(args.checkpoint_minutes)
    if args.command_launcher != "dummy":
        checks.check_data(jobs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m domainbed.scripts.sweep", description=__doc__)
    add = parser.add_argument
    add(
        "command",
        choices=["launch", "status", "delete_incomplete"],
        help="status needs --output_dir alone, the others the flags that describe the jobs",
    )
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
    pairs = parser.add_mutually_exclusive_group().add_argument
    pairs("--single_test_envs", action="store_true", help="no pairs of test environments")
    pairs(
        "--selection",
        nargs="+",
        choices=SELECTIONS,
        help=f"only what these model selection methods need: pairs of test environments for {LEAVE_ONE_OUT} alone",
    )
    add(
        "--from",
        dest="from_file",
        metavar="FILE",
        help="a line of flags for each part of the sweep; those here go first",
    )
    add("--checkpoint_freq", type=int, help="steps between evaluations; default: the dataset's own number")
    add("--skip_model_save", action="store_const", const=True, help="leave no model.pkl")
    add("--save_model_every_checkpoint", action="store_const", const=True, help="leave a model_step<N>.pkl each time")
    add("--precision", choices=PRECISIONS, help="of updates and evaluations; default: float32")
    add("--channels_last", action="store_const", const=True, help="store weights and feature maps channels last")
    add("--compile", action="store_const", const=True, help="run feature extractors through torch.compile")
    add("--data_dir", default="./data", help="where the datasets are; enters the jobs' names as written")
    add("--output_dir", default="./sweep_output", help="where the jobs' directories are")
    add_launcher_flags(parser)
    left = parser.add_mutually_exclusive_group().add_argument
    left("--only_new", action="store_true", help="launch no job that was launched before")
    left("--resume_incomplete", action="store_true", help="launch those that stopped half-way as well: the default")
    add("--retry_failed", action="store_true", help="launch those that ended with an error as well")
    add(
        "--dry_run", action="store_true", help="print the jobs, and the hours they take by the step times in output_dir"
    )
    add("--json", action="store_true", help="status as a JSON object")
    add("--watch", type=float, metavar="SECONDS", help="show the status anew so often, until Ctrl-C")
    add("--seed", type=int, default=0, help="of the order in which jobs are launched")
    add("--skip_confirmation", action="store_true", help="do not ask")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
