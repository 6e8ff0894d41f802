"""A run of the train script with a ResNet from scratch on a folder of JPEG files, as several benchmarks need it."""

import argparse
import json
from pathlib import Path
from typing import Any


def add_resnet_flags(parser: argparse.ArgumentParser, batch_size: int) -> None:
    """The folder, and what of the run is the same in all configurations of a benchmark."""
    add = parser.add_argument
    add("folder", type=Path, help="as benchmarks/jpegs.py writes it")
    add("--network", default="resnet50", help="resnet50 or resnet18 (default resnet50)")
    add("--size", type=int, default=224, help="pixels of an image's side (default 224)")
    add("--batch_size", type=int, default=batch_size, help=f"samples per domain (default {batch_size})")


def train_flags(args: argparse.Namespace, output: Path, steps: int, checkpoint_freq: int, **hparams: Any) -> list[str]:
    """Flags of the train script, but for the algorithm.

    Args:
        args: of `add_resnet_flags`.
        output: of the run.
        steps: its updates.
        checkpoint_freq: updates between two evaluations.
        hparams: beside those that args give.
    """
    data = args.folder.resolve()
    hparams |= {"backbone": f"torchvision/{args.network}", "pretrained": False}
    hparams |= {"batch_size": args.batch_size, "image_size": args.size, "resnet_dropout": 0.5}
    words = ["--dataset", f"ImageFolder:{data.name}", "--data_dir", str(data.parent), "--test_envs", "0"]
    words += ["--steps", str(steps), "--checkpoint_freq", str(checkpoint_freq), "--output_dir", str(output)]
    return [*words, "--hparams", json.dumps(hparams)]
