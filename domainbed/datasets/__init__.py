"""The datasets, by the names they have in tables."""

from domainbed.datasets.base import MultipleDomainDataset, Root
from domainbed.datasets.debug import Debug, Debug28, Debug224
from domainbed.datasets.digits import Digits
from domainbed.datasets.folders import ImageFolder, MultipleEnvironmentImageFolder, image_folder
from domainbed.datasets.mnist import ColoredMNIST, MultipleEnvironmentMNIST, RotatedMNIST
from domainbed.datasets.published import PACS, SVIRO, VLCS, DomainNet, OfficeHome, TerraIncognita
from domainbed.datasets.spawrious import (
    CustomImageFolder,
    SpawriousBenchmark,
    SpawriousM2M_easy,
    SpawriousM2M_hard,
    SpawriousM2M_medium,
    SpawriousO2O_easy,
    SpawriousO2O_hard,
    SpawriousO2O_medium,
)
from domainbed.datasets.styles import Styles
from domainbed.datasets.wilds import WILDSCamelyon, WILDSDataset, WILDSEnvironment, WILDSFMoW
from domainbed.errors import InputError, UnknownName, nearest
from domainbed.names import DATASETS
from domainbed.names import ENVIRONMENTS as _ENVIRONMENTS

__all__ = [
    "DATASETS",
    "PACS",
    "SVIRO",
    "VLCS",
    "ColoredMNIST",
    "CustomImageFolder",
    "Debug",
    "Debug28",
    "Debug224",
    "Digits",
    "DomainNet",
    "ImageFolder",
    "MultipleDomainDataset",
    "MultipleEnvironmentImageFolder",
    "MultipleEnvironmentMNIST",
    "OfficeHome",
    "RotatedMNIST",
    "SpawriousBenchmark",
    "SpawriousM2M_easy",
    "SpawriousM2M_hard",
    "SpawriousM2M_medium",
    "SpawriousO2O_easy",
    "SpawriousO2O_hard",
    "SpawriousO2O_medium",
    "Styles",
    "TerraIncognita",
    "WILDSCamelyon",
    "WILDSDataset",
    "WILDSEnvironment",
    "WILDSFMoW",
    "environments",
    "get_dataset_class",
    "num_environments",
]


def get_dataset_class(name: str) -> type[MultipleDomainDataset]:
    """The dataset of that name; ImageFolder:NAME is the folder DATA_DIR/NAME.

    Raises:
        UnknownName: (a NotImplementedError) there is none.
    """
    folder = name.removeprefix("ImageFolder:")
    if folder not in ("", name):
        return image_folder(folder)
    # As in DomainBed, a class that other code puts into this module is found too.
    found = globals().get(name)
    if isinstance(found, type) and issubclass(found, MultipleDomainDataset) and found.ENVIRONMENTS:
        return found
    raise UnknownName(f"Dataset not found: {name}{nearest(name, [*_ENVIRONMENTS, 'ImageFolder:NAME'])}")


def num_environments(name: str) -> int:
    """How many environments the dataset has.

    Raises:
        InputError: that depends on a folder; ask `environments` instead.
    """
    names = get_dataset_class(name).ENVIRONMENTS
    if names is None:
        raise InputError(f"{name}: the environments are the folders in its data folder, see environments(name, root)")
    return len(names)


def environments(name: str, root: Root) -> list[str]:
    """The names of the dataset's environments, read from DATA_DIR/NAME for ImageFolder:NAME.

    Raises:
        UnknownName: there is no such dataset.
        InputError: there is no such folder.
    """
    return get_dataset_class(name).environments(root)
