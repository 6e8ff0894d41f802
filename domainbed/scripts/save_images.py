"""Save some images of each environment, as a run sees them without augmentation."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from domainbed import datasets
from domainbed.datasets.augmentation import MEAN, STD
from domainbed.running.hparams import default_hparams
from domainbed.running.loading import labels
from domainbed.scripts.console import exit_code

DATASETS = ("OfficeHome", "TerraIncognita", "DomainNet", "RotatedMNIST", "ColoredMNIST", "SVIRO")
HIGHEST_CLASS = 10
PER_ENVIRONMENT = 50


def build_parser() -> argparse.ArgumentParser:
    """The flags of DomainBed's save_images, and ours: --datasets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--data_dir", required=True, help="where the datasets are")
    parser.add_argument("--output_dir", type=Path, required=True, help="where the images go")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS), help="whose images")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 2 for bad input."""
    args = build_parser().parse_args(argv)
    return exit_code(_save_all, args)


def _save_all(args: argparse.Namespace) -> None:
    for name in args.datasets:
        torch.manual_seed(0)  # shuffles MNIST and colours it
        environments = datasets.environments(name, args.data_dir)
        every_one = list(range(len(environments)))
        dataset = datasets.get_dataset_class(name)(args.data_dir, every_one, default_hparams("ERM", name))
        args.output_dir.mkdir(parents=True, exist_ok=True)
        for index in tqdm(every_one, desc=name, disable=None):
            _save(dataset[index], f"{name}_env{index}{environments[index]}", args.output_dir)


def _save(environment: Any, prefix: str, folder: Path) -> None:
    """PER_ENVIRONMENT random images of the first classes, or all where there are fewer."""
    candidates = np.flatnonzero(labels(environment) <= HIGHEST_CLASS)
    chosen = np.random.default_rng(0).permutation(candidates)[:PER_ENVIRONMENT]
    for n, index in enumerate(chosen.tolist()):
        x, y = environment[index]
        Image.fromarray(pixels(x)).save(folder / f"{prefix}_{n}_idx{index}_class{int(y)}.png")


def pixels(x: Tensor) -> np.ndarray:
    """(H, W, 3) or (H, W) uint8 of an x: (3, ...) normalised as for ImageNet, (2, ...) or (1, ...) in [0, 1]."""
    if len(x) == 2:
        x = torch.cat([x, torch.zeros_like(x[:1])])
    elif len(x) == 3:
        x = x * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]
    return (x.clamp(0, 1) * 255.99).byte().permute(1, 2, 0).squeeze(-1).numpy()


if __name__ == "__main__":
    sys.exit(main())
