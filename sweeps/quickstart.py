"""The main job on data that comes with the install: ERM, GGA and GGA_L on Digits, each environment held out once.

    python sweeps/quickstart.py --output_dir demo_output

Runs the commands below. The search is shorter than the published one (250 candidates at each of 101 steps), so that
the twelve runs take minutes.
"""

import argparse
import os
import shlex
import subprocess
import sys

COMMANDS = """
python -m domainbed.scripts.sweep launch --datasets Digits --algorithms ERM GGA GGA_L --single_test_envs
    --n_hparams 1 --n_trials 1 --steps 401 --checkpoint_freq 40 --skip_model_save --save_model_every_checkpoint
    --hparams '{"gga_start": 20, "gga_end": 60, "gga_search_steps": 20}'
    --data_dir data --output_dir OUT/sweep --jobs CORES --skip_confirmation

python -m domainbed.scripts.collect_results --input_dir OUT/sweep --csv OUT/results.csv

python sweeps/agreement.py --input_dir OUT/sweep --output OUT/similarity.png
"""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", default="demo_output", help="where the sweep, table and picture go")
    output_dir = parser.parse_args(argv).output_dir
    # One thread a run: as fast with several runs at once, and the numbers don't depend on the number of cores.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    text = COMMANDS.replace("OUT", shlex.quote(output_dir)).replace("CORES", str(os.cpu_count()))
    for command in text.strip().split("\n\n"):
        print(f"\n$ {command}\n", flush=True)
        words = shlex.split(command)
        subprocess.run([sys.executable, *words[1:]], check=True, env=environment)
    print(f"\nTable: {output_dir}/results.csv   Picture: {output_dir}/similarity.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
