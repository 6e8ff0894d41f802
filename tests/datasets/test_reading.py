"""Image files of every kind: what is read of them, and what is said where they cannot be."""

import os

import numpy as np
import pytest
import torchvision
from PIL import Image, ImageFile

from domainbed.datasets.reading import read_image
from domainbed.errors import InputError

RED, BLUE = (255, 0, 0), (0, 0, 255)


def photo(mode="RGB", size=(150, 100)):
    """Smooth, with noise, so that its file is long."""
    width, height = size
    ramp = np.linspace(0, 180, width * height * 3).reshape(height, width, 3)
    noise = np.random.RandomState(0).randint(0, 60, (height, width, 3))
    return Image.fromarray((ramp + noise).astype(np.uint8)).convert(mode)


def saved(path, image, **options):
    image.save(path, **options)
    return str(path)


def cut(path, share):
    """Leave that share of a file's bytes."""
    os.truncate(path, int(os.path.getsize(path) * share))
    return str(path)


def pixels(image):
    assert image.mode == "RGB"
    return np.asarray(image)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("RGB", "jpg"), ("L", "jpg"), ("CMYK", "jpg"), ("RGBA", "png"), ("LA", "png"), ("P", "png"), ("1", "png")],
)
def test_eight_bits_are_read_as_torchvision_reads_them(mode, suffix, tmp_path):
    path = saved(tmp_path / f"image.{suffix}", photo(mode))
    theirs = torchvision.datasets.folder.default_loader(path)
    assert np.array_equal(pixels(read_image(path)), pixels(theirs))


@pytest.mark.parametrize("kind", [np.uint16, np.dtype(">u2"), np.int32])
def test_sixteen_bits_keep_their_upper_eight(kind, tmp_path):
    """PIL's own conversion clips: all above 255 would be white."""
    values = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    path = saved(tmp_path / "depth.tif", Image.fromarray(values.astype(kind)))
    assert np.array_equal(pixels(read_image(path)), np.repeat((values >> 8)[:, :, None], 3, axis=2))


def test_sixteen_bits_in_png(tmp_path):
    values = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    path = saved(tmp_path / "depth.png", Image.fromarray(values))
    assert pixels(read_image(path))[0, :, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize("values", [np.full((2, 2), 0.5, np.float32), np.full((2, 2), -1, np.int32)])
def test_thirty_two_bits_are_refused(values, tmp_path):
    path = saved(tmp_path / "depth.tif", Image.fromarray(values))
    with pytest.raises(InputError, match=f"^{path} has pixels of 32 bits.*save it with 8 or 16 bits$"):
        read_image(path)


def test_of_a_transparent_palette_the_colours_are_read(tmp_path):
    """As torchvision reads them, which warns of the transparency that it drops."""
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    path = saved(tmp_path / "logo.png", image, transparency=bytes([0, 128]))
    assert pixels(read_image(path)).tolist() == [[list(RED), list(BLUE)]]


@pytest.mark.parametrize("suffix", ["webp", "png", "tif"])
def test_of_an_animation_the_first_frame_is_read(suffix, tmp_path):
    first, second = (Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE))
    options = {"lossless": True} if suffix == "webp" else {}
    path = saved(tmp_path / f"moving.{suffix}", first, save_all=True, append_images=[second], **options)
    with Image.open(path) as image:
        assert image.n_frames == 2
    assert pixels(read_image(path))[0, 0].tolist() == list(RED)


def test_pixels_are_not_turned_as_exif_says(tmp_path):
    """The original does not turn them either, and equal splits should mean equal images."""
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    turned, plain = saved(tmp_path / "turned.jpg", photo(), exif=exif), saved(tmp_path / "plain.jpg", photo())
    assert np.array_equal(pixels(read_image(turned)), pixels(read_image(plain)))


def test_damaged_metadata_are_no_matter(tmp_path):
    path = saved(tmp_path / "exif.jpg", photo(), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09")
    assert read_image(path).size == (150, 100)


@pytest.mark.parametrize(("suffix", "options"), [("jpg", {}), ("jpg", {"progressive": True}), ("png", {}), ("bmp", {})])
def test_truncated_images_are_read_as_far_as_they_go(suffix, options, tmp_path):
    path = saved(tmp_path / f"image.{suffix}", photo(), **options)
    whole = pixels(read_image(path)).astype(int)
    cut(path, 0.6)
    with pytest.raises(InputError, match=r"cannot be read .*truncated.*restore it, or .*\"tolerate_truncated\": true"):
        read_image(path)
    rest = pixels(read_image(path, tolerate_truncated=True)).astype(int)
    assert rest.shape == whole.shape
    there = rest[-8:] if suffix == "bmp" else rest[:8]  # BMP begins with the last row
    assert np.abs(there - (whole[-8:] if suffix == "bmp" else whole[:8])).mean() < 25
    with pytest.raises(InputError):
        read_image(path)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("suffix", ["png", "bmp"])
def test_of_a_header_alone_nothing_is_read(suffix, tmp_path):
    path = saved(tmp_path / f"image.{suffix}", photo())
    os.truncate(path, 54 if suffix == "bmp" else 60)
    with pytest.raises(InputError, match=f"^{path} cannot be read as an image"):
        read_image(path, tolerate_truncated=True)


@pytest.mark.parametrize("tolerate", [False, True])
@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "it is empty"), (b"<html>Quota exceeded</html>", "PIL knows no such format")]
)
def test_what_is_no_image_is_refused_whatever_is_tolerated(content, reason, tolerate, tmp_path):
    path = tmp_path / "image.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^{path} cannot be read as an image \({reason}\); restore it, or delete it"):
        read_image(str(path), tolerate)


def test_links_that_lead_nowhere_name_their_target(tmp_path):
    for name, target in (("gone.png", "elsewhere.png"), ("loop.png", "loop.png")):
        (tmp_path / name).symlink_to(tmp_path / target)
        with pytest.raises(InputError, match=f"{name} cannot be read .*a link to {tmp_path / target}: "):
            read_image(str(tmp_path / name))


def test_images_of_20000_pixels_a_side_are_refused_before_they_fill_the_memory(tmp_path):
    path = saved(tmp_path / "huge.png", Image.new("1", (20_000, 20_000)))
    with pytest.raises(InputError, match=f"^{path} is larger than PIL reads.*save it smaller under the same name"):
        read_image(path)


def test_images_of_which_pil_only_warns_are_read(tmp_path):
    width, height = 20_000, 4_500  # 90 million pixels
    path = saved(tmp_path / "large.png", Image.new("1", (width, height)))
    assert read_image(path).size == (width, height)
