"""Folders of images: DATA_DIR/NAME/<domain>/<class>/<image>."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from domainbed.datasets.base import MultipleDomainDataset, Root, data_path, fingerprints_of_files, image_size
from domainbed.datasets.folder_index import SUFFIXES, FolderIndex, subfolders
from domainbed.datasets.image_checks import check_images
from domainbed.datasets.images import LabelledImages, augmented, plain, random_crop
from domainbed.errors import InputError
from domainbed.hyperparameters import optional


class MultipleEnvironmentImageFolder(MultipleDomainDataset):
    """One environment per domain folder, sorted by name; the classes are the folders in them, the same in all.

    Args:
        root: the folder that holds the domain folders.
        test_envs: indices of the environments that are never augmented.
        augment: whether the others are, `augmented`; else all are `plain`.
        hparams: `image_size`, the height and width of an x, 224 if absent; `tolerate_truncated`, whether image files
            cut short are read as far as they go.

    Raises:
        InputError: `root` is not such a folder.
    """

    CHECKPOINT_FREQ = 300
    DOMAINS: ClassVar[list[str] | None] = None
    """The domain folders that must be there; None for whichever are."""
    SOURCE: ClassVar[str] = "put your images there"
    """How to get the data."""

    def __init__(self, root: Root, test_envs: Sequence[int], augment: bool, hparams: dict[str, Any]):
        self.dir = str(root)
        domains, classes = self._layout(Path(self.dir))
        size = image_size(hparams)
        self.datasets = [
            LabelledImages(
                labelled_images(domain, classes),
                augmented(random_crop(size)) if augment and index not in test_envs else plain(size),
                optional(hparams, "tolerate_truncated"),
            )
            for index, domain in enumerate(domains)
        ]
        self.input_shape = (3, size, size)
        self.num_classes = len(classes)

    def fingerprints(self) -> list[str]:
        """The number of images of each environment, and a digest of their paths below the folder."""
        return fingerprints_of_files(self.datasets, self.dir)

    @classmethod
    def _domains(cls, folder: Path) -> list[str]:
        """The names of the domains."""
        domains = subfolders(folder) if folder.is_dir() else []
        wanted = f"{folder}/<domain>/<class>/<image>"
        if cls.DOMAINS:
            wanted += f" with the domains {', '.join(cls.DOMAINS)}"
        if not domains:
            raise InputError(f"{cls.__name__}: no data in {folder}; expected {wanted}; {cls.SOURCE}")
        expected = cls.DOMAINS or domains
        if missing := [name for name in expected if name not in domains]:
            surplus = [f"{name} does not belong there" for name in domains if name not in expected]
            difference = ", ".join([*(f"{name} is missing" for name in missing), *surplus])
            raise InputError(f"{cls.__name__}: in {folder}, {difference}; expected {wanted}")
        return expected

    @classmethod
    def _layout(cls, folder: Path) -> tuple[list[FolderIndex], list[str]]:
        """The images of each domain, and the names of the classes."""
        domains = cls._domains(folder)
        indexes = [FolderIndex(folder / name) for name in domains]
        found = dict(zip(domains, (index.folders() for index in indexes), strict=True))
        return indexes, _common_classes(cls.__name__, folder, found)


def labelled_images(domain: FolderIndex, classes: Sequence[str]) -> list[tuple[str, int]]:
    """The images (path, index of class) of a domain, class by class.

    Raises:
        InputError: there is none of a class.
    """
    samples = []
    for label, name in enumerate(classes):
        paths = domain.images(name)
        if not paths:
            raise InputError(
                f"no images in the class folder {os.path.join(domain.folder, name)}; restore them (their names end in "
                f"{', '.join(SUFFIXES)}), or remove the class {name!r} from every domain"
            )
        samples += [(path, label) for path in paths]
    return samples


def _common_classes(dataset: str, folder: Path, found: dict[str, list[str]]) -> list[str]:
    """The names of the classes, sorted; an InputError unless all domains, by name, have the same."""
    domain_with = {name: domain for domain, names in found.items() for name in names}
    if not domain_with:
        raise InputError(
            f"{dataset}: no class folders in {folder / next(iter(found))}; expected {folder}/<domain>/<class>"
        )
    for name in sorted(domain_with):
        lacking = [domain for domain in found if name not in found[domain]]
        if lacking:
            raise InputError(
                f"{dataset}: the class folder {name!r} is missing from the domain {lacking[0]!r} of {folder}, "
                f"though {domain_with[name]!r} has it; every domain must have the same classes"
            )
    return sorted(domain_with)


class ImageFolder(MultipleEnvironmentImageFolder):
    """Any folder DATA_DIR/FOLDER/<domain>/<class>/<image>, with its domains as environments."""

    FOLDER: ClassVar[str]

    def __init__(self, root: Root, test_envs: Sequence[int], hparams: dict[str, Any]):
        super().__init__(data_path(root, self.FOLDER), test_envs, hparams["data_augmentation"], hparams)

    @classmethod
    def environments(cls, root: Root) -> list[str]:
        """The names of the environments: `ENVIRONMENTS`, or the domain folders where the class lists none."""
        return list(cls.ENVIRONMENTS or cls._domains(data_path(root, cls.FOLDER)))

    @classmethod
    def check(cls, root: Root, hparams: dict[str, Any]) -> None:
        """Raises InputError unless all domains and classes are there, hold images, and every image can be read.

        Warns of folders beside the domains, which the original would count as environments.
        """
        image_size(hparams)
        folder = data_path(root, cls.FOLDER)
        domains = cls._domains(folder)
        if surplus := ", ".join(name for name in subfolders(folder) if name not in domains):
            warnings.warn(f"{cls.__name__}: {folder} also holds {surplus}, which is no environment", stacklevel=2)
        indexes, classes = cls._layout(folder)
        for domain in indexes:
            labelled_images(domain, classes)
        check_images(folder.name, indexes, optional(hparams, "tolerate_truncated"))


def image_folder(name: str) -> type[ImageFolder]:
    """The dataset called ImageFolder:<name>, whose images are in DATA_DIR/<name>."""
    # The name of a class must be valid Unicode, that of a folder need not.
    valid = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return type(f"ImageFolder:{valid}", (ImageFolder,), {"FOLDER": name, "__module__": __name__})
