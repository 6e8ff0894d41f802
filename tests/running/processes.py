"""Runs in processes of their own, which are killed at a chosen place, and what must not differ afterwards.

A server that has imported everything forks a process for each command, so that killing many costs little.
"""

import itertools
import multiprocessing
import os
import signal
import sys
from pathlib import Path

import torch
from tiny_runs import read, untimed

import domainbed_gga.search
from domainbed.reports import records
from domainbed.running import checkpoints, experiment, loading, run
from domainbed.scripts import train

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["domainbed.scripts.train", "domainbed_gga.gga", "domainbed_gga.gga_l"])


def start(work, *args) -> multiprocessing.Process:
    process = processes.Process(target=work, args=args)
    process.start()
    return process


def end(process: multiprocessing.Process) -> int:
    """The exit code; that of a killed process is minus the signal's number."""
    process.join()
    return process.exitcode


def trained(argv: list[str]) -> None:
    # As in a script: workers that the server forks would not notice that their run was killed.
    multiprocessing.set_start_method("fork", force=True)
    sys.exit(train.main(argv))


def trained_until(place: str, count: int, number: signal.Signals, argv: list[str]) -> None:
    """Train, and get a signal when a place of PLACES is reached for the time `count`, counted from 1."""
    trained_with(place, count, lambda: os.kill(os.getpid(), number), argv)


def trained_with(place: str, count: int, action, argv: list[str]) -> None:
    """Train, and do something when a place of PLACES is reached for the time `count`."""
    counter = itertools.count(1)

    def reached() -> None:
        if next(counter) == count:
            action()

    PLACES[place](reached)
    trained(argv)


def before_call_of(owner, name: str):
    """A place: the call of a function."""

    def install(reached) -> None:
        function = getattr(owner, name)

        def wrapped(*args, **options):
            reached()
            return function(*args, **options)

        setattr(owner, name, wrapped)

    return install


def after_update(reached) -> None:
    """The weights have moved, and nobody has noted it yet."""
    update = run.Run._update

    def wrapped(*args):
        metrics = update(*args)
        reached()
        return metrics

    run.Run._update = wrapped


def half_an_appended_line(reached) -> None:
    def opened(path, mode, **options):
        file = open(path, mode, **options)  # noqa: SIM115
        whole = file.write

        def write(line: str) -> None:
            whole(line[: len(line) // 2])
            file.flush()
            reached()
            whole(line[len(line) // 2 :])

        file.write = write
        return file

    records.open = opened


def half_a_checkpoint(reached) -> None:
    save = torch.save

    def halved(content, file) -> None:
        if "step" in content:
            file.write(b"half of it")
            file.flush()
            reached()
            file.seek(0)
        save(content, file)

    torch.save = halved


PLACES = {
    "data": before_call_of(loading.TrainingLoader, "_indices"),
    "candidate": before_call_of(domainbed_gga.search, "_perturb"),
    "update": after_update,
    "evaluation": before_call_of(experiment, "accuracy"),
    "record": half_an_appended_line,
    "after record": before_call_of(checkpoints, "save_run_state"),
    "checkpoint": half_a_checkpoint,
    "model": before_call_of(run.Run, "_save_model"),
    "done": before_call_of(run, "write_done"),
}


def assert_same_run(output_dir: Path, uninterrupted: Path) -> None:
    """The same files, the same records but for times, and the same weights to the last bit."""
    names = {path.name for path in output_dir.iterdir()} - {"lock"}  # stays where the kill came after everything else
    assert names == {path.name for path in uninterrupted.iterdir()}
    assert untimed(read(output_dir)) == untimed(read(uninterrupted))
    for path in uninterrupted.glob("*.pkl"):
        weights, other = (checkpoints.load(place / path.name)["model_dict"] for place in (uninterrupted, output_dir))
        assert weights.keys() == other.keys()
        assert all(torch.equal(weights[name], other[name]) for name in weights), path.name
