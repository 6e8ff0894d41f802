"""Files that were prepared to run code when they are read, or to have a run write elsewhere."""

import json
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from tiny_runs import command, read, run

from domainbed.errors import InputError
from domainbed.reports.records import read_records
from domainbed.running import checkpoints
from domainbed.scripts import train

DEEP = "[" * 100_000


class Malicious:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def pickled(path, content):
    path.write_bytes(pickle.dumps(content, protocol=2))


WRITERS = {"a pickle": pickled, "torch.save": lambda path, content: torch.save(content, path)}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_malicious_model_is_refused_by_the_name_of_what_it_would_run(write, tmp_path):
    write(tmp_path / "model.pkl", {"model_dict": Malicious(tmp_path / "mark")})
    with pytest.raises(
        InputError, match=r"model.pkl is not loaded: it holds \w+.mkdir, and to make that could run any"
    ):
        checkpoints.load(tmp_path / "model.pkl")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_malicious_checkpoint_is_a_damaged_one(write, tmp_path, capsys):
    out = tmp_path / "run"
    next(run(out).records())
    write(out / "checkpoint.pt", {"args": {}, "step": 0, "algorithm": Malicious(tmp_path / "mark")})
    assert train.main(command(out, "--steps", "6")) == 2
    assert f"error: {out / 'checkpoint.pt'} is damaged, or no checkpoint of a run;" in capsys.readouterr().err
    assert not (tmp_path / "mark").exists()


def test_a_model_of_the_original_loads_unless_its_hyperparameters_are_objects(tmp_path):
    """The original pickles what its random draws return, which NumPy may have made."""
    model = {"args": {"algorithm": "ERM"}, "model_hparams": {"lr": 1e-3}, "model_dict": OrderedDict(w=torch.ones(2))}
    torch.save(model, tmp_path / "model.pkl")
    assert checkpoints.load(tmp_path / "model.pkl")["model_dict"]["w"].tolist() == [1, 1]
    model["model_hparams"]["lr"] = np.float64(1e-3)
    torch.save(model, tmp_path / "model.pkl")
    with pytest.raises(InputError, match=r"is not loaded: it holds numpy.*scalar, and to make that could run any code"):
        checkpoints.load(tmp_path / "model.pkl")


def test_json_that_is_nested_without_end_is_one_line(tmp_path, capsys):
    path = tmp_path / "results.jsonl"
    path.write_text(DEEP + "\n" + json.dumps({"step": 0, "args": {}}) + "\n")
    with pytest.raises(InputError, match="line 1 is not a record: nested too deeply; mend or delete the line"):
        read_records(path)
    assert train.main(["--hparams", DEEP]) == 2
    assert capsys.readouterr().err == "error: --hparams is nested too deeply; write it like '{\"lr\": 0.001}'\n"


def test_a_run_writes_through_no_link_out_of_its_directory(tmp_path):
    out, names = tmp_path / "run", ("results.jsonl", "checkpoint.pt", "checkpoint_before.pt", "model.pkl")
    out.mkdir()
    for name in names:
        (out / name).symlink_to(tmp_path / f"outside_{name}")
    assert train.main(command(out)) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert len(read(out)) == 3
