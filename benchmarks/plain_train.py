"""ERM as one writes it in plain PyTorch: a DataLoader per domain, a number read per step, evaluation in batches of 64.

benchmarks/train.py and steps.py time it beside scripts/train.py. It imports nothing of this repository. The data is a
.npz file of arrays (Digits), or a folder of domains with classes of images.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler, TensorDataset, random_split

CLASSES = 10


class SmallCNN(nn.Module):
    """What the testbed calls StridedCNN, with a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 16, 5, 2, 2), nn.Conv2d(16, 32, 5, 2, 2)
        self.linear, self.classifier = nn.Linear(32 * 7 * 7, 128), nn.Linear(128, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        return self.classifier(F.relu(self.linear(x.flatten(1))))


def arrays(path: Path) -> list[Dataset]:
    import numpy as np

    stored = np.load(path)
    names = [name.removesuffix("_x") for name in stored if name.endswith("_x")]
    return [
        TensorDataset(torch.from_numpy(stored[f"{name}_x"]).float() / 255, torch.from_numpy(stored[f"{name}_y"]))
        for name in names
    ]


def folders(path: Path, size: int) -> list[Dataset]:
    from torchvision import datasets, transforms

    normalize = [transforms.ToTensor(), transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    training = [
        transforms.RandomResizedCrop(size, scale=(0.7, 1.0)),
        transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(0.3, 0.3, 0.3, 0.3),
        transforms.RandomGrayscale(),
    ]
    plain = transforms.Compose([transforms.Resize((size, size)), *normalize])
    augmented = transforms.Compose([*training, *normalize])
    paths = sorted(domain for domain in path.iterdir() if domain.is_dir())
    # The first environment is held out.
    return [datasets.ImageFolder(str(domain), augmented if place else plain) for place, domain in enumerate(paths)]


def network(args: argparse.Namespace) -> nn.Module:
    if args.network == "small":
        return SmallCNN()
    from torchvision import models

    return models.get_model(args.network, weights=None, num_classes=CLASSES)


def accuracy(model: nn.Module, loader: DataLoader, device: torch.device) -> float:
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x.to(device)).argmax(1) == y.to(device)).sum().item()
            total += len(y)
    model.train()
    return correct / total


def main(argv: Sequence[str] | None = None, progress: Callable[[range], Iterable[int]] = iter) -> list[dict[str, Any]]:
    """Train, printing a record at each evaluation; `progress` wraps the range of steps. Returns the records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("data", type=Path, help="a .npz file, or a folder of domains")
    add("--network", default="small", help="small, or a name of torchvision (default small)")
    add("--size", type=int, default=224, help="pixels of an image's side, of folders (default 224)")
    add("--steps", type=int, default=300)
    add("--checkpoint_freq", type=int, default=50)
    add("--batch_size", type=int, default=64, help="samples per domain")
    add("--num_workers", type=int, default=0, help="processes per DataLoader (default 0)")
    add("--lr", type=float, default=1e-3)
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    domains = arrays(args.data) if args.data.suffix == ".npz" else folders(args.data, args.size)
    splits = [random_split(domain, [0.8, 0.2]) for domain in domains]
    training = [
        DataLoader(
            split,
            args.batch_size,
            sampler=RandomSampler(split, replacement=True, num_samples=args.steps * args.batch_size),
            num_workers=args.num_workers,
        )
        for split, _ in splits[1:]
    ]
    evaluation = {
        f"env{place}_{name}_acc": DataLoader(split, 64, num_workers=args.num_workers)
        for place, both in enumerate(splits)
        for name, split in zip(("in", "out"), both, strict=True)
    }
    model = network(args).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    records, losses, start = [], [], time.perf_counter()
    for step, *minibatches in zip(progress(range(args.steps)), *training, strict=True):
        x = torch.cat([x.to(device) for x, _ in minibatches])
        y = torch.cat([y.to(device) for _, y in minibatches])
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % args.checkpoint_freq == 0 or step == args.steps - 1:
            seconds = (time.perf_counter() - start) / len(losses)
            record = {"step": step, "loss": sum(losses) / len(losses), "step_time": seconds}
            record["mem_gb"] = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0
            record |= {name: accuracy(model, loader, device) for name, loader in evaluation.items()}
            print(json.dumps(record), flush=True)
            records.append(record)
            losses, start = [], time.perf_counter()
    return records


if __name__ == "__main__":
    main()
