"""Runs killed at a chosen place, or asked to end there: each ends as an undisturbed one does.

Each case kills a process. What is compared is everything: files, records but for times, weights to the last bit.
"""

import json
import os
import signal
import time

import pytest
from builders import ALL, tiny
from processes import assert_same_run, end, start, trained, trained_until
from tiny_runs import RUN_HPARAMS, command, images, run

from domainbed.running import checkpoints
from domainbed.scripts import collect_results, train

# Searches in all updates but the first; records after the first, the third and the fifth.
SEARCHING = ("--algorithm", "ERM_GGA", "--checkpoint_minutes", "0")
NESTED = ["CORAL_GGA_GGA_L", "Fish_GGA_L_GGA", "ERM_GGA_GGA"]
# The place, the time that it is reached, and the last update in the checkpoint that a signal leaves there.
PLACES = [
    ("data", 7, 2),
    ("candidate", 1, 0),
    ("candidate", 7, 1),
    ("update", 1, 0),
    ("update", 2, 0),
    ("evaluation", 1, 0),
    ("evaluation", 8, 2),
    ("record", 2, 2),
    ("after record", 1, 0),
    ("checkpoint", 2, 2),
    ("checkpoint", 3, 4),
    ("model", 1, 4),
    ("done", 1, 4),
]
NAMES = [f"{place} {count}" for place, count, _ in PLACES]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Flags -> the directory in which such a run has ended undisturbed."""
    root, directories = tmp_path_factory.mktemp("undisturbed"), {}

    def undisturbed(*flags: str):
        if flags not in directories:
            directories[flags] = root / str(len(directories))
            assert end(start(trained, command(directories[flags], *flags))) == 0
        return directories[flags]

    return undisturbed


def last_step(output_dir):
    return checkpoints.load_run_state(output_dir)[1]["step"]


@pytest.mark.parametrize(("place", "count", "_"), PLACES, ids=NAMES)
def test_killed_anywhere_a_run_ends_as_if_nothing_had_happened(place, count, _, tmp_path, undisturbed):
    argv = command(tmp_path / "run", *SEARCHING)
    assert end(start(trained_until, place, count, signal.SIGKILL, argv)) == -signal.SIGKILL
    assert end(start(trained, argv)) == 0
    assert_same_run(tmp_path / "run", undisturbed(*SEARCHING))


@pytest.mark.parametrize(("place", "count", "step"), PLACES, ids=NAMES)
def test_asked_to_end_a_run_saves_its_state_at_once_and_continues(place, count, step, tmp_path, undisturbed):
    """A search and an evaluation are left in their middle and begun again; an update without a search is finished."""
    out = tmp_path / "run"
    argv = command(out, *SEARCHING[:2])  # no checkpoint but those of the records, and of the signal
    number = signal.SIGTERM if count % 2 else signal.SIGUSR1
    assert end(start(trained_until, place, count, number, argv)) == 143
    if place != "done":
        assert last_step(out) == step
    assert "lock" not in {path.name for path in out.iterdir()}
    assert end(start(trained, argv)) == 0
    assert_same_run(out, undisturbed(*SEARCHING))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Flags for images that are decoded and augmented, by a ResNet of which no more than two updates are affordable."""
    hparams = {"image_size": 64, "pretrained": False, "resnet18": True, "batch_size": 2}
    data = images(tmp_path_factory.mktemp("data"))
    return {"dataset": "ImageFolder:pets", "data_dir": str(data), "steps": 3, "checkpoint_freq": 2}, hparams


@pytest.mark.parametrize("name", [*ALL, *NESTED])
def test_every_algorithm_killed_between_two_records_ends_as_if_nothing_had_happened(name, tmp_path, photos):
    """Killed after the last update but one, of which nothing is saved; the second record tells of that one too. The
    ResNets' checkpoints are large: they have those of their records alone.
    """
    row = tiny(name)
    flags, hparams = ({"steps": 5, "checkpoint_freq": 4}, RUN_HPARAMS) if row.shape[-1] < 64 else photos
    flags = flags | {"algorithm": name, "hparams": json.dumps(hparams | row.hparams)}
    words = [word for flag, value in flags.items() for word in (f"--{flag}", str(value))]
    minutes = "10" if "data_dir" in flags else "0"
    argv = command(tmp_path / "run", *words, "--checkpoint_minutes", minutes)
    killed = start(trained_until, "update", flags["steps"] - 1, signal.SIGKILL, argv)
    list(run(tmp_path / "undisturbed", **flags).records())
    assert end(killed) == -signal.SIGKILL
    assert last_step(tmp_path / "run") == flags["steps"] - 3
    list(run(tmp_path / "run", **flags).records())
    for name in ("out.txt", "err.txt", "lock"):
        (tmp_path / "run" / name).unlink()
    assert_same_run(tmp_path / "run", tmp_path / "undisturbed")


