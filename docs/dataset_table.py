"""Write the generated parts of docs/datasets.md anew: the cards of the datasets, and where their archives are.

python docs/dataset_table.py
"""

import inspect
import re
from pathlib import Path
from urllib.parse import urlsplit

from domainbed.datasets import get_dataset_class, spawrious
from domainbed.datasets.download import DELEGATED, MANIFEST
from domainbed.datasets.download.manifest import Published
from domainbed.names import DATASETS, SPAWRIOUS

PAGE = Path(__file__).with_name("datasets.md")
BEGIN, END = "<!-- begin: python docs/dataset_table.py -->\n", "<!-- end -->\n"
FACT = re.compile(r"(Environments|Licence|Known bad files|Remarks|Source): ")
PACKAGES = {"MNIST": "torchvision", "WILDSCamelyon": "wilds", "WILDSFMoW": "wilds"}


def card(name: str) -> str:
    """A dataset's docstring, or that of its family, as a section."""
    documented = spawrious if name == SPAWRIOUS[0] else get_dataset_class(name)
    title = f"{name}, {', '.join(SPAWRIOUS[1:])}" if name == SPAWRIOUS[0] else name
    summary, _, rest = inspect.cleandoc(documented.__doc__ or "").partition("\n\n")
    facts = [f"- {line}" if FACT.match(line) else line for line in rest.splitlines()]
    return f"### {title}\n\n{summary}\n\n" + "\n".join(facts) + f"\n\n{archives(name)}\n"


def archives(name: str) -> str:
    """Where a dataset goes and comes from, for those who fetch it by hand."""
    if name in DELEGATED:
        package = next(package for key, package in PACKAGES.items() if key in name)
        return f"Downloaded by the package `{package}`."
    return f"In `{MANIFEST[name].folder}/`. By hand: {MANIFEST[name].by_hand}\n\n{sources(MANIFEST[name])}"


def sources(published: Published) -> str:
    """The archives with what is known of each, and whether any comes from a second server."""
    files = (*published.archives, *([published.duplicates] if published.duplicates else []))
    facts = [
        (*file.sources, *([f"{file.size:,} bytes"] if file.size else []), *filter(None, [file.checksum]))
        for file in files
    ]
    lines = [f"- `{file.name}`: {', '.join(known)}" for file, known in zip(files, facts, strict=True)]
    servers = {server(source) for archive in published.archives for source in archive.sources}
    if len(servers) == 1:
        lines += ["", f"One source only: {servers.pop()}."]
    return "\n".join(lines)


def server(source: str) -> str:
    """The last two parts of a host's name: two addresses of Google Drive lead to one file."""
    return ".".join((urlsplit(source).hostname or "").split(".")[-2:])


def updated(page: str) -> str:
    """The page with its generated part as it is now."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    names = [name for name in DATASETS if name in MANIFEST or name in DELEGATED]
    names = [name for name in names if name not in SPAWRIOUS[1:]]
    return f"{before}{BEGIN}\n" + "\n".join(map(card, names)) + f"\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
