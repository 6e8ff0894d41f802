"""Dataset classes by name, and the environments of each."""

from typing import TypeVar

from domainbed.datasets.base import MultipleDomainDataset, Root
from domainbed.datasets.folders import image_folder
from domainbed.names import ENVIRONMENTS, in_table_order
from domainbed.registry import ClassRegistry

D = TypeVar("D", bound=MultipleDomainDataset)

IMAGE_FOLDER = "ImageFolder:"

_datasets: ClassRegistry[MultipleDomainDataset] = ClassRegistry("Dataset", "domainbed.datasets", MultipleDomainDataset)


def register(cls: type[D]) -> type[D]:
    """Class decorator: the dataset answers to its class name.

    Raises:
        ValueError: another class has that name.
    """
    _datasets.add(cls.__name__, cls)
    return cls


def dataset_names() -> list[str]:
    """Every dataset that has a name of its own, in table order; those of ImageFolder:NAME are not listed."""
    return in_table_order(_datasets.entries(), list(ENVIRONMENTS))


def get_dataset_class(name: str) -> type[MultipleDomainDataset]:
    """The dataset of that name; ImageFolder:NAME is the folder DATA_DIR/NAME.

    Raises:
        UnknownName: (a NotImplementedError) there is none.
    """
    folder = name.removeprefix(IMAGE_FOLDER)
    if folder not in ("", name):
        return image_folder(folder)
    return _datasets.get(name, also=[f"{IMAGE_FOLDER}NAME"])


def environments(name: str, root: Root) -> list[str]:
    """The names of the dataset's environments, which ImageFolder:NAME reads from the folder DATA_DIR/NAME.

    Raises:
        UnknownName: there is no such dataset.
        InputError: there is no such folder.
    """
    return get_dataset_class(name).environments(root)


def num_environments(name: str) -> int:
    """The number of environments of a dataset.

    Raises:
        UnknownName: there is no such dataset.
        InputError: the number depends on a folder; ask `environments`.
    """
    return len(environments(name, None))
