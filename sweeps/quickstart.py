"""The main job on data that comes with the install: ERM, GGA and GGA_L on Digits, each environment held out once.

    python sweeps/quickstart.py --output_dir demo_output

Runs the commands below, each of which it prints. The search is shorter than the published one (250 candidates at
101 steps), so that all twelve runs take minutes.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys

HPARAMS = {"gga_start": 20, "gga_end": 60, "gga_search_steps": 20}


def commands(output_dir):
    """The sweep, its table, and its picture."""
    python = [sys.executable, "-m"]
    sweep = f"{output_dir}/sweep"
    return [
        [*python, "domainbed.scripts.sweep", "launch", "--datasets", "Digits", "--algorithms", "ERM", "GGA", "GGA_L"]
        + ["--single_test_envs", "--n_hparams", "1", "--n_trials", "1", "--steps", "401", "--checkpoint_freq", "40"]
        + ["--hparams", json.dumps(HPARAMS), "--data_dir", "data", "--output_dir", sweep, "--skip_model_save"]
        + ["--save_model_every_checkpoint", "--jobs", str(os.cpu_count()), "--skip_confirmation"],
        [*python, "domainbed.scripts.collect_results", "--input_dir", sweep, "--csv", f"{output_dir}/results.csv"],
        [sys.executable, "sweeps/agreement.py", "--input_dir", sweep, "--output", f"{output_dir}/similarity.png"],
    ]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", default="demo_output", help="where the sweep, table and picture go")
    options = parser.parse_args(argv)
    for command in commands(options.output_dir):
        print(f"\n$ {shlex.join(command)}", flush=True)
        subprocess.run(command, check=True)
    print(f"\nTable: {options.output_dir}/results.csv   Picture: {options.output_dir}/similarity.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
