"""What is unpacked, and what is refused."""

import io
import os
import stat
import tarfile
import zipfile

import pytest

from domainbed.datasets.download import archives, room
from domainbed.datasets.download.archives import Unusable, unpack
from domainbed.errors import InputError

FILES = {"top/a/1.jpg": os.urandom(3000), "top/b/2.jpg": b"", "top/b/ümlaut ü.txt": b"text"}


def make_zip(path, files, links=()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.mkdir("top/empty") if hasattr(packed, "mkdir") else packed.writestr("top/empty/", b"")
        for name, content in files.items():
            packed.writestr(name, content)
        for name, target in links:
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            packed.writestr(info, target)
    return path


def member(name, kind=tarfile.REGTYPE, size=0, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, target
    return info


def make_tar(path, files, others=(), mode="w:gz"):
    with tarfile.open(path, mode) as packed:
        packed.addfile(member("top/empty", tarfile.DIRTYPE))
        for name, content in files.items():
            packed.addfile(member(name, size=len(content)), io.BytesIO(content))
        for info in others:
            packed.addfile(info)
    return path


def make_plain_tar(path, files):
    return make_tar(path, files, mode="w")


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("make", [make_zip, make_tar, make_plain_tar])
def test_files_come_out_as_they_went_in(make, tmp_path):
    unpack(make(tmp_path / "archive", FILES), tmp_path / "out")
    assert contents(tmp_path / "out") == FILES
    assert (tmp_path / "out" / "top" / "empty").is_dir()


@pytest.mark.parametrize("name", ["../evil", "top/../../evil", "/evil", "C:/evil", "..\\evil", "top\\..\\..\\evil"])
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_names_that_lead_out_of_the_folder_are_refused(make, name, tmp_path):
    with pytest.raises(InputError, match="would lie outside"):
        unpack(make(tmp_path / "archive", {name: b"evil"}), tmp_path / "inner" / "out")
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind, tmp_path):
    """A link is refused wherever it leads: a later member could be written through it."""
    others = [member("top/link", kind, target="a/1.jpg")]
    with pytest.raises(InputError, match="'top/link' is a link or a device"):
        unpack(make_tar(tmp_path / "archive", FILES, others), tmp_path / "out")


def test_links_in_zip_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="'link' is a link or a device"):
        unpack(make_zip(tmp_path / "archive", FILES, [("link", "/etc/passwd")]), tmp_path / "out")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_bomb_stops_at_a_hundred_times_its_size(make, tmp_path):
    """50 MB of zeros in about 50 kB."""
    archive = make(tmp_path / "archive", {"zeros": bytes(50_000_000)})
    with pytest.raises(InputError, match="unpacks to over 100 times"):
        unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "zeros").stat().st_size <= 100 * archive.stat().st_size


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_so_does_a_swarm_of_files(make, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_FILES", 3)
    with pytest.raises(InputError, match="is one of more than 3 files"):
        unpack(make(tmp_path / "archive", FILES), tmp_path / "out")


def flip(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[: len(content) // 2],
        lambda content: flip(content, len(content) // 3),  # in the random bytes of a/1.jpg
        lambda content: b"no archive",
        lambda content: b"",
    ],
    ids=["cut", "flipped", "text", "empty"],
)
def test_damage_is_noticed(make, spoil, tmp_path):
    archive = make(tmp_path / "archive", FILES)
    archive.write_bytes(spoil(archive.read_bytes()))
    with pytest.raises(Unusable, match=r"archive is damaged or no archive .*get it again$") as caught:
        unpack(archive, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_damage_behind_the_last_file_is_noticed(tmp_path):
    """The checksum of gzip stands behind all that tarfile reads."""
    archive = make_tar(tmp_path / "archive", FILES)
    archive.write_bytes(flip(archive.read_bytes(), -6))
    with pytest.raises(InputError, match="damaged"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_file_in_the_place_of_a_folder_is_one_line(make, tmp_path):
    with pytest.raises(Unusable, match="cannot be unpacked"):
        unpack(make(tmp_path / "archive", {"top": b"", "top/1.jpg": b""}), tmp_path / "out")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_of_a_disk_that_fills_the_archive_is_not_guilty(make, tmp_path):
    (tmp_path / "out" / "top" / "a").mkdir(parents=True)
    (tmp_path / "out" / "top" / "a" / "1.jpg").symlink_to("/dev/full")
    with pytest.raises(InputError, match="the disk is full; make room, or choose another --data_dir") as caught:
        unpack(make(tmp_path / "archive", FILES), tmp_path / "out")
    assert not isinstance(caught.value, Unusable)


@pytest.mark.parametrize("make", [make_zip, make_plain_tar])
def test_too_much_for_the_disk_is_told_before(make, tmp_path, monkeypatch):
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(InputError, match=r"content of archive needs 0\.0 GB more, .*make room") as caught:
        unpack(make(tmp_path / "archive", FILES), tmp_path / "out")
    assert not isinstance(caught.value, Unusable)
    assert contents(tmp_path / "out") == {}
