"""What an attempt that fails leaves for its sweep, by the script itself."""

import json
import os

import pytest
from tiny_runs import RUN_HPARAMS, command, read

import domainbed.algorithms
from domainbed.algorithms import ERM
from domainbed.running import failure, lock
from domainbed.scripts import train


@pytest.fixture
def cause(tmp_path, monkeypatch):
    """A file that makes the updates of an algorithm Fragile fail, while it is there, with what it says."""
    path = tmp_path / "cause"

    class Fragile(ERM):
        def update(self, minibatches, unlabeled=None):
            if path.exists():
                raise KeyError(path.read_text())
            return super().update(minibatches, unlabeled)

    monkeypatch.setattr(domainbed.algorithms, "Fragile", Fragile, raising=False)
    return path


def test_an_error_is_recorded_until_the_next_attempt(tmp_path, cause):
    out = tmp_path / "run"
    cause.write_text("no\nsuch thing")
    with pytest.raises(KeyError):
        train.main(command(out, "--algorithm", "Fragile"))
    assert failure.last_error(out) == "KeyError: 'no\\nsuch thing'"
    cause.unlink()
    assert train.main(command(out, "--algorithm", "Fragile")) == 0
    assert failure.last_error(out) is None
    assert "failed" not in os.listdir(out)


def test_an_interruption_is_no_failure(tmp_path, monkeypatch):
    out = tmp_path / "run"

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ERM, "update", interrupted)
    assert train.main(command(out)) == 130
    assert failure.last_error(out) is None


def test_a_run_that_diverges_has_failed(tmp_path):
    out = tmp_path / "run"
    assert train.main(command(out, "--hparams", json.dumps(RUN_HPARAMS | {"lr": 1e30}))) == 1
    assert failure.last_error(out).startswith("error: step ")
    assert failure.last_error(out) in (out / "err.txt").read_text()


@pytest.mark.parametrize("present", [True, False])
def test_missing_data_is_recorded_in_a_directory_that_a_sweep_has_made_and_leaves_no_trace_elsewhere(tmp_path, present):
    out = tmp_path / "run"
    if present:
        out.mkdir()
    assert train.main(command(out, "--dataset", "PACS", "--data_dir", str(tmp_path / "gone"))) == 2
    assert out.exists() == present
    assert (failure.last_error(out) or "").startswith("error: ") == present


def test_who_asks_for_what_another_process_trains_or_what_is_done_records_nothing(tmp_path, capsys):
    out = tmp_path / "run"
    out.mkdir()
    with lock.exclusive_lock(out):
        assert train.main(command(out)) == 2
        assert "still alive" in capsys.readouterr().err
        assert os.listdir(out) == ["lock"]
    assert train.main(command(out)) == 0
    failure.record(out, "error: too late")
    assert failure.last_error(out) is None
    assert len(read(out)) == 3


def test_a_record_that_cannot_be_written_hides_no_error(tmp_path):
    """A directory has the place of the file."""
    (tmp_path / "failed").mkdir()
    with pytest.raises(ZeroDivisionError), failure.recorded(tmp_path):
        1 / 0  # noqa: B018