def test_the_number_of_workers_may_change_with_every_kill(tmp_path, photos):
    """Workers decode ahead of the update that is killed; whoever continues decodes the same images again."""
    flags, hparams = photos
    words = [f"--{flag}={value}" for flag, value in flags.items()] + ["--hparams", json.dumps(hparams)]
    assert end(start(trained, command(tmp_path / "undisturbed", *words, "--num_workers", "0"))) == 0
    argv = command(tmp_path / "run", *words, "--num_workers")
    assert end(start(trained_until, "update", 2, signal.SIGKILL, [*argv, "2"])) == -signal.SIGKILL
    assert end(start(trained_until, "evaluation", 3, signal.SIGKILL, [*argv, "0"])) == -signal.SIGKILL
    assert end(start(trained, [*argv, "1"])) == 0
    assert_same_run(tmp_path / "run", tmp_path / "undisturbed")


def group_asked_to_end(argv: list[str]) -> None:
    """Train, and let every process of the run get SIGTERM after the first update, and the other signal at once."""
    os.setsid()
    killpg, os.kill = os.killpg, lambda process, number: [killpg(process, number), killpg(process, signal.SIGUSR1)]
    trained_until("update", 1, signal.SIGTERM, argv)


def test_signals_to_all_processes_of_a_run_are_one_request_and_end_no_worker(tmp_path, photos):
    flags, hparams = photos
    words = [f"--{flag}={value}" for flag, value in flags.items()] + ["--hparams", json.dumps(hparams)]
    assert end(start(group_asked_to_end, command(tmp_path / "run", *words, "--num_workers", "2"))) == 143
    assert last_step(tmp_path / "run") == 0
    assert (tmp_path / "run" / "err.txt").read_text().count("Error") == 0


def test_a_search_that_would_take_hours_ends_when_it_is_asked_to(tmp_path):
    hparams = json.dumps(RUN_HPARAMS | {"gga_search_steps": 10**9})
    process = start(trained, command(tmp_path, "--algorithm", "GGA", "--hparams", hparams))
    try:
        while not (tmp_path / "checkpoint.pt").exists():
            assert process.is_alive()
            time.sleep(0.01)
        process.terminate()
        process.join(60)
        assert process.exitcode == 143
    finally:
        process.kill()
    assert last_step(tmp_path) == 0


@pytest.mark.parametrize("minutes", ["-1", "nan"])
def test_a_time_between_checkpoints_that_is_none_is_one_line(minutes, tmp_path, capsys):
    assert train.main(command(tmp_path / "run", "--checkpoint_minutes", minutes)) == 2
    error = f"error: --checkpoint_minutes must be 0 (after every update) or more, not {float(minutes)}\n"
    assert capsys.readouterr().err == error
    assert not (tmp_path / "run").exists()


def test_killed_runs_make_the_same_table(tmp_path, capsys):
    tables = []
    for sweep in ("undisturbed", "killed"):
        for env in "012":
            (tmp_path / sweep).mkdir(exist_ok=True)
            argv = command(tmp_path / sweep / env, "--algorithm", "GGA", "--test_envs", env)
            if sweep == "killed":
                assert end(start(trained_until, "candidate", 9, signal.SIGKILL, argv)) == -signal.SIGKILL
            assert end(start(trained, argv)) == 0
        capsys.readouterr()
        assert collect_results.main(["--input_dir", str(tmp_path / sweep)]) == 0
        tables.append(capsys.readouterr().out.replace(str(tmp_path / sweep), ""))
    assert tables[0] == tables[1]
    assert "GGA" in tables[0]
