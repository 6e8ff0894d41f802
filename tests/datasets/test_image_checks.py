"""Every image is decoded once: what is refused, what is remembered, what is read again."""

import os
import shutil
import subprocess
import sys
import time

import pytest
from PIL import Image
from small_images import PLAIN, damage, make

from domainbed.datasets.folder_index import FolderIndex
from domainbed.errors import InputError


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_a_damaged_image_is_named(pets, dataset_class, content):
    path = pets / "sketch" / "dog" / "1.png"
    path.write_bytes(path.read_bytes()[:-400] if content is None else content)
    with pytest.raises(InputError, match=f"{path} cannot be read") as caught:
        dataset_class.check(pets.parent, PLAIN)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=f"{path} cannot be read"):
        dataset_class(pets.parent, [0], PLAIN)[2][3]


def test_images_are_read_once_until_one_changes(pets, dataset_class):
    dataset_class.check(pets.parent, PLAIN)
    path = pets / "art" / "cat" / "1.png"
    damage(path)
    dataset_class.check(pets.parent, PLAIN)
    os.utime(path)
    with pytest.raises(InputError, match=r"1\.png"):
        dataset_class.check(pets.parent, PLAIN)


def test_the_data_folder_is_left_as_it_was(pets, dataset_class):
    before = sorted(pets.parent.rglob("*"))
    dataset_class.check(pets.parent, PLAIN)
    assert sorted(pets.parent.rglob("*")) == before


def test_a_folder_behind_a_link_is_not_read_again(pets, dataset_class, tmp_path):
    dataset_class.check(pets.parent, PLAIN)
    damage(pets / "art" / "cat" / "1.png")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "pets").symlink_to(pets)
    dataset_class.check(tmp_path / "elsewhere", PLAIN)


def test_folders_do_not_share_what_is_remembered(pets, dataset_class, tmp_path):
    dataset_class.check(pets.parent, PLAIN)
    shutil.copytree(pets, tmp_path / "copy" / "pets")
    damage(tmp_path / "copy" / "pets" / "art" / "cat" / "1.png")
    with pytest.raises(InputError, match=r"1\.png"):
        dataset_class.check(tmp_path / "copy", PLAIN)
    dataset_class.check(pets.parent, PLAIN)


