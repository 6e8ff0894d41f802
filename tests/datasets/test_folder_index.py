"""The index of a folder equals what a walk over its files finds, and notices what has changed."""

import json
import os
import shutil
import time

import pytest
import torchvision
from small_images import make

from domainbed.datasets.folder_index import FolderIndex, image_files, subfolders
from domainbed.errors import InputError

NAMES = ["cat", "cat 2", "cat-2", "cät", "猫", os.fsdecode(b"k\xe4fer"), "line\nbreak", "Cat", '"quoted"']


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache; returns the files in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return lambda: [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


@pytest.fixture
def art(tmp_path):
    return make(tmp_path, "pets", ["art"], classes=NAMES) / "art"


def settle():
    """Until the times of a directory tell of every later change."""
    time.sleep(2.1)


def assert_equals_torchvision(folder):
    theirs = torchvision.datasets.ImageFolder(str(folder))
    index = FolderIndex(folder)
    assert index.folders() == subfolders(folder) == theirs.classes
    paths = [path for name in index.folders() for path in index.images(name)]
    assert paths == [path for path, _ in theirs.samples]
    assert paths == [path for name in theirs.classes for path in image_files(folder / name)]
    return index


def test_names_and_order_are_those_of_torchvision_whether_remembered_or_not(art, cache):
    for deeper in ("deeper", "deeper/still", "deeper 2"):
        shutil.copytree(art / "Cat", art / "cat" / deeper)
    (art / "cat" / "deeper" / os.fsdecode(b"gr\xfcn.PNG")).write_bytes(b"")
    (art / "loose.png").write_bytes(b"")
    assert_equals_torchvision(art).save()
    settle()
    index = assert_equals_torchvision(art)
    index.save()
    assert len(cache()) == 1
    assert assert_equals_torchvision(art).listings == index.listings


def test_where_no_directory_changed_no_directory_is_listed(art, cache, monkeypatch):
    settle()
    index = FolderIndex(art)
    index.save()
    with monkeypatch.context() as patch:
        patch.delattr(os, "scandir")
        assert FolderIndex(art).listings == index.listings
    (art / "cat" / "2.png").write_bytes(b"")
    (art / "a").mkdir()
    (art / "猫" / "0.png").unlink()
    shutil.copytree(art / "Cat", art / "a" / "b")
    assert_equals_torchvision(art)


def test_a_directory_whose_time_was_set_back_is_listed_again(art, cache):
    """As an archive or rsync does that restores the times of directories."""
    settle()
    FolderIndex(art).save()
    before = (art / "cat").stat().st_mtime_ns
    (art / "cat" / "0.png").unlink()
    os.utime(art / "cat", ns=(before, before))
    assert FolderIndex(art).images("cat") == [str(art / "cat" / "1.png")]


def test_a_directory_that_changed_just_now_is_not_trusted(art, cache):
    """Within the resolution of its times it may change again; nor is one whose server's clock is ahead."""
    settle()
    ahead = time.time() + 60
    os.utime(art / "cat", (ahead, ahead))
    index = FolderIndex(art)
    index.save()
    (art / "Cat" / "0.png").unlink()
    again = FolderIndex(art)
    assert index.listings["cat"].times is None
    assert again.listings["Cat"].times is None
    assert again.listings["cat 2"].times


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"": {}}', b'{"": 1}', b"\xff"])
def test_a_damaged_index_is_made_anew(art, cache, content):
    FolderIndex(art).save()
    (file,) = cache()
    file.write_bytes(content)
    FolderIndex(art).save()
    assert json.loads(file.read_bytes()).keys() == {"", *NAMES}


def test_a_link_to_a_folder_is_followed(art, cache, tmp_path):
    shutil.move(art / "cat", tmp_path / "elsewhere")
    (art / "cat").symlink_to(tmp_path / "elsewhere")
    (art / "dog").symlink_to(art / "cat")
    assert_equals_torchvision(art)


@pytest.mark.parametrize("inside", ["cat", "."])
def test_a_link_to_a_folder_that_holds_it_is_named(art, cache, inside):
    """A walk would go round until the system refuses, and find every image forty times."""
    (art / "cat" / "again").symlink_to(art / inside)
    for find in (FolderIndex, image_files):
        with pytest.raises(InputError, match=f"^{art}/cat/again is a link to a folder that holds it; remove the link$"):
            find(art)


@pytest.mark.parametrize("name", ["dog", "cat/2.png"])
def test_a_link_to_nowhere_is_named(art, cache, name, tmp_path):
    """It may be a whole class, on a disk that is not there."""
    (art / name).symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=f"^{art / name} is a link to {tmp_path}/nowhere, which is not there"):
        FolderIndex(art)


def test_a_link_in_a_circle_is_named(art, cache):
    (art / "dog").symlink_to(art / "dog")
    with pytest.raises(InputError, match=f"^{art}/dog cannot be read .*symbolic links"):
        FolderIndex(art)


def test_what_is_named_like_an_image_and_is_no_file_is_not_waited_for(art, cache):
    os.mkfifo(art / "cat" / "pipe.png")
    with pytest.raises(InputError, match=r"pipe\.png is named like an image and is no file"):
        FolderIndex(art)


def test_a_folder_that_is_not_there_is_named(cache, tmp_path):
    for find in (FolderIndex, image_files, subfolders):
        with pytest.raises(InputError, match=f"^{tmp_path}/gone cannot be read .No such file"):
            find(tmp_path / "gone")
