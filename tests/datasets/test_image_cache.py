"""The cache of decoded images: what it keeps, what it refuses, and who may write to it at once."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from domainbed.datasets import image_cache as image_cache_module
from domainbed.datasets.image_cache import PARTIAL, TAIL, ImageCache, image_cache
from domainbed.files import remove_leftovers

PIXELS = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


class Decoder:
    """Answers with PIXELS and counts how often."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1
        return PIXELS


@pytest.fixture
def original(tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(PIXELS).save(path)
    return path


@pytest.fixture
def cache(tmp_path):
    found = ImageCache(tmp_path / "cache")
    found.announce(0)
    return found


def files(cache):
    return [path for path in cache.folder.rglob("*") if path.is_file()]


def test_an_image_is_decoded_once_for_everyone_who_reads_it(original, cache):
    decode = Decoder()
    for reader in (cache, cache, ImageCache(cache.folder)):
        assert np.array_equal(reader.image(str(original), None, decode), PIXELS)
    assert decode.count == 1
    assert [path.stat().st_size for path in files(cache)] == [PIXELS.size + TAIL.size]


def test_another_time_of_change_size_or_stored_size_is_another_image(original, cache):
    decode = Decoder()
    cache.image(str(original), None, decode)
    cache.image(str(original), (5, 7), decode)
    assert decode.count == 2
    os.utime(original, ns=(0, 0))
    cache.image(str(original), None, decode)
    original.write_bytes(original.read_bytes() + b"more")
    os.utime(original, ns=(0, 0))
    cache.image(str(original), None, decode)
    assert decode.count == 4


@pytest.mark.parametrize(
    "content", [b"", b"short", lambda whole: whole[:-1], lambda whole: bytes(len(whole) - 16) + whole[-16:]]
)
def test_a_damaged_file_is_decoded_and_written_anew(content, original, cache):
    """Cut short, or full of zeros as after a power failure."""
    decode = Decoder()
    cache.image(str(original), None, decode)
    (entry,) = files(cache)
    whole = entry.read_bytes()
    entry.write_bytes(content(whole) if callable(content) else content)
    assert np.array_equal(cache.image(str(original), None, decode), PIXELS)
    assert (decode.count, entry.read_bytes()) == (2, whole)


def test_a_lost_original_is_for_the_decoder_to_report(original, cache):
    cache.image(str(original), None, Decoder())
    original.unlink()
    decode = Decoder()
    cache.image(str(original), None, decode)
    assert decode.count == 1


def test_where_nothing_can_be_written_one_line_says_so_and_images_are_decoded(original, tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    cache, decode = ImageCache(tmp_path / "file" / "cache"), Decoder()
    assert "cannot be used" in cache.announce(10)
    for _ in range(3):
        assert np.array_equal(cache.image(str(original), None, decode), PIXELS)
    assert decode.count == 3
    (message,) = caplog.messages
    assert "\n" not in message
    assert "--cache_dir" in message


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_disk_that_fills_up_leaves_no_file_and_one_line(original, cache, monkeypatch, caplog):
    """The temporary file is a link to a full device, so that the write itself fails."""
    monkeypatch.setattr("domainbed.datasets.image_cache.uuid.uuid4", lambda: type("Fixed", (), {"hex": "0" * 32}))
    name = cache.entry(str(original), None).name
    (cache.folder / PARTIAL / f".{name}.{'0' * 32}").symlink_to("/dev/full")
    for _ in range(2):
        assert np.array_equal(cache.image(str(original), None, Decoder()), PIXELS)
    assert files(cache) == []
    (message,) = caplog.messages
    assert "No space left" in message


def test_more_than_fits_is_begun_and_ends_at_the_reserve_with_one_line(original, cache, monkeypatch, caplog):
    """What is free is looked up at the first image and at every third after it."""
    blocks = [100, 50, 1]  # free of 100 with a reserve of 2: announced, at the first image, at the fourth
    monkeypatch.setattr(image_cache_module, "LOOK_EVERY", 3)
    monkeypatch.setattr(
        os, "statvfs", lambda _: SimpleNamespace(f_bavail=blocks.pop(0), f_blocks=100, f_frsize=10**9)
    )  # fmt: skip
    assert cache.announce(10**18).endswith("what does not fit is decoded each time")
    for side in range(1, 7):
        assert np.array_equal(cache.image(str(original), (side, side), Decoder()), PIXELS)
    assert (len(files(cache)), blocks) == (3, [])
    (message,) = caplog.messages
    assert "less than 2% of the disk is free" in message
    assert "--cache_dir" in message


def test_bytes_are_announced_as_far_as_they_are_missing(original, cache):
    paths = [str(original)] * 120
    assert cache.missing_bytes(paths, None) == 120 * PIXELS.size
    assert cache.missing_bytes(paths, (10, 10)) == 120 * 300
    cache.image(str(original), None, Decoder())
    assert cache.missing_bytes(paths, None) == 0
    assert "0.0 GB to be written" in cache.announce(0)


def test_none_turns_it_off_and_the_default_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert image_cache("none") is None
    assert image_cache(None).folder == tmp_path / "domainbed" / "images"
    assert image_cache(str(tmp_path / "mine")).folder == tmp_path / "mine"


WRITER = """if True:
    import sys
    from pathlib import Path
    import numpy as np
    from domainbed.datasets.image_cache import ImageCache
    cache = ImageCache(Path(sys.argv[1]))
    cache.announce(0)
    originals = sorted(sys.argv[2:])
    print("ready", flush=True)
    for n, path in enumerate(originals):
        pixels = np.full((400, 500, 3), n, dtype=np.uint8)
        found = cache.image(path, None, lambda: pixels)
        assert (found == n).all(), n
    print("done", flush=True)
"""


def test_writers_at_once_and_a_killed_one_leave_only_whole_images(tmp_path):
    originals = [tmp_path / f"{n:03}" for n in range(60)]
    for path in originals:
        path.write_text("an image")
    command = [sys.executable, "-c", WRITER, str(tmp_path / "cache"), *map(str, originals)]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    time.sleep(0.02)
    writers[0].send_signal(signal.SIGKILL)
    assert [writer.communicate()[0] for writer in writers[1:]] == ["done\n"] * 2
    writers[0].communicate()
    cache = ImageCache(tmp_path / "cache")
    for n, path in enumerate(originals):
        assert (cache.image(str(path), None, lambda: pytest.fail("not in the cache")) == n).all()


def test_an_image_that_was_replaced_with_its_size_and_time_kept_is_decoded_anew(tmp_path, cache):
    path, decode = tmp_path / "image.bmp", Decoder()
    for color in ("red", "blue"):
        Image.new("RGB", (4, 4), color).save(path)
        os.utime(path, (1e9, 1e9))
        cache.image(str(path), None, decode)
    assert decode.count == 2


def test_images_are_kept_whether_or_not_the_cache_was_announced(original, tmp_path):
    cache, decode = ImageCache(tmp_path / "silent"), Decoder()
    for _ in range(2):
        cache.image(str(original), None, decode)
    assert decode.count == 1


def test_a_file_that_gets_its_name_while_leftovers_are_removed_is_no_error(tmp_path):
    """Another process writes all the time."""
    writer = subprocess.Popen(
        [sys.executable, "-c", NAMING, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    try:
        assert writer.stdout.readline()
        for _ in range(2000):
            remove_leftovers(tmp_path, age=60)
    finally:
        writer.kill()
        writer.communicate()


NAMING = """if True:
    import sys
    from pathlib import Path
    from domainbed.files import whole_file
    print("begun", flush=True)
    while True:
        with whole_file(Path(sys.argv[1], "file")) as file:
            file.write(b"content")
"""
