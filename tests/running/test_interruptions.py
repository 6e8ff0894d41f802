"""Runs whose processes are killed, or started twice: each ends as an uninterrupted one does, to the last bit."""

import io
import itertools
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny_runs import command, read, untimed

import domainbed.algorithms
from domainbed.algorithms import ERM
from domainbed.running import checkpoints
from domainbed.scripts import train

# A server that has imported everything forks a process for each command, so that killing many costs little.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["domainbed.scripts.train", "domainbed_gga.gga", "domainbed_gga.gga_l"])

NESTED = ("--algorithm", "CORAL_GGA_GGA_L", "--steps", "12", "--checkpoint_freq", "1")
SHORT = ("--steps", "2", "--checkpoint_freq", "1", "--save_model_every_checkpoint")
DONE = {"results.jsonl", "out.txt", "err.txt", "model.pkl", "done"}


def start(work, *args) -> multiprocessing.Process:
    process = processes.Process(target=work, args=args)
    process.start()
    return process


def end(process: multiprocessing.Process) -> int:
    """The exit code; that of a killed process is minus the signal's number."""
    process.join()
    return process.exitcode


def trained(argv: list[str]) -> None:
    sys.exit(train.main(argv))


def trained_and_killed(instant: int, argv: list[str]) -> None:
    """Train, but be killed just after the given number of operations that change files for good."""
    operations = itertools.count()

    def counted(operation):
        def wrapped(target, *args, **options):
            changes = not isinstance(target, Path) or target.exists()
            result = operation(target, *args, **options)
            if changes and next(operations) == instant:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return wrapped

    os.fsync, os.replace, Path.unlink = counted(os.fsync), counted(os.replace), counted(Path.unlink)
    trained(argv)


class Remembering(ERM):
    """Its state is a list of optimizers, a counter, and an attribute of a module."""

    def __init__(self, input_shape, num_classes, num_domains, hparams):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        sgd = torch.optim.SGD(self.classifier.parameters(), lr=0.01, momentum=0.9)
        self.optimizers = [self.adam(self.featurizer), sgd]
        self.count = 0
        self.featurizer.total = 0.0

    def update(self, minibatches, unlabeled=None):
        x, y = (torch.cat(parts) for parts in zip(*minibatches, strict=True))
        loss = torch.nn.functional.cross_entropy(self.predict(x), y) * (1 + self.count + self.featurizer.total)
        self.step(loss, *self.optimizers)
        self.count += 1
        self.featurizer.total += loss.item() / 100
        return {"loss": loss.item(), "count": self.count}


def remembering(work, *args) -> None:
    domainbed.algorithms.Remembering = Remembering
    work(*args)


def trained_late(at_lock, go, argv: list[str]) -> None:
    """Train, but stop for a signal when everything is checked and the lock comes next."""
    exclusive_lock = train.exclusive_lock

    def late(*args):
        at_lock.set()
        go.wait()
        return exclusive_lock(*args)

    train.exclusive_lock = late
    trained(argv)


def contents(output_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in output_dir.iterdir()}


