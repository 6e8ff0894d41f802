"""Whether two runs are equal to the last bit, and one that is killed and continued too, on this machine's device.

    python benchmarks/exact.py FOLDER [--network resnet50] [--csv FILE]

GGA on a folder of JPEG files, with BatchNorm and dropout, by the train script, in float32 and with each of its flags:
once whole, once more, and once killed (SIGKILL) after its second record, then continued.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from csv_record import add_csv_flag, write_csv
from resnet_run import add_resnet_flags, train_flags

from domainbed.running import checkpoints

ROOT = Path(__file__).parents[1]
FLAGS: dict[str, list[str]] = {
    "float32": [],
    "tf32": ["--precision", "tf32"],
    "bf16": ["--precision", "bf16"],
    "channels_last": ["--channels_last"],
    "compile": ["--compile"],
}
STEPS = 9


def command(args: argparse.Namespace, flags: list[str], output: Path) -> list[str]:
    search = {"gga_start": 2, "gga_end": 7, "gga_search_steps": 3, "gga_rho": 1e-3}
    words = [sys.executable, "-m", "domainbed.scripts.train", "--algorithm", "GGA", *flags]
    return words + train_flags(args, output, STEPS, checkpoint_freq=3, **search)


def start(words: list[str]) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)


def train(words: list[str]) -> None:
    if start(words).wait() != 0:
        raise RuntimeError("training failed")


def train_killed_once(words: list[str], records: Path) -> None:
    process = start(words)
    while process.poll() is None and (not records.exists() or len(records.read_bytes().splitlines()) < 2):
        time.sleep(0.01)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    train(words)


def result(output: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The records without what depends on time and place, and the weights."""
    records = [json.loads(line) for line in (output / "results.jsonl").read_text().splitlines()]
    for record in records:
        del record["args"], record["step_time"], record["mem_gb"]
    return records, checkpoints.load(output / "model.pkl")["model_dict"]


def equal(a: Path, b: Path) -> bool:
    (records, weights), (others, other_weights) = result(a), result(b)
    same_weights = weights.keys() == other_weights.keys() and all(
        bool((weights[name] == other_weights[name]).all()) for name in weights
    )
    return records == others and same_weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_resnet_flags(parser, batch_size=16)
    parser.add_argument("--only", nargs="+", choices=FLAGS, default=list(FLAGS), help="flags to try (default: all)")
    add_csv_flag(parser)
    args = parser.parse_args()
    rows = []
    for name in args.only:
        with tempfile.TemporaryDirectory() as temporary:
            once, again, killed = (Path(temporary) / kind for kind in ("once", "again", "killed"))
            train(command(args, FLAGS[name], once))
            train(command(args, FLAGS[name], again))
            train_killed_once(command(args, FLAGS[name], killed), killed / "results.jsonl")
            rows.append({"flags": name, "again": equal(once, again), "killed": equal(once, killed)})
        print(f"{name}: again {rows[-1]['again']}, killed and continued {rows[-1]['killed']}", flush=True)
        write_csv(args.csv, rows)  # each time, for whoever has no time for all of them


if __name__ == "__main__":
    main()
