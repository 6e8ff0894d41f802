"""From what the archives hold to the folder that a dataset is read from."""

import json
import shutil
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from domainbed.errors import InputError

TERRA_LOCATIONS = ("38", "43", "46", "100")
TERRA_CLASSES = ("bird", "bobcat", "cat", "coyote", "dog", "empty", "opossum", "rabbit", "raccoon", "squirrel")
TERRA_LISTS = ("cis_test", "cis_val", "train", "trans_test", "trans_val")


def folder_of_domains(unpacked: Path, domains: Sequence[str]) -> Path:
    """The folder below `unpacked` that holds all the domains, whatever an archive calls it (PACS: `kfold`).

    Raises:
        InputError: there is none.
    """
    candidates = [unpacked]
    while candidates:  # level by level, so that the outermost is found
        for candidate in candidates:
            if all((candidate / domain).is_dir() for domain in domains):
                return candidate
        candidates = [inner for outer in candidates for inner in sorted(outer.iterdir()) if _is_plain_folder(inner)]
    found = ", ".join(sorted(path.name for path in unpacked.iterdir())) or "nothing"
    raise InputError(f"the archives hold no folder with {', '.join(domains)}; they hold {found}")


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith((".", "__MACOSX"))


def terra_incognita(unpacked: Path, domains: Sequence[str]) -> Path:
    """The images of four locations sorted into location_<location>/<category>/, moved there from `unpacked`.

    An image that shows animals of two categories is in both.

    Raises:
        InputError: the archives are not those of Caltech Camera Traps (ECCV 2018).
    """
    images = unpacked / "eccv_18_all_images_sm"
    wanted = _terra_places(unpacked / "eccv_18_annotation_files")
    sorted_images, lacking = unpacked / "sorted", 0
    for name, places in wanted.items():
        if not (images / name).is_file():
            lacking += 1
            continue
        targets = [sorted_images / place / name for place in sorted(places)]
        for target in targets:
            target.parent.mkdir(parents=True, exist_ok=True)
        for target in targets[1:]:
            shutil.copyfile(images / name, target)
        (images / name).replace(targets[0])
    if lacking:
        warnings.warn(f"{lacking} of the {len(wanted)} images in the annotations are not in the archive", stacklevel=2)
    return folder_of_domains(sorted_images if sorted_images.is_dir() else unpacked, domains)


def _terra_places(annotations: Path) -> dict[str, set[str]]:
    """File name of an image -> the folders location_<location>/<category> where it belongs."""
    lists = [_read_list(annotations / f"{name}_annotations.json") for name in TERRA_LISTS]
    try:
        return _places(lists)
    except KeyError as error:
        raise InputError(f"the annotations are no whole lists of Caltech Camera Traps: they lack {error}") from None


def _places(lists: Sequence[dict[str, list[dict[str, Any]]]]) -> dict[str, set[str]]:
    categories = {row["id"]: row["name"] for content in lists for row in content["categories"]}
    images = {row["id"]: row for content in lists for row in content["images"]}
    places: dict[str, set[str]] = defaultdict(set)
    for annotation in (row for content in lists for row in content["annotations"]):
        image, category = images.get(annotation["image_id"]), categories[annotation["category_id"]]
        if image and str(image["location"]) in TERRA_LOCATIONS and category in TERRA_CLASSES:
            places[_plain_name(image["file_name"])].add(f"location_{image['location']}/{category}")
    return places


def _read_list(path: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"the archives lack the annotations {path.name} ({error})") from None


def _plain_name(name: str) -> str:
    if PurePosixPath(name).name != name:
        raise InputError(f"the annotations name a file {name!r} outside the folder of images")
    return name


def read_list(path: Path, domains: Sequence[str]) -> list[str]:
    """The lines <domain>/<class>/<file> of a list of files.

    Raises:
        InputError: it cannot be read, or a line is no such path.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a list of files ({error})") from None
    listed = [line.strip() for line in lines if line.strip()]
    for line in listed:
        parts = PurePosixPath(line).parts
        if len(parts) != 3 or parts[0] not in domains or ".." in parts:
            raise InputError(f"{path} has the line {line!r}; expected <domain>/<class>/<file>")
    return listed


def remove_listed(folder: Path, listed: Iterable[str]) -> None:
    """Delete the files of a list; those that are not there are passed over."""
    for line in listed:
        (folder / line).unlink(missing_ok=True)