def recorded_lines(output_dir: Path) -> list[str]:
    """The lines of results.jsonl, which tell by their times whether a step was trained again."""
    path = output_dir / "results.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def assert_same_run(output_dir: Path, uninterrupted: Path) -> None:
    names = {path.name for path in output_dir.iterdir()} - {"lock"}  # stays where the kill came after everything else
    assert names == {path.name for path in uninterrupted.iterdir()}
    assert untimed(read(output_dir)) == untimed(read(uninterrupted))
    for path in uninterrupted.glob("*.pkl"):
        weights, other = (checkpoints.load(place / path.name)["model_dict"] for place in (uninterrupted, output_dir))
        assert weights.keys() == other.keys()
        assert all(torch.equal(weights[name], other[name]) for name in weights), path.name


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A directory for each list of flags, in which such a run has ended uninterrupted."""
    root, directories = tmp_path_factory.mktemp("uninterrupted"), {}

    def uninterrupted(*flags: str) -> Path:
        if flags not in directories:
            directories[flags] = root / str(len(directories))
            assert end(start(trained, command(directories[flags], *flags))) == 0
        return directories[flags]

    return uninterrupted


def test_a_run_killed_after_any_change_of_its_files_ends_as_if_nothing_had_happened(tmp_path, uninterrupted):
    expected = uninterrupted(*SHORT)
    assert {path.name for path in expected.iterdir()} == DONE | {"model_step0.pkl", "model_step1.pkl"}
    for instant in itertools.count():
        out = tmp_path / str(instant)
        argv = command(out, *SHORT)
        code = end(start(trained_and_killed, instant, argv))
        if code == 0:
            break
        assert code == -signal.SIGKILL
        written = recorded_lines(out)
        durable = written if (out / "done").exists() else written[:-1]  # the last one may have no checkpoint yet
        assert end(start(trained, argv)) == 0
        assert_same_run(out, expected)
        assert recorded_lines(out)[: len(durable)] == durable, "training began anew"
    assert instant > 10


def test_what_an_algorithm_remembers_survives_a_kill(tmp_path):
    flags = ["--algorithm", "Remembering", "--steps", "4", "--checkpoint_freq", "1"]
    assert end(start(remembering, trained, command(tmp_path / "uninterrupted", *flags))) == 0
    argv = command(tmp_path / "run", *flags)
    for instant in (4, 5, 2):  # while a checkpoint is written, after one, and after a record
        assert end(start(remembering, trained_and_killed, instant, argv)) == -signal.SIGKILL
    assert end(start(remembering, trained, argv)) == 0
    assert_same_run(tmp_path / "run", tmp_path / "uninterrupted")
    assert [record["count"] for record in read(tmp_path / "run")] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("lost", "seed", "complaint"),
    [
        ("results.jsonl", "0", "has lost the records of 2 steps before"),
        ("results.jsonl", "1", "holds another run's results (seed 0); choose another --output_dir"),
        ("checkpoint.pt", "0", "holds 3 records and there is no checkpoint.pt to continue from"),
    ],
)
def test_a_killed_run_that_has_lost_a_file_is_refused_and_nothing_else_is_lost(lost, seed, complaint, tmp_path):
    out = tmp_path / "run"
    flags = ["--steps", "4", "--checkpoint_freq", "1", "--seed"]
    # Three changes of files make a checkpoint: a record, the temporary file, and its renaming.
    assert end(start(trained_and_killed, 6, command(out, *flags, "0"))) == -signal.SIGKILL
    (out / lost).unlink()
    before = contents(out)
    assert end(start(trained, command(out, *flags, seed))) == 2
    assert complaint in (out / "err.txt").read_text().splitlines()[-1]
    printed = {"out.txt", "err.txt", "failed", "lock"}
    preserved = {name: content for name, content in before.items() if name not in printed and name[0] != "."}
    assert preserved
    assert {name: content for name, content in contents(out).items() if name not in printed} == preserved


def test_a_run_killed_again_and_again_ends_as_if_nothing_had_happened(tmp_path, uninterrupted):
    """Ten kills at random instants of searches within searches; a run that ends in between is followed by another."""
    kills, runs = 0, 0
    while kills < 10:
        out = tmp_path / str(runs)
        process = start(trained, command(out, *NESTED))
        process.join(random.uniform(0.05, 0.6))
        process.kill()
        if end(process) == 0:
            assert_same_run(out, uninterrupted(*NESTED))
            runs += 1
        else:
            kills += 1
    assert end(start(trained, command(out, *NESTED))) == 0
    assert_same_run(out, uninterrupted(*NESTED))


def test_an_interrupted_run_says_so_in_one_line_and_continues(tmp_path, uninterrupted):
    out = tmp_path / "run"
    argv = command(out, *NESTED)
    # Where the shell ignores interrupts, as under nohup, Python would too.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from domainbed.scripts import train; sys.exit(train.main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *argv], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    while not recorded_lines(out):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    errors = process.communicate()[1].splitlines()
    assert process.returncode == 130
    assert [line for line in errors if not line.startswith("warning: ")] == ["Interrupted. The same command continues."]
    assert "lock" not in contents(out)
    assert end(start(trained, argv)) == 0
    assert_same_run(out, uninterrupted(*NESTED))


@pytest.mark.parametrize("instant", [1, 2, 5])
def test_an_interruption_of_a_checkpoint_is_no_other_error(instant, tmp_path, monkeypatch):
    class Interrupting(io.BytesIO):
        def write(self, content):
            if next(writes) == instant:
                raise KeyboardInterrupt
            return super().write(content)

    writes = itertools.count(1)
    monkeypatch.setattr(checkpoints, "whole_file", lambda path: Interrupting())
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(tmp_path / "checkpoint.pt", {"a": torch.zeros(3), "b": torch.ones(4)})


def test_of_two_equal_commands_one_trains_and_the_other_leaves_it_alone(tmp_path, uninterrupted):
    for attempt in range(3):
        out = tmp_path / str(attempt)
        pair = [start(trained, command(out, *SHORT)) for _ in range(2)]
        codes = sorted(map(end, pair))
        assert codes in ([0, 0], [0, 2])  # 2: the other one was still training
        assert_same_run(out, uninterrupted(*SHORT))
        assert (out / "out.txt").read_text().count("HParams:") == 1


@pytest.mark.parametrize(("seed", "code"), [("0", 0), ("1", 2)])
def test_who_gets_the_lock_after_a_run_has_ended_changes_nothing(seed, code, tmp_path):
    """All checks passed while the directory was empty; then another process trained there before the lock was asked."""
    out = tmp_path / "run"
    at_lock, go = processes.Event(), processes.Event()
    late = start(trained_late, at_lock, go, command(out, "--seed", seed))
    at_lock.wait()
    assert end(start(trained, command(out))) == 0
    before = contents(out)
    go.set()
    assert end(late) == code
    assert contents(out) == before
    assert before.keys() == DONE


def test_leftovers_of_killed_processes_are_removed_and_other_files_are_not(tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    leftovers = [".checkpoint.pt." + "0f" * 16, ".model.pkl." + "a1" * 16]
    others = [".nfs0001", "notes." + "0f" * 16, ".model.pkl"]
    for name in leftovers + others:
        (out / name).write_text("kept")
    directory = ".notes." + "0f" * 16
    (out / directory).mkdir()
    assert train.main(command(out)) == 0
    assert {path.name for path in out.iterdir()} == DONE | {*others, directory}


def test_data_loading_workers_do_not_keep_the_directory_of_a_killed_run(tmp_path):
    """A worker that outlives its run by a while has nothing to write there."""
    from domainbed.running.lock import is_live

    started = processes.Event()
    holder = start(hold_with_a_child, tmp_path, started)
    started.wait()
    assert is_live(tmp_path)
    holder.kill()
    end(holder)
    child = int((tmp_path / "child").read_text())
    os.kill(child, 0)  # it lives
    assert not is_live(tmp_path)
    os.kill(child, signal.SIGKILL)


def hold_with_a_child(directory: Path, started) -> None:
    from domainbed.running.lock import exclusive_lock

    with exclusive_lock(directory):
        child = os.fork()
        if child == 0:
            signal.pause()
        (directory / "child").write_text(str(child))
        started.set()
        signal.pause()
