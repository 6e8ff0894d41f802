"""Machines that fail while a run trains, on real processes: one clear line, and the same command continues."""

import ctypes
import functools
import multiprocessing
import os
import platform
import resource
import shutil
import signal
import struct
import sys
import time

import pytest
import torch
from processes import assert_same_run, end, start, trained, trained_until, trained_with
from tiny_runs import command, images

from domainbed.running import checkpoints
from domainbed.scripts import train

libc = ctypes.CDLL(None, use_errno=True)
NEW_MOUNTS, READ_ONLY, REMOUNT, BIND, DETACH = 0x20000, 1, 32, 4096, 2
FLAGS = ("--steps", "5", "--checkpoint_freq", "2")


def mounted(source, target, kind: str | None, flags: int, data: str | None = None) -> None:
    words = [os.fsencode(word) if word is not None else None for word in (source, target, kind)]
    if libc.mount(*words, flags, data and data.encode()):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def with_own_mounts(work, *args) -> None:
    """Do the work where mounts are seen by this process alone."""
    if libc.unshare(NEW_MOUNTS):
        sys.exit("not allowed to mount")
    mounted(None, "/", None, 1 << 18 | 1 << 14)  # private, recursively
    work(*args)


def may_mount() -> bool:
    return sys.platform == "linux" and end(start(with_own_mounts, print)) == 0


def mounting(work, *args) -> int:
    if not may_mount():
        pytest.skip("the system allows no mounts")
    return end(start(with_own_mounts, work, *args))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    assert end(start(trained, command(out, *FLAGS))) == 0
    return out


def last_error(output_dir) -> str:
    return (output_dir / "err.txt").read_text().splitlines()[-1]


def on_a_small_disk(out, elsewhere) -> None:
    """Room for one checkpoint and a half; then for all."""
    out.mkdir()
    mounted("tmpfs", out, "tmpfs", 0, "size=4500k")
    sys.stderr = open(elsewhere.with_suffix(".err"), "w")  # noqa: SIM115
    assert train.main(command(out, *FLAGS)) == 1
    assert checkpoints.load_run_state(out)[1]["step"] == 0
    mounted("tmpfs", out, "tmpfs", REMOUNT, "size=50m")
    assert train.main(command(out, *FLAGS)) == 0
    sys.stderr.close()
    shutil.copytree(out, elsewhere)


def test_a_full_disk(tmp_path, undisturbed):
    out = tmp_path / "run"
    assert mounting(on_a_small_disk, out, tmp_path / "copy") == 0
    errors = (tmp_path / "copy.err").read_text().splitlines()
    assert errors == [f"error: {out}: No space left on device; once that is mended, the same command continues"]
    assert_same_run(tmp_path / "copy", undisturbed)


def on_a_read_only_disk(out, argv) -> None:
    mounted(out, out, None, BIND)
    mounted(None, out, None, BIND | REMOUNT | READ_ONLY)
    trained(argv)


def test_an_output_directory_that_is_read_only(tmp_path, undisturbed):
    out = tmp_path / "run"
    argv = command(out, *FLAGS)
    assert end(start(trained_until, "update", 4, signal.SIGTERM, argv)) == 143
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert mounting(on_a_read_only_disk, out, argv) == 2
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert end(start(trained, argv)) == 0
    assert_same_run(out, undisturbed)


def no_more_writing() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def too_much_memory() -> None:
    torch.empty(2**60, dtype=torch.uint8)


def a_clock_set_back() -> None:
    clock = time.time
    time.time = lambda: clock() - 86400


def with_errors_in(pipe, *args) -> None:
    """Train with the standard error in a pipe: to a file nobody could write either."""
    sys.stderr = open(pipe, "w")  # noqa: SIM115
    trained_with(*args)


TOO_LARGE = "error: {}: File too large; once that is mended, the same command continues\n"
NO_MEMORY = "error: out of memory ("


