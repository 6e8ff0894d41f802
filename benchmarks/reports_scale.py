"""CPU seconds and memory that the tables of synthetic sweeps take, by number of runs and of records.

    python benchmarks/reports_scale.py [--sizes 2000x3 50000x3 10000x100] [--directory /dev/shm]

Each size is RUNSxRECORDS of a run; the sweep is written to a temporary directory, collected by a process of its own,
and removed. Smaller sizes first, for the memory is the largest of any size so far. A record has four environments,
twenty arguments and fifteen hyperparameters, about 1.1 kB.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from csv_record import add_csv_flag, write_csv

ARGS = {
    "checkpoint_freq": None,
    "data_dir": "/data/domains",
    "holdout_fraction": 0.2,
    "hparams": None,
    "save_model_every_checkpoint": False,
    "skip_model_save": True,
    "steps": 5001,
    "task": "domain_generalization",
    "uda_holdout_fraction": 0,
    "output_dir": "sweep_output/0123456789abcdef0123456789abcdef",
    "dataset": "PACS",
}
HPARAMS = {f"hyperparameter_{index}": 0.1234567890123 * index for index in range(15)}
ENVIRONMENTS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["2000x3", "50000x3", "10000x100"], help="RUNSxRECORDS")
    parser.add_argument("--directory", help="where the sweeps are written (default: that for temporary files)")
    add_csv_flag(parser)
    args = parser.parse_args()
    rows = []
    for size in args.sizes:
        runs, records = map(int, size.split("x"))
        with tempfile.TemporaryDirectory(dir=args.directory) as directory:
            write_sweep(Path(directory), runs, records)
            seconds = collect(directory)
        gib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        rows.append({"runs": runs, "records": runs * records, "seconds": seconds, "at_most_gib": gib})
        print(f"{runs} runs, {runs * records} records: {seconds:.1f} s, at most {gib:.2f} GiB", flush=True)
    write_csv(args.csv, rows)


def collect(directory: str) -> float:
    """CPU seconds that collect_results takes, its start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "domainbed.scripts.collect_results", "--input_dir", directory, "--output", "-"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_sweep(directory: Path, runs: int, records: int) -> None:
    """Sweeps of every test environment, ten draws of hyperparameters, and as many trials as that takes."""
    for run in range(runs):
        place, trial_and_seed = run % ENVIRONMENTS, run // ENVIRONMENTS
        seeds = {"hparams_seed": trial_and_seed % 10, "trial_seed": trial_and_seed // 10 % 5, "seed": run}
        algorithm = f"Method{trial_and_seed // 50}"
        args = {**ARGS, **seeds, "algorithm": algorithm, "test_envs": [place]}
        path = directory / f"{run:032x}"
        path.mkdir()
        (path / "done").touch()
        with open(path / "results.jsonl", "w", encoding="utf-8") as file:
            for index in range(records):
                file.write(json.dumps(record(args, run, index), sort_keys=True) + "\n")


def record(args: dict, run: int, index: int) -> dict:
    """The accuracies are any numbers between 0 and 1."""
    accuracies = {
        f"env{env}_{split}_acc": (run * 31 + index * 17 + env * 7) % 997 / 997
        for env in range(ENVIRONMENTS)
        for split in ("in", "out")
    }
    others = {"step": index * 300, "epoch": index * 1.5, "loss": 1 / (index + 1), "mem_gb": 0.0, "step_time": 0.1}
    return {"args": args, "hparams": HPARAMS, **accuracies, **others}


if __name__ == "__main__":
    main()
