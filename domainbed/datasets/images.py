"""Images on disk: finding them, reading them, making sure that they can be read, and turning them into tensors."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from domainbed.errors import InputError
from domainbed.files import whole_file

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
CHECKED = ".checked"

Transform = Callable[[Any], Tensor]


class LabelledImages(Dataset[Any]):
    """Image files with labels; an item is (transform(image), label). `targets` lists the labels without reading.

    Raises:
        InputError: on access, naming a file that cannot be read.
    """

    def __init__(self, samples: Sequence[tuple[str, int]], transform: Transform):
        self.samples = list(samples)
        self.targets = [label for _, label in self.samples]
        self.transform = transform

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.samples[index]
        return self.transform(read_image(path)), label

    def __len__(self) -> int:
        return len(self.samples)


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted; hidden ones and files are passed over."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def image_files(folder: Path) -> list[str]:
    """The paths of the images below a folder, in the order of torchvision's ImageFolder; hidden ones left out."""
    return [
        os.path.join(where, name)
        for where, _, names in sorted(os.walk(folder, followlinks=True))
        if not os.path.basename(where).startswith(".")
        for name in sorted(names)
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    ]


def read_image(path: str) -> Any:
    """The whole image as a PIL image with three channels.

    Raises:
        InputError: it cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except Exception as error:  # PIL's readers raise whatever the damage leads to
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read as an image ({reason}); restore it, or delete it") from error


def check_images(folder: Path, paths: Sequence[str]) -> None:
    """Read every image once; the outcome is remembered in the folder until a file changes.

    Raises:
        InputError: naming the first image that cannot be read, and how many there are.
    """
    memory = folder / CHECKED
    digest = _digest(folder, paths)
    if memory.is_file() and memory.read_bytes() == digest:
        return
    batches = [paths[i : i + 100] for i in range(0, len(paths), 100)]
    # disable=None: silent where nobody watches; delay: silent where nobody has to wait.
    progress = tqdm(total=len(paths), desc=f"{folder.name}: reading every image", leave=False, disable=None, delay=2)
    found: list[str] = []
    with progress, ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch, problems in zip(batches, pool.map(_problems, batches), strict=True):
            found += problems
            progress.update(len(batch))
    if found:
        raise InputError(found[0] + (f" (and {len(found) - 1} more)" if len(found) > 1 else ""))
    # A folder that cannot be written to is read every time.
    with contextlib.suppress(OSError), whole_file(memory) as file:
        file.write(digest)


def _problems(paths: Sequence[str]) -> list[str]:
    problems = []
    for path in paths:
        try:
            read_image(path)
        except InputError as error:
            problems.append(str(error))
    return problems


def _digest(folder: Path, paths: Sequence[str]) -> bytes:
    digest = hashlib.md5()
    for path in paths:
        digest.update(path.removeprefix(str(folder)).encode())
        with contextlib.suppress(OSError):  # a link to nowhere is for read_image to report
            status = os.stat(path)
            digest.update(f"\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest().encode()


def resize(size: int) -> Any:
    """To exactly size x size."""
    from torchvision.transforms import v2

    return v2.Resize((size, size))


def random_crop(size: int) -> Any:
    """A part of at least 70 % of the area, resized to size x size."""
    from torchvision.transforms import v2

    return v2.RandomResizedCrop(size, scale=(0.7, 1.0))


def plain(size: int) -> Transform:
    """PIL image -> (3, size, size) float32, normalised as for ImageNet."""
    from torchvision.transforms import v2

    return v2.Compose([resize(size), *_normalized()])


def augmented(*geometry: Any) -> Transform:
    """PIL image -> tensor: `geometry`, then a random flip, colour jitter and loss of colour, and as `plain`.

    Everything random comes from torch's global generator.
    """
    from torchvision.transforms import v2

    flip, jitter = v2.RandomHorizontalFlip(), v2.ColorJitter(0.3, 0.3, 0.3, 0.3)
    return v2.Compose([*geometry, flip, jitter, v2.RandomGrayscale(), *_normalized()])


def _normalized() -> list[Any]:
    from torchvision.transforms import v2

    to_float = v2.ToDtype(torch.float32, scale=True)
    return [v2.PILToTensor(), to_float, v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