@pytest.mark.parametrize(
    ("place", "count", "failure", "line"),
    [
        ("done", 1, no_more_writing, TOO_LARGE),
        ("after record", 2, no_more_writing, TOO_LARGE),
        ("update", 4, too_much_memory, NO_MEMORY),
    ],
)
def test_what_the_system_refuses_is_one_line_and_the_same_command_continues(
    place, count, failure, line, tmp_path, undisturbed
):
    out, pipe = tmp_path / "run", tmp_path / "errors"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)
    argv = command(out, *FLAGS)
    assert end(start(with_errors_in, pipe, place, count, failure, argv)) == 1
    errors = os.read(reader, 65536).decode()
    os.close(reader)
    assert errors.startswith(line.format(out))
    assert errors.count("\n") == 1
    assert not (out / "done").exists()
    assert end(start(trained, argv)) == 0
    assert_same_run(out, undisturbed)


def test_a_clock_set_back_changes_nothing(tmp_path, undisturbed):
    out = tmp_path / "run"
    out.mkdir()
    leftover = out / (".checkpoint.pt." + "0f" * 16)
    leftover.write_text("from a killed process")
    later = time.time() + 86400
    os.utime(leftover, (later, later))
    assert end(start(trained_with, "update", 2, a_clock_set_back, command(out, *FLAGS))) == 0
    assert_same_run(out, undisturbed)


PETS = [
    "--dataset=ImageFolder:pets", "--steps=3", "--checkpoint_freq=2",
    '--hparams={"image_size": 64, "pretrained": false, "resnet18": true, "batch_size": 2}',
]  # fmt: skip


def a_worker_dies() -> None:
    multiprocessing.active_children()[0].kill()
    time.sleep(60)  # the run is told at once


def test_a_worker_that_is_killed(tmp_path):
    argv = command(tmp_path / "run", *PETS, "--data_dir", str(images(tmp_path / "data")), "--num_workers")
    assert end(start(trained_with, "update", 2, a_worker_dies, [*argv, "1"])) == 1
    assert last_error(tmp_path / "run").startswith("error: a process that loads images was killed")
    assert checkpoints.load_run_state(tmp_path / "run")[1]["step"] == 0
    assert end(start(trained, [*argv, "0"])) == 0


def unmounted(place) -> None:
    assert libc.umount2(os.fsencode(place), DETACH) == 0


def on_mounted_data(data, place, argv) -> None:
    place.mkdir()
    mounted(data, place, None, BIND)
    trained_with("update", 2, functools.partial(unmounted, place), argv)


def test_data_that_is_unmounted(tmp_path):
    data = images(tmp_path / "data")
    argv = command(tmp_path / "run", *PETS, "--data_dir", str(tmp_path / "mounted"), "--num_workers", "0")
    assert mounting(on_mounted_data, data, tmp_path / "mounted", argv) == 2
    line = last_error(tmp_path / "run")
    assert line.startswith("error: ")
    assert str(tmp_path / "mounted") in line
    os.rmdir(tmp_path / "mounted")
    data.rename(tmp_path / "mounted")
    assert end(start(trained, argv)) == 0


def without_locks(work, *args) -> None:
    """Do the work where the system answers flock with ENOSYS, by a filter of system calls (seccomp)."""
    number = {"x86_64": 73, "aarch64": 32}[platform.machine()]
    instructions = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | 38), (0x06, 0, 0, 0x7FFF0000)]
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    code = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("HL", len(instructions), ctypes.addressof(code)))
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, header, 0, 0) == 0  # PR_SET_SECCOMP
    work(*args)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64") or sys.platform != "linux", reason="Linux alone")
def test_a_file_system_without_locks_is_mentioned_and_used(tmp_path, undisturbed):
    argv = command(tmp_path / "run", *FLAGS)
    assert end(start(without_locks_told, argv, tmp_path / "errors")) == 0
    warning = (tmp_path / "errors").read_text()
    assert warning == (
        f"warning: {tmp_path / 'run'} is on a file system without locks (Function not implemented);"
        " assumed that no other process trains there\n"
    )
    assert_same_run(tmp_path / "run", undisturbed)
    assert not (tmp_path / "run" / "lock").exists()


def without_locks_told(argv, errors) -> None:
    sys.stderr = open(errors, "w")  # noqa: SIM115
    without_locks(trained, argv)
