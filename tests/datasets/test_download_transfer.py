"""Files over HTTP, from servers that break off, redirect, ask, refuse and dawdle."""

import hashlib
import json
import random
import signal
import subprocess
import sys
import time

import pytest
from file_server import serving

from domainbed.datasets.download import room, transfer
from domainbed.datasets.download.transfer import Unavailable, fetch
from domainbed.errors import InputError

NAME = "images.zip"
CONTENT = random.Random(0).randbytes(300_000)
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture
def server(tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / NAME).write_bytes(CONTENT)
    with serving(tmp_path / "served") as server:
        yield server


@pytest.fixture
def path(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / NAME


def partial(path):
    return path.with_name(f".{NAME}.part")


def got(server, path, *manners, **options):
    fetch([server.url(manner, NAME) for manner in manners], path, **{"pause": 0.001, "checksum": SHA256, **options})
    assert path.read_bytes() == CONTENT
    assert [found.name for found in path.parent.iterdir()] == [NAME]


@pytest.mark.parametrize("manner", ["whole", "redirects", "asks", "busy"])
def test_a_file_arrives(server, path, manner):
    """Also by way of another address, of a form such as Google Drive's, and of a server that is busy twice."""
    got(server, path, manner, size=len(CONTENT))


def test_what_broke_off_continues_at_the_next_byte(server, path):
    """Each answer is half of what is left: 150,000 bytes, 75,000, ..."""
    got(server, path, "breaks")
    assert server.ranges("breaks")[:4] == [None, "bytes=150000-", "bytes=225000-", "bytes=262500-"]


def arrived_before(server, path, manner, content, version=None):
    partial(path).write_bytes(content)
    origin = {"source": server.url(manner, NAME), "version": version}
    path.with_name(f".{NAME}.part.json").write_text(json.dumps(origin))


def test_a_server_that_knows_no_ranges_starts_over(server, path):
    arrived_before(server, path, "forgets", b"x" * 5000)
    got(server, path, "forgets")
    assert server.ranges("forgets") == ["bytes=5000-"]


def test_a_file_that_changed_meanwhile_is_not_glued_to_the_old_one(server, path):
    arrived_before(server, path, "whole", b"old" * 1000, version='"the tag of the old file"')
    got(server, path, "whole", checksum=None)


def test_the_next_source_delivers_where_the_first_do_not(server, path):
    got(server, path, "missing", "quota", "dies", "whole")
    assert server.ranges("dies") == [None] * transfer.ATTEMPTS


def test_without_a_source_the_reasons_are_told(server, path):
    with pytest.raises(Unavailable, match=r"missing/images\.zip: HTTP 404 .*quota/images\.zip: a web page instead"):
        got(server, path, "missing", "quota")
    with pytest.raises(Unavailable, match=r"broke off at 0 of 300000 bytes, 5 times"):
        got(server, path, "dies")
    with pytest.raises(Unavailable, match=r"refused"):
        fetch(["http://127.0.0.1:9/x"], path, pause=0.001)
    assert not path.exists()


def test_another_file_than_the_known_one_is_dropped(server, path):
    with pytest.raises(Unavailable, match=r"300000 bytes instead of 299999"):
        got(server, path, "whole", size=299_999)
    with pytest.raises(Unavailable, match=f"{SHA256} instead of sha256:0"):
        got(server, path, "whole", checksum="sha256:0")
    assert not path.exists()
    assert not partial(path).exists()
    got(server, path, "whole")
    assert server.ranges("whole") == [None] * 3


def test_slowness_is_no_failure(server, path):
    """The slow server takes over a second in all, 0.02 s for a piece."""
    got(server, path, "slow", timeout=0.5)
    assert server.ranges("slow") == [None]


def test_silence_counts_as_broken(server, path):
    """The server falls silent for a second after half of the file."""
    got(server, path, "stalls", timeout=0.2)
    assert server.ranges("stalls") == [None, "bytes=150000-"]


def kill_while_fetching(server, path):
    """SIGKILL a process that has fetched a part, and return how much that is."""
    script = "import sys; from pathlib import Path; from domainbed.datasets.download.transfer import fetch; "
    script += "fetch([sys.argv[1]], Path(sys.argv[2]))"
    process = subprocess.Popen([sys.executable, "-c", script, server.url("slow", NAME), str(path)])
    try:
        while not (partial(path).exists() and partial(path).stat().st_size > 20_000):
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return partial(path).stat().st_size


def test_a_killed_download_continues(server, path):
    there = kill_while_fetching(server, path)
    assert 20_000 < there < len(CONTENT)
    assert not path.exists()
    # The dead source is asked later than the one that part of the file came from.
    got(server, path, "missing", "slow")
    assert server.ranges("slow") == [None, f"bytes={there}-"]
    assert server.ranges("missing") == []


def test_killed_after_the_last_byte(server, path):
    arrived_before(server, path, "whole", CONTENT)
    got(server, path, "whole")
    assert server.ranges("whole") == [f"bytes={len(CONTENT)}-"]


def test_too_much_for_the_disk_is_told_before(server, path, monkeypatch):
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(InputError, match=r"needs 0\.0 GB more, .*; make room, or choose another --data_dir"):
        got(server, path, "whole")
    assert partial(path).exists() is False
