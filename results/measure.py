"""Measure anew what the documentation holds, the studies with pages of their own aside, and write it there.

    python results/measure.py [--only search gga_l ...]

On a machine with nothing else to do: most numbers are times. One thread each, about half an hour.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BENCHMARKS = (
    *("algorithms", "ascent", "flags", "folder_index", "gga_l", "loading", "masks", "precision", "reports_scale"),
    *("search", "sweep_scale", "train"),
)
COMMANDS = {name: [f"benchmarks/{name}.py", "--csv", f"results/benchmarks/{name}.csv"] for name in BENCHMARKS}
COMMANDS["search"] += ["--memory_csv", "results/benchmarks/memory.csv"]
COMMANDS["train_folder"] = ["benchmarks/train.py", "--per_class", "20", "--network", "resnet18", "--size", "64"]
COMMANDS["train_folder"] += ["--batch_size", "8", "--num_workers", "1", "--rounds", "3"]
COMMANDS["train_folder"] += ["--csv", "results/benchmarks/train_folder.csv"]
COMMANDS["figure1"] = ["docs/examples/figure1.py", "--csv", "results/benchmarks/figure1.csv"]
COMMANDS["figure1"] += ["--output", "docs/examples/figure1.png"]
COMMANDS["demo"] = ["sweeps/quickstart.py", "--output_dir", "demo_output"]
COMMANDS["demo_tables"] = ["sweeps/compare.py", "--input_dirs", "demo_output/walk", "demo_output/ascent"]
COMMANDS["demo_tables"] += ["--every_step", "demo_output/every_step", "--output_dir", "results/demo"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS), help="default: all")
    chosen = parser.parse_args().only
    for command in [*(COMMANDS[name] for name in chosen), ["docs/published_numbers.py"]]:
        print(f"\n$ python {' '.join(command)}", flush=True)
        subprocess.run([sys.executable, *command], check=True, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"})


if __name__ == "__main__":
    main()
