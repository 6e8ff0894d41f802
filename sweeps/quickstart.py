"""ERM, GGA and GGA_L on data that comes with the install: accuracy, what the searches did, and what they cost.

    python sweeps/quickstart.py --output_dir demo_output

Runs the commands below: the sweeps of quickstart.txt, which are Digits, each of its four environments held out in turn,
three trials, so 48 runs of seconds.
They are short (DomainBed's own have 5,001 steps), and so is the search: 10 candidates at each of 30 steps, where the
published one has 250 at each of 101. The walk (the published search) and the ascent (ours) get as many gradients. Two
runs more record every step, to show what each search did.
"""

import argparse
import os
import shlex
import subprocess
import sys

from domainbed.cpus import usable_cpus

HPARAMS = """'{{"batch_size": 32, "gga_start": 16, "gga_end": 45, {search}}}'"""
SWEEPS = """python -m domainbed.scripts.sweep launch --from sweeps/quickstart.txt
    --data_dir OUT/data --output_dir OUT --jobs CORES --skip_confirmation"""
EVERY_STEP = f"""python -m domainbed.scripts.train --dataset Digits --algorithm GGA --test_envs 0
    --steps 46 --checkpoint_freq 1 --skip_model_save --hparams {HPARAMS}
    --data_dir OUT/data --output_dir OUT/every_step/{{name}}"""
WALK = {"name": "walk", "search": '"gga_search_steps": 10'}
ASCENT = {"name": "ascent", "search": '"gga_proposal": "ascent", "gga_ascent_steps": 3'}

COMMANDS = [
    SWEEPS,
    EVERY_STEP.format(**WALK),
    EVERY_STEP.format(**ASCENT),
    "python sweeps/compare.py --input_dirs OUT/walk OUT/ascent --every_step OUT/every_step --output_dir OUT",
]

NEXT = """
How to read this. GGA (walk) is the published search, GGA (ascent) is ours: it follows the gradient of the similarity.
`before` and `after` are the smallest cosine between two training domains' gradients, in the table as the mean over the
window, in the picture at each of its steps. A walk of this size hardly changes it; ascent does, and accuracy does not
follow: on a small network trained from scratch we have not seen GGA help. The paper's gains are for pretrained ones.

Where the files are, in OUT:
  demo.png                                  the picture: similarity before and after, accuracy
  accuracy.csv, searches.csv, costs.csv     the tables
  walk/*/results.jsonl, ascent/...          the records of each run; docs/reading-results.md explains them
  walk/*/out.txt                            what it printed

What to try next:
  # DomainBed's tables
  python -m domainbed.scripts.collect_results --input_dir OUT/walk
  # every algorithm and dataset
  python -m domainbed.scripts.train --list
  # any method, wrapped
  python -m domainbed.scripts.train --algorithm CORAL_GGA --dataset Digits --test_envs 1 --output_dir OUT/coral_gga \\
      --hparams '{"gga_search_steps": 10}'
"""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", default="demo_output", help="where runs, tables and picture go")
    output_dir = shlex.quote(parser.parse_args(argv).output_dir)
    # One thread a run: as fast with several runs at once, and the numbers don't depend on the number of cores.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    python = shlex.quote(os.path.relpath(sys.executable))  # .venv/bin/python under make
    for command in COMMANDS:
        command = command.replace("OUT", output_dir).replace("CORES", str(usable_cpus()))
        _, *words = shlex.split(command)
        print(f"\n$ {command.replace('python', python, 1)}\n", flush=True)
        code = subprocess.run([sys.executable, *words], env=environment).returncode
        if code:
            return code
    print(NEXT.replace("OUT", output_dir).replace("  python ", f"  {python} "))
    return 0


if __name__ == "__main__":
    sys.exit(main())
