"""Camelyon17 and FMoW of WILDS, from the optional package `wilds`.

Koh et al., "WILDS: A Benchmark of in-the-Wild Distribution Shifts", 2021.
"""

import importlib
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from domainbed.datasets.augmentation import ImageTransform
from domainbed.datasets.base import MultipleDomainDataset, Root, data_path, fingerprint, image_size
from domainbed.datasets.image_cache import ImageCache
from domainbed.datasets.images import Transform, augmented, plain, random_crop, resize
from domainbed.datasets.registry import register
from domainbed.errors import InputError
from domainbed.hyperparameters import optional
from domainbed.names import ENVIRONMENTS

SIZE = 224  # without hparam `image_size`


class WILDSEnvironment(Dataset[Any]):
    """The items of a WILDS dataset whose metadata field has one value; `targets` (n,) int64 are their labels.

    Raises:
        InputError: on access, naming the dataset and the image's index in it, where the package cannot read the image.
    """

    def __init__(self, wilds_dataset: Any, metadata_name: str, metadata_value: int, transform: Transform):
        field = wilds_dataset.metadata_fields.index(metadata_name)
        self.name = f"{metadata_name}_{metadata_value}"
        self.dataset = wilds_dataset
        self.indices = torch.where(wilds_dataset.metadata_array[:, field] == metadata_value)[0]
        self.targets = wilds_dataset.y_array[self.indices]
        self.transform = transform

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.transform(self._image(index)), self.targets[index]

    def __len__(self) -> int:
        return len(self.indices)

    def pixels(self, index: int, transform: ImageTransform, cache: ImageCache | None) -> np.ndarray:
        """`transform.pixels` of an image. The package reads it and tells no path, so that it is not cached."""
        return transform.pixels(self._image(index))

    def _image(self, index: int) -> Any:
        from PIL import Image

        number = int(self.indices[index])
        try:
            x = self.dataset.get_input(number)
        except MemoryError:  # says nothing of the file
            raise
        except Exception as error:  # PIL's readers raise whatever the damage leads to
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"{self.dataset.dataset_name}: image {number} cannot be read ({reason}); restore it in "
                f"{self.dataset.data_dir}, and the same command continues"
            ) from error
        return x if isinstance(x, Image.Image) else Image.fromarray(x)


class WILDSDataset(MultipleDomainDataset):
    """One environment per value of a metadata field, all official splits pooled.

    Args:
        dataset: from the package `wilds`.
        metadata_name: the field.
        test_envs: indices of the environments that are never augmented.
        augment: whether the others are.
        hparams: `image_size`, the height and width of an x, 224 if absent.
    """

    INPUT_SHAPE = (3, SIZE, SIZE)

    def __init__(
        self, dataset: Any, metadata_name: str, test_envs: Sequence[int], augment: bool, hparams: dict[str, Any]
    ):
        values = dataset.metadata_array[:, dataset.metadata_fields.index(metadata_name)].unique().tolist()
        size = image_size(hparams)
        augmentation = augmented(resize(size), random_crop(size))
        self.datasets = [
            WILDSEnvironment(
                dataset, metadata_name, value, augmentation if augment and index not in test_envs else plain(size)
            )
            for index, value in enumerate(values)
        ]
        self.input_shape = (3, size, size)
        self.num_classes = dataset.n_classes

    def fingerprints(self) -> list[str]:
        """The number of images of each environment, and a digest of their indices in the package and their labels."""
        return [
            fingerprint(environment, torch.stack([environment.indices, environment.targets]).numpy().tobytes())
            for environment in self.datasets
        ]


class _FromPackage(WILDSDataset):
    MODULE: ClassVar[str]
    CLASS: ClassVar[str]
    FOLDER: ClassVar[str]
    FIELD: ClassVar[str]

    def __init__(self, root: Root, test_envs: Sequence[int], hparams: dict[str, Any]):
        self.check(root, hparams)
        dataset = getattr(importlib.import_module(f"wilds.datasets.{self.MODULE}"), self.CLASS)(root_dir=str(root))
        super().__init__(dataset, self.FIELD, test_envs, hparams["data_augmentation"], hparams)
        if (found := [environment.name for environment in self.datasets]) != self.ENVIRONMENTS:
            raise InputError(
                f"{type(self).__name__}: the metadata in {dataset.data_dir} are of {', '.join(found)} instead of "
                f"{', '.join(self.ENVIRONMENTS or [])}; get the dataset again"
            )

    @classmethod
    def check(cls, root: Root, hparams: dict[str, Any]) -> None:
        """Raises InputError without the package or the data, or where images are to be read in part."""
        image_size(hparams)
        if optional(hparams, "tolerate_truncated"):
            raise InputError(
                f"{cls.__name__}: its images are read by the package wilds, which reads none in part; leave hparam "
                "tolerate_truncated out"
            )
        if find_spec("wilds") is None:
            raise InputError(f"{cls.__name__} needs the package wilds; install it with: pip install wilds")
        folder = data_path(root, cls.FOLDER)
        # The file by which the package itself knows its data.
        if not (folder / f"RELEASE_{folder.name.split('_')[1]}.txt").is_file():
            raise InputError(
                f"{cls.__name__}: no whole data in {folder}; get it with: python -m domainbed.scripts.download "
                f"--dataset {cls.__name__} --data_dir {root}"
            )


@register
class WILDSCamelyon(_FromPackage):
    """Patches of lymph-node tissue, 96 x 96, in 2 classes: whether the middle holds tumour tissue.

    Environments: the five hospitals, numbered from 0.
    Licence: CC0, public domain.
    Known bad files: none that we know of.
    Remarks: the archive has 10.7 GB. The package's splits are pooled, its held-out hospitals are environments too.
    Source: P. Bandi et al., From Detection of Individual Metastases to Classification of Lymph Node Status at the
    Patient Level: the CAMELYON17 Challenge, IEEE Transactions on Medical Imaging 38(2), 2019; in WILDS, Koh et al.,
    ICML 2021, arXiv:2012.07421.
    """

    ENVIRONMENTS = ENVIRONMENTS["WILDSCamelyon"]
    MODULE = "camelyon17_dataset"
    CLASS = "Camelyon17Dataset"
    FOLDER = "camelyon17_v1.0"
    FIELD = "hospital"


@register
class WILDSFMoW(_FromPackage):
    """Satellite images in 62 classes: the use of land or buildings.

    Environments: five continents and what belongs to none, numbered from 0 as they occur in the metadata.
    Licence: FMoW Challenge Public License.
    Known bad files: none that we know of.
    Remarks: the archive has 53.9 GB. Sequestered images are left out by the package.
    Source: G. Christie, N. Fendley, J. Wilson and R. Mukherjee, Functional Map of the World, CVPR 2018,
    arXiv:1711.07846; in WILDS, Koh et al., ICML 2021, arXiv:2012.07421.
    """

    ENVIRONMENTS = ENVIRONMENTS["WILDSFMoW"]
    MODULE = "fmow_dataset"
    CLASS = "FMoWDataset"
    FOLDER = "fmow_v1.1"
    FIELD = "region"
