"""Where the published datasets come from, and what is known of them. What is not known is None."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from domainbed.datasets.download import layout
from domainbed.datasets.published import PACS, SVIRO, VLCS, DomainNet, OfficeHome, TerraIncognita
from domainbed.datasets.spawrious import CLASSES, PER_CLASS
from domainbed.names import SPAWRIOUS


@dataclass(frozen=True)
class Archive:
    """A file to fetch."""

    name: str
    sources: tuple[str, ...]
    size: int | None = None
    """In bytes."""
    checksum: str | None = None
    """`sha256:` or `md5:`, then hexadecimal digits."""


Counts = Mapping[str, Mapping[str, int] | int | None]
"""Domain -> images of each class, of all classes, or None where nobody has published them."""


Counted = dict[str, dict[str, int]]
"""Domain -> class -> images."""


@dataclass(frozen=True)
class Known:
    """What is known of a dataset of images."""

    folder: str
    """Below the data folder."""
    counts: Counts
    classes: int | None
    """Of every domain."""
    total: int | None


@dataclass(frozen=True)
class Published(Known):
    """A dataset of images that is published as archives."""

    archives: tuple[Archive, ...]
    page: str | None
    """Where people read of it and find it."""
    arrange: Callable[[Path, Sequence[str]], Path] = layout.folder_of_domains
    """From the folder where the archives were unpacked to the one inside that becomes `folder`."""
    duplicates: Archive | None = None
    """A list of files to leave out."""
    also_in: tuple[str, ...] = ()
    """Other folders below the data folder where the dataset is read from."""

    @property
    def by_hand(self) -> str:
        """Where people fetch it."""
        return self.page or f"{self.archives[0].sources[-1]} (the file itself; we know of no page of the project)"

    @property
    def domains(self) -> list[str]:
        return list(self.counts)


def _drive(name: str, key: str) -> Archive:
    """A file on Google Drive, by the address that serves also those too large to be scanned for viruses."""
    return Archive(
        name,
        (
            f"https://drive.usercontent.google.com/download?id={key}&export=download&confirm=t",
            f"https://drive.google.com/uc?export=download&id={key}",
        ),
    )


def _per_class(classes: str, **domains: Sequence[int]) -> dict[str, dict[str, int]]:
    return {domain: dict(zip(classes.split(), numbers, strict=True)) for domain, numbers in domains.items()}


DOMAIN_NET = "http://csr.bu.edu/ftp/visda/2019/multi-source/"
TERRA = (
    "https://storage.googleapis.com/public-datasets-lila/caltechcameratraps/",
    "https://lilawildlife.blob.core.windows.net/lila-wildlife/caltechcameratraps/",
)

SPAWRIOUS_IMAGES = Published(
    folder="spawrious224",
    also_in=("",),
    archives=(Archive("spawrious224.tar.gz", ("https://www.dropbox.com/s/e40j553480h3f3s/spawrious224.tar.gz?dl=1",)),),
    page="https://github.com/aengusl/spawrious",
    counts={
        f"{k}/{place}": dict.fromkeys(sorted(CLASSES), PER_CLASS)
        for k in (0, 1)
        for place in ("beach", "desert", "dirt", "jungle", "mountain", "snow")
    },
    classes=len(CLASSES),
    total=2 * 6 * len(CLASSES) * PER_CLASS,
)

MANIFEST: dict[str, Published] = {
    "VLCS": Published(
        folder=VLCS.FOLDER,
        archives=(_drive("VLCS.tar.gz", "1skwblH1_okBwxWxmRsp9_qi15hyPpxg8"),),
        page=None,
        counts=_per_class(
            "bird car chair dog person",
            Caltech101=(237, 123, 118, 67, 870),
            LabelMe=(80, 1209, 88, 42, 1237),
            SUN09=(20, 932, 1036, 30, 1264),
            VOC2007=(330, 699, 428, 420, 1499),
        ),
        classes=5,
        total=10_729,
    ),
    "PACS": Published(
        folder=PACS.FOLDER,
        archives=(_drive("PACS.zip", "1JFr8f805nMUelQWWmfnJR3y4_SYoN5Pd"),),
        page=None,
        counts=_per_class(
            "dog elephant giraffe guitar horse house person",
            art_painting=(379, 255, 285, 184, 201, 295, 449),
            cartoon=(389, 457, 346, 135, 324, 288, 405),
            photo=(189, 202, 182, 186, 199, 280, 432),
            sketch=(772, 740, 753, 608, 816, 80, 160),
        ),
        classes=7,
        total=9_991,
    ),
    "OfficeHome": Published(
        folder=OfficeHome.FOLDER,
        archives=(_drive("office_home.zip", "1uY0pj7oFsjMxRwaD3Sxy0jgel0fsYXLC"),),
        page="https://www.hemanthdv.org/officeHomeDataset.html",
        counts={"Art": 2_427, "Clipart": 4_365, "Product": 4_439, "Real World": 4_357},
        classes=65,
        total=15_588,
    ),
    "TerraIncognita": Published(
        folder=TerraIncognita.FOLDER,
        archives=tuple(
            Archive(name, tuple(place + name for place in TERRA))
            for name in ("eccv_18_all_images_sm.tar.gz", "eccv_18_annotations.tar.gz")
        ),
        page="https://lila.science/datasets/caltech-camera-traps",
        counts=dict.fromkeys(TerraIncognita.DOMAINS or []),
        classes=len(layout.TERRA_CLASSES),
        total=None,
        arrange=layout.terra_incognita,
    ),
    "DomainNet": Published(
        folder=DomainNet.FOLDER,
        archives=tuple(
            Archive(path.rpartition("/")[2], (DOMAIN_NET + path,))
            for path in (
                "groundtruth/clipart.zip",
                "infograph.zip",
                "groundtruth/painting.zip",
                "quickdraw.zip",
                "real.zip",
                "sketch.zip",
            )
        ),
        page="https://ai.bu.edu/M3SDA/",
        counts={
            "clipart": 48_129,
            "infograph": 51_605,
            "painting": 72_266,
            "quickdraw": 172_500,
            "real": 172_947,
            "sketch": 69_128,
        },
        classes=345,
        total=586_575,
        duplicates=Archive(
            "domain_net_duplicates.txt",
            (
                "https://raw.githubusercontent.com/facebookresearch/DomainBed/main/domainbed/misc/"
                "domain_net_duplicates.txt",
            ),
            checksum="md5:adc7b54410f8d1c5c201ae1605e553b5",
        ),
    ),
    "SVIRO": Published(
        folder=SVIRO.FOLDER,
        archives=(Archive("sviro.zip", ("https://sviro.kl.dfki.de/?wpdmdl=1731",)),),
        page="https://sviro.kl.dfki.de/",
        counts=dict.fromkeys(SVIRO.DOMAINS or []),
        classes=7,
        total=56_000,
    ),
    **dict.fromkeys(SPAWRIOUS, SPAWRIOUS_IMAGES),
}
