"""A run's exclusive_lock on its directory, with real processes."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from domainbed.errors import InputError
from domainbed.running.lock import exclusive_lock, is_live

HOLDER = """
import sys
from domainbed.running.lock import exclusive_lock

with exclusive_lock(sys.argv[1]):
    print("held", flush=True)
    input()
"""


def hold(directory, *before):
    process = subprocess.Popen(
        [*before, sys.executable, "-c", HOLDER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_directory_is_live_while_another_process_claims_it(tmp_path):
    assert not is_live(tmp_path)
    with hold(tmp_path) as process:
        assert is_live(tmp_path)
        with pytest.raises(InputError, match="still alive"), exclusive_lock(tmp_path, timeout=0):
            pass
        process.communicate("\n")
    assert process.returncode == 0
    assert not is_live(tmp_path)
    assert os.listdir(tmp_path) == []


ANOTHER_HOST = ("unshare", "--map-root-user", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child")


def test_another_host_that_holds_a_shared_directory_is_seen(tmp_path):
    """Another host name, and process numbers that mean nothing here."""
    try:
        name = subprocess.run(
            [*ANOTHER_HOST, "sh", "-c", "hostname elsewhere; hostname"], capture_output=True, text=True
        )
    except FileNotFoundError:
        name = None
    if not name or name.stdout != "elsewhere\n":
        pytest.skip("the system makes no namespaces")
    with hold(tmp_path, *ANOTHER_HOST) as process:
        assert is_live(tmp_path)
        with pytest.raises(InputError, match="still alive"), exclusive_lock(tmp_path, timeout=0):
            pass
        process.kill()
    with exclusive_lock(tmp_path):
        assert is_live(tmp_path)


def test_a_killed_holder_leaves_the_directory_free(tmp_path):
    with hold(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
    assert os.listdir(tmp_path) == ["lock"]
    assert not is_live(tmp_path)
    with exclusive_lock(tmp_path, timeout=0):
        assert is_live(tmp_path)


def test_a_claim_waits_for_one_that_is_ending(tmp_path):
    with hold(tmp_path) as process:
        process.stdin.write("\n")
        process.stdin.close()
        with exclusive_lock(tmp_path):
            assert is_live(tmp_path)


def test_a_claim_ends_with_its_block_whatever_happens(tmp_path):
    with pytest.raises(KeyError), exclusive_lock(tmp_path):
        raise KeyError
    assert not is_live(tmp_path)


def test_who_deletes_a_directory_leaves_the_lock_of_the_next_one(tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    with exclusive_lock(directory):
        shutil.rmtree(directory)
        directory.mkdir()
        holder = hold(directory)
    with holder:
        assert is_live(directory)
        with pytest.raises(InputError, match="still alive"), exclusive_lock(directory, timeout=0):
            pass
        holder.communicate("\n")


def test_only_one_of_many_gets_the_directory_at_a_time(tmp_path):
    """Each adds its mark, waits, and takes it away; two holders at a time would see each other's."""
    script = """if True:
        import os, sys, time
        from domainbed.running.lock import exclusive_lock
        for _ in range(5):
            with exclusive_lock(sys.argv[1], timeout=60):
                mark = os.path.join(sys.argv[1], "mark")
                os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
                time.sleep(0.01)
                os.unlink(mark)
    """
    racers = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) for _ in range(4)]
    while any(racer.poll() is None for racer in racers):
        is_live(tmp_path)
        time.sleep(0.01)
    assert [racer.returncode for racer in racers] == [0] * 4
