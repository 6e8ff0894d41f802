"""How many images there are of each domain and class, against how many there should be."""

from pathlib import Path

from domainbed.datasets.download.manifest import Counted, Known, Published
from domainbed.datasets.folder_index import image_files, subfolders


def count(folder: Path, published: Published) -> Counted:
    """The images on disk, below a folder that holds all domains."""
    return {
        domain: {name: len(image_files(folder / domain / name)) for name in subfolders(folder / domain)}
        for domain in published.domains
    }


def differences(counted: Counted, known: Known) -> list[str]:
    """A line for each class, domain or total that is not as published; what is not published is not compared."""
    lines = []
    for domain, number in known.counts.items():
        classes = counted[domain]
        if isinstance(number, int):
            lines += _difference(domain, sum(classes.values()), number)
        elif number is not None:
            for name in sorted({*classes, *number}):
                lines += _difference(f"{domain}/{name}", classes.get(name, 0), number.get(name, 0))
        if known.classes is not None and len(classes) != known.classes:
            lines.append(f"{domain}: {len(classes)} classes instead of {known.classes}")
    if not lines and known.total is not None:
        lines += _difference("in all", sum(sum(classes.values()) for classes in counted.values()), known.total)
    return lines


def _difference(what: str, found: int, known: int) -> list[str]:
    return [] if found == known else [f"{what}: {found:,} images instead of {known:,}"]
