"""The datasets, by the names they have in tables."""

from domainbed.datasets.base import MultipleDomainDataset
from domainbed.datasets.debug import Debug, Debug28, Debug224
from domainbed.datasets.digits import Digits
from domainbed.datasets.folders import ImageFolder, MultipleEnvironmentImageFolder
from domainbed.datasets.mnist import ColoredMNIST, MultipleEnvironmentMNIST, RotatedMNIST
from domainbed.datasets.published import PACS, SVIRO, VLCS, DomainNet, OfficeHome, TerraIncognita
from domainbed.datasets.registry import (
    dataset_names,
    environments,
    get_dataset_class,
    num_environments,
    register,
)
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
from domainbed.names import DATASETS

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
    "dataset_names",
    "environments",
    "get_dataset_class",
    "num_environments",
    "register",
]
