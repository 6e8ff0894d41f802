"""Small runs on Debug28, as objects and as command lines, what they recorded, and a small folder of images."""

import json
from pathlib import Path

import torch
from builders import SMALL, WINDOW
from PIL import Image

from domainbed.running.arguments import Arguments
from domainbed.running.run import Run

# A run has steps before the window of its searches and after it.
RUN_HPARAMS = {"featurizer": SMALL["featurizer"], "batch_size": 4} | WINDOW | {"gga_start": 1, "gga_end": 4}
TIMES = ("step_time", "mem_gb", "args")


def arguments(output_dir: Path, **changes) -> Arguments:
    base = {"dataset": "Debug28", "steps": 6, "checkpoint_freq": 2, "hparams": json.dumps(RUN_HPARAMS)}
    return Arguments(output_dir=str(output_dir), **base | changes)


def run(output_dir: Path, device: str = "cpu", **changes) -> Run:
    output_dir.mkdir(exist_ok=True)
    chosen = arguments(output_dir, **changes)
    return Run(chosen, chosen.all_hparams(), torch.device(device))


def untimed(records: list[dict]) -> list[dict]:
    return [{name: value for name, value in record.items() if name not in TIMES} for record in records]


def command(output_dir: Path, *more: str) -> list[str]:
    flags = {
        "dataset": "Debug28",
        "steps": "5",
        "checkpoint_freq": "2",
        "output_dir": output_dir,
        "hparams": json.dumps(RUN_HPARAMS),
    }
    return [word for name, value in flags.items() for word in (f"--{name}", str(value))] + list(more)


def read(output_dir: Path) -> list[dict]:
    return [json.loads(line) for line in (output_dir / "results.jsonl").read_text().splitlines()]


def images(root: Path, domains: tuple[str, ...] = ("a", "b", "c"), classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    for place, (domain, label) in enumerate((d, c) for d in domains for c in classes):
        folder = root / "pets" / domain / label
        folder.mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (70, 80), (40 * number, 30 * place, 90)).save(folder / f"{number}.png")
    return root
