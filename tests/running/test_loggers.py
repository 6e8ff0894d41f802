"""Trackers get the scalars of every record, whoever wrote them; one that fails stops no run."""

import json
from itertools import islice

import pytest
from test_registries import install
from tiny_runs import command, read, run

from domainbed.reports.records import Result, read_records
from domainbed.running import loggers
from domainbed.scripts import train

OURS = """
import json

class Lines:
    def __init__(self, output_dir, config):
        self.file = open(output_dir / "lines.jsonl", "a")
        self.config = config
    def log(self, step, scalars):
        print(json.dumps([step, scalars, self.config["args/dataset"], self.config["batch_size"]]), file=self.file)
    def close(self):
        self.file.close()

class Broken(Lines):
    def log(self, step, scalars):
        raise OSError("the server is gone")
"""
POINTS = "[domainbed.loggers]\nlines = line_tracker:Lines\nbroken = line_tracker:Broken\n"


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """A package with two trackers, and a registry that has not looked for packages yet."""
    install(tmp_path, monkeypatch, "line_tracker", OURS, POINTS)
    fresh = loggers.Registry("Logger", "domainbed.loggers", {"tensorboard": loggers.TensorBoard})
    monkeypatch.setattr(loggers, "_loggers", fresh)


def numbers(record: dict) -> dict:
    return {name: value for name, value in record.items() if name not in ("args", "hparams", "step")}


def test_a_tracker_of_a_package_gets_every_record(offered, tmp_path):
    out = tmp_path / "run"
    assert train.main([*command(out), "--logger", "lines"]) == 0
    lines = [json.loads(line) for line in (out / "lines.jsonl").read_text().splitlines()]
    assert lines == [[record["step"], numbers(record), "Debug28", 4] for record in read(out)]


def test_one_that_fails_is_left_out_with_a_warning(offered, tmp_path, capsys):
    out = tmp_path / "run"
    assert train.main([*command(out), "--logger", "broken", "lines"]) == 0
    assert "warning: Broken logs nothing more (OSError: the server is gone)" in capsys.readouterr().err
    assert [record["step"] for record in read(out)] == [0, 2, 4]
    assert len((out / "lines.jsonl").read_text().splitlines()) == 3


def test_an_unknown_tracker_is_refused_before_anything_is_written(tmp_path, capsys):
    out = tmp_path / "run"
    assert train.main([*command(out), "--logger", "tensorbord"]) == 2
    assert "Logger not found: tensorbord (nearest: tensorboard" in capsys.readouterr().err
    assert not out.exists()


def test_tensorboard_has_the_same_scalars_once_after_an_interruption(tmp_path):
    """The run was killed after the record of step 2 and before its checkpoint, so that step 2 comes again."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    interrupted = loggers.TensorBoard(tmp_path / "run", {})
    for step in (0, 2):
        interrupted.log(step, {"loss": -1.0})
    interrupted.close()
    continued = loggers.TensorBoard(tmp_path / "run", {"lr": 0.1})
    for step in (2, 4):
        continued.log(step, {"loss": float(step)})
    continued.close()
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(0, -1.0), (2, 2.0), (4, 4.0)]


def test_a_result_at_the_step_of_the_record_before_has_names_of_its_own(offered, tmp_path):
    """SWAD's averaged weights, after the last record of those in training."""
    out = tmp_path / "run"
    assert train.main([*command(out, "--algorithm", "ERM_SWAD"), "--logger", "lines"]) == 0
    *_, before, result = [json.loads(line) for line in (out / "lines.jsonl").read_text().splitlines()]
    assert before[0] == result[0] == 4
    assert {"env0_in_acc", "loss"} <= before[1].keys()
    assert {"result/env0_in_acc", "result/swad_segments"} <= result[1].keys()
    assert all(name.startswith("result/") for name in result[1])


def logged_until(records, out, name, **changes):
    """A run that was interrupted after so many records."""
    begun = run(out, steps=5, **changes)
    trackers = loggers.make_loggers([name], out, begun.arguments.record(), begun.hparams)
    list(islice(loggers.tracked(begun.records(), trackers), records))


def test_a_result_has_its_names_after_an_interruption_too(offered, tmp_path):
    """Of a run that was interrupted after its last record in training."""
    out = tmp_path / "run"
    logged_until(3, out, "lines", algorithm="ERM_SWAD")
    assert train.main([*command(out, "--algorithm", "ERM_SWAD"), "--logger", "lines"]) == 0
    lines = [json.loads(line) for line in (out / "lines.jsonl").read_text().splitlines()]
    assert [step for step, *_ in lines] == [0, 2, 4, 4]
    assert lines[-1][1] == {f"result/{name}": value for name, value in numbers(read(out)[0]).items()}


def events(out) -> dict:
    """(name, step) -> value, of all scalars that TensorBoard shows."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shown = EventAccumulator(str(out / "tensorboard"))
    shown.Reload()
    return {(tag, event.step): event.value for tag in shown.Tags()["scalars"] for event in shown.Scalars(tag)}


def test_tensorboard_shows_every_record_of_a_run(tmp_path):
    pytest.importorskip("tensorboard")
    out = tmp_path / "run"
    assert train.main([*command(out), "--logger", "tensorboard"]) == 0
    assert events(out) == pytest.approx(scalars_of(read(out)), rel=1e-6)


def test_tensorboard_shows_training_and_result_after_an_interruption_between_them(tmp_path):
    pytest.importorskip("tensorboard")
    out = tmp_path / "run"
    logged_until(3, out, "tensorboard", algorithm="ERM_SWAD")
    assert train.main([*command(out, "--algorithm", "ERM_SWAD"), "--logger", "tensorboard"]) == 0
    training = read_records(out / "progress" / "results.jsonl")
    assert events(out) == pytest.approx(scalars_of([*training, Result(read(out)[0])]), rel=1e-6)


def scalars_of(records) -> dict:
    return {(name, record["step"]): value for record in records for name, value in loggers.scalars(record).items()}