def test_the_cache_is_below_the_home_directory_unless_xdg_says_otherwise(pets, dataset_class, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/path")
    dataset_class.check(pets.parent, PLAIN)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    dataset_class.check(pets.parent, PLAIN)
    for cache in (tmp_path / "home" / ".cache", tmp_path / "xdg"):
        assert len(list((cache / "domainbed" / "folders").iterdir())) == 3


def test_without_a_usable_cache_images_are_read_every_time(pets, dataset_class, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    dataset_class.check(pets.parent, PLAIN)
    damage(pets / "art" / "cat" / "0.png")
    with pytest.raises(InputError, match=r"0\.png"):
        dataset_class.check(pets.parent, PLAIN)


def test_what_killed_jobs_left_in_the_cache_is_removed_a_day_later(pets, dataset_class, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    dataset_class.check(pets.parent, PLAIN)
    indexes = {path for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    being_written, left = (min(indexes).with_name(f".name.{digit * 32}") for digit in "0f")
    for path, hours in ((being_written, 1), (left, 25)):
        path.touch()
        os.utime(path, (time.time() - 3600 * hours,) * 2)
    make(tmp_path, "pets", ["more"])
    dataset_class.check(pets.parent, PLAIN)
    assert not left.exists()
    assert {*indexes, being_written} < set(left.parent.iterdir())


def test_jobs_that_check_at_the_same_time_leave_one_whole_memory(pets, dataset_class, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    script = (
        "from domainbed import datasets; "
        f"datasets.get_dataset_class('ImageFolder:pets').check({str(tmp_path)!r}, {PLAIN})"
    )
    jobs = [subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [job.communicate()[1] for job in jobs] == [""] * 3
    assert len([path for path in (tmp_path / "cache").rglob("*") if path.is_file()]) == 3
    damage(pets / "art" / "cat" / "0.png")
    dataset_class.check(pets.parent, PLAIN)


THREADS = """
import os, sys, threading
names = set()
os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
from domainbed import datasets
threading.settrace(lambda *_: names.add(threading.current_thread().name))
datasets.get_dataset_class("ImageFolder:pets").check(sys.argv[1], {"image_size": 16})
print(sum("ThreadPool" in name for name in names))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot limit a process to some CPUs")
def test_images_are_read_by_as_many_threads_as_there_are_usable_cpus(tmp_path):
    make(tmp_path, "pets", ["art"], images=150)
    assert subprocess.check_output([sys.executable, "-c", THREADS, str(tmp_path)], text=True) == "1\n"


SHORT_OF_MEMORY = """
import resource, sys
from domainbed import datasets
from domainbed.datasets.reading import read_image
read_image(sys.argv[2])
with open("/proc/self/statm") as file:
    there = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (there + 200 * 2**20,) * 2)
try:
    datasets.get_dataset_class("ImageFolder:pets").check(sys.argv[1], {"image_size": 16})
except MemoryError:
    print("MemoryError")
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="this system does not tell a process its size")
def test_a_machine_short_of_memory_makes_no_image_faulty(pets, dataset_class):
    """A PNG of 81 million pixels, which as RGB takes 324 MB; 200 are left."""
    small, large = pets / "art" / "cat" / "0.png", pets / "art" / "cat" / "1.png"
    Image.new("1", (9_000, 9_000)).save(large)
    command = [sys.executable, "-c", SHORT_OF_MEMORY, str(pets.parent), str(small)]
    assert subprocess.check_output(command, text=True) == "MemoryError\n"
    assert FolderIndex(pets / "art").faulty() == []
    dataset_class.check(pets.parent, PLAIN)


def test_of_a_changed_folder_the_changed_directory_alone_is_read_again(pets, dataset_class):
    dataset_class.check(pets.parent, PLAIN)
    damage(pets / "art" / "cat" / "1.png")
    shutil.copy(pets / "art" / "dog" / "0.png", pets / "art" / "dog" / "2.png")
    dataset_class.check(pets.parent, PLAIN)
    (pets / "art" / "dog" / "3.png").touch()
    with pytest.raises(InputError, match=r"dog/3\.png cannot be read as an image \(it is empty\).*changes the splits$"):
        dataset_class.check(pets.parent, PLAIN)


def test_after_a_faulty_image_is_restored_no_other_is_read_again(pets, dataset_class):
    path = pets / "sketch" / "dog" / "1.png"
    whole = path.read_bytes()
    path.write_bytes(b"")
    (pets / "photo" / "cat" / "0.png").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(InputError, match=r"photo/cat/0\.png .* \(and 1 more\)$"):
            dataset_class.check(pets.parent, PLAIN)
    damage(pets / "art" / "cat" / "1.png")
    path.write_bytes(whole)
    (pets / "photo" / "cat" / "0.png").write_bytes(whole)
    dataset_class.check(pets.parent, PLAIN)


def test_truncated_images_are_tolerated_with_a_warning_if_asked_for(pets, dataset_class):
    tolerant, path = PLAIN | {"tolerate_truncated": True}, pets / "sketch" / "dog" / "1.png"
    os.truncate(path, path.stat().st_size - 400)
    for _ in range(2):
        with pytest.warns(UserWarning, match=f"^pets: images cut short are used: 1, such as {path}$"):
            dataset_class.check(pets.parent, tolerant)
    assert dataset_class(pets.parent, [0], tolerant)[2][3][0].shape == (3, 16, 16)
    with pytest.raises(InputError, match="tolerate_truncated"):
        dataset_class.check(pets.parent, PLAIN)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"1\.png cannot be read as an image \(it is empty\)"):
        dataset_class.check(pets.parent, tolerant)
