"""What a directory must hold, and which arguments may differ, for a run to continue there."""

import json
import warnings

import pytest
import torch
from tiny_runs import RUN_HPARAMS, arguments, command, read, run, untimed

from domainbed.errors import InputError
from domainbed.running import checkpoints
from domainbed.running.arguments import Arguments
from domainbed.running.hparams import random_hparams
from domainbed.scripts import train
from domainbed.seeds import seed_hash


def interrupted(output_dir, records=2, **changes):
    """A run that ended after some records, without `done`."""
    stream = run(output_dir, **changes).records()
    return [next(stream) for _ in range(records)]


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (lambda path: path.unlink(), "2 steps before {}, such as step 0"),
        (lambda path: path.write_text(""), "2 steps before {}, such as step 0"),
        (
            lambda path: path.write_text(path.read_text().splitlines(keepends=True)[0]),
            "1 steps before {}, such as step 2",
        ),
    ],
)
def test_lost_records_are_one_line_that_names_the_remedy(damage, lost, tmp_path, capsys):
    out = tmp_path / "run"
    interrupted(out, steps=5)
    path = out / "results.jsonl"
    whole, checkpoint = path.read_text(), (out / "checkpoint.pt").read_bytes()
    damage(path)
    assert train.main(command(out)) == 2
    error = capsys.readouterr().err
    assert error == (
        f"error: {path} has lost the records of {lost.format(out / 'checkpoint.pt')};"
        " restore the file, or delete it and checkpoint*.pt to train from the start\n"
    )
    assert (out / "err.txt").read_text() == error
    assert (out / "checkpoint.pt").read_bytes() == checkpoint
    assert not (out / "done").exists()

    path.write_text(whole)
    assert train.main(command(out)) == 0
    assert [record["step"] for record in read(out)] == [0, 2, 4]


def test_records_without_a_checkpoint_are_kept_and_named(tmp_path, capsys):
    """So does the original DomainBed leave the jobs of a sweep that was interrupted."""
    out = tmp_path / "run"
    interrupted(out, records=3, steps=5)
    path = out / "results.jsonl"
    for checkpoint in out.glob("checkpoint*.pt"):
        checkpoint.unlink()
    before = path.read_bytes()
    assert train.main(command(out)) == 2
    assert capsys.readouterr().err == (
        f"error: {path} holds 3 records and there is no checkpoint.pt to continue from;"
        " restore it, or delete results.jsonl to train from the start\n"
    )
    assert path.read_bytes() == before

    path.unlink()
    assert train.main(command(out)) == 0
    assert [record["step"] for record in read(out)] == [0, 2, 4]


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_over(tmp_path):
    interrupted(tmp_path, records=1)
    (tmp_path / "checkpoint.pt").unlink()
    list(run(tmp_path).records())
    assert [record["step"] for record in read(tmp_path)] == [0, 2, 4, 5]


def flipped(path):
    """One bit of the weights is another, which `torch.load` does not notice."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "torn": lambda path: path.write_bytes(path.read_bytes()[:1000]),
    "a bit": flipped,
    "text": lambda path: path.write_text("no checkpoint"),
    "a model": lambda path: checkpoints.save(path, {"args": {}, "model_dict": {}}),
    "a tensor": lambda path: checkpoints.save(path, torch.zeros(1)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_the_checkpoint_before_a_damaged_one_is_continued_from(damage, tmp_path, capsys):
    out = tmp_path / "run"
    expected = untimed(list(run(tmp_path / "whole", steps=5).records()))
    interrupted(out, steps=5)
    damage(out / "checkpoint.pt")
    assert train.main(command(out)) == 0
    assert capsys.readouterr().err == (
        f"warning: {out / 'checkpoint.pt'} is damaged; training continues from checkpoint_before.pt\n"
    )
    assert untimed(read(out)) == expected
    assert not list(out.glob("checkpoint*"))


def test_a_damaged_checkpoint_does_not_take_the_place_of_the_whole_one_before_it(tmp_path):
    interrupted(tmp_path, steps=5)
    flipped(tmp_path / "checkpoint.pt")
    with pytest.warns(UserWarning, match="is damaged"):
        next(run(tmp_path, steps=5).records())
    flipped(tmp_path / "checkpoint.pt")
    with pytest.warns(UserWarning, match="is damaged"):
        path, _ = checkpoints.load_run_state(tmp_path)
    assert path.name == "checkpoint_before.pt"


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_without_a_whole_checkpoint_one_line_names_the_remedy(damage, tmp_path, capsys):
    out = tmp_path / "run"
    interrupted(out, steps=5)
    records = (out / "results.jsonl").read_bytes()
    for path in out.glob("checkpoint*.pt"):
        damage(path)
    assert train.main(command(out)) == 2
    assert capsys.readouterr().err == (
        f"error: {out / 'checkpoint.pt'} is damaged, or no checkpoint of a run;"
        " restore it, or delete checkpoint*.pt and results.jsonl to train from the start\n"
    )
    assert (out / "results.jsonl").read_bytes() == records


@pytest.mark.parametrize("change", ["weights", "optimizer"])
def test_a_checkpoint_of_an_algorithm_whose_code_has_changed_is_one_line(change, tmp_path):
    interrupted(tmp_path)
    path = tmp_path / "checkpoint.pt"
    state = checkpoints.load(path)
    if change == "weights":
        del state["algorithm"]["classifier.weight"]
    else:
        state["algorithm"]["_extra_state"]["optimizer"]["__state_dict__"]["param_groups"].append({"params": []})
    checkpoints.save(path, state)
    with pytest.raises(
        InputError, match=r"checkpoint.pt does not fit the algorithm as it is now \(.*\); restore"
    ) as caught:
        list(run(tmp_path).records())
    assert "\n" not in str(caught.value)


def test_another_runs_checkpoint_is_refused_where_the_records_do_not_tell(tmp_path):
    interrupted(tmp_path, seed=1)
    (tmp_path / "results.jsonl").unlink()
    with pytest.raises(InputError, match=r"another run's results \(seed 1\); choose another --output_dir"):
        list(run(tmp_path, seed=2).records())
    assert checkpoints.load(tmp_path / "checkpoint.pt")["args"]["seed"] == 1


def test_what_cannot_change_numbers_may_differ_when_a_run_continues(tmp_path):
    expected = untimed(list(run(tmp_path / "whole").records()))
    interrupted(tmp_path / "old", records=1)
    (tmp_path / "old").rename(tmp_path / "new")
    given = {"data_dir": "elsewhere", "save_model_every_checkpoint": True}
    chosen = arguments(tmp_path / "new", **given)
    flags = ["--steps", "6", "--data_dir", "elsewhere", "--save_model_every_checkpoint", "--num_workers", "1"]
    assert train.main([*command(tmp_path / "new"), *flags]) == 0
    records = read(tmp_path / "new")
    assert untimed(records) == expected
    assert [record["args"]["data_dir"] for record in records] == ["./data", "elsewhere", "elsewhere", "elsewhere"]
    assert records[-1]["args"] == chosen.record()
    assert {path.name for path in (tmp_path / "new").glob("*.pkl")} == {
        "model_step2.pkl", "model_step4.pkl", "model_step5.pkl", "model.pkl",
    }  # fmt: skip


def test_how_the_hparams_are_written_is_no_difference(tmp_path):
    interrupted(tmp_path, hparams=json.dumps(RUN_HPARAMS))
    items = dict(reversed(RUN_HPARAMS.items()))
    list(run(tmp_path, hparams=json.dumps(items, separators=(",", ":"))).records())
    with pytest.raises(InputError, match="another run's results \\(hparams "):
        run(tmp_path).arguments.check_same_run(
            arguments(tmp_path, hparams=json.dumps(RUN_HPARAMS | {"lr": 0.1})).record()
        )
    Arguments(hparams="{}").check_same_run(Arguments(hparams=None).record())


@pytest.mark.parametrize("name", ["steps", "checkpoint_freq", "holdout_fraction", "trial_seed", "fixed_hparams"])
def test_what_changes_numbers_may_not(name, tmp_path):
    interrupted(tmp_path)
    changed = {"steps": 7, "checkpoint_freq": 1, "holdout_fraction": 0.3, "trial_seed": 1, "fixed_hparams": True}
    with pytest.raises(InputError, match=f"another run's results \\({name} "):
        list(run(tmp_path, **{name: changed[name]}).records())


def test_no_model_is_saved_where_none_is_wanted(tmp_path):
    list(run(tmp_path, skip_model_save=True, save_model_every_checkpoint=True).records())
    assert {path.name for path in tmp_path.iterdir()} == {"results.jsonl", "done"}


def test_fixed_hparams_makes_the_draw_a_function_of_hparams_seed_alone(tmp_path):
    trials = [Arguments(hparams_seed=3, trial_seed=trial, fixed_hparams=True) for trial in range(3)]
    draws = [trial.all_hparams() for trial in trials]
    assert draws[0] == draws[1] == draws[2] == random_hparams("ERM", "RotatedMNIST", seed_hash(3, 0))
    plain = [Arguments(hparams_seed=3, trial_seed=trial).all_hparams() for trial in range(2)]
    assert plain[0] == draws[0]
    assert plain[1] == random_hparams("ERM", "RotatedMNIST", seed_hash(3, 1))
    assert plain[1] != plain[0]
    assert trials[0].record()["fixed_hparams"] is True
    assert len(Arguments().record()) == 16
    assert train.main(command(tmp_path / "run", "--fixed_hparams")) == 0
    assert read(tmp_path / "run")[0]["args"]["fixed_hparams"] is True


def test_cudnn_is_told_to_be_deterministic(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    run(tmp_path)
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark
    monkeypatch.undo()


def test_the_first_checkpoint_names_once_what_it_cannot_save(tmp_path):
    class MetricMeans:
        pass

    one = run(tmp_path)
    one.algorithm.meters = [one.algorithm.optimizer, MetricMeans()]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        records = list(one.records())
    assert len(records) > 1
    (warning,) = [str(warning.message) for warning in caught]
    assert warning.startswith("not saved in checkpoints: ERM.meters[1] (MetricMeans); a resumed run starts it anew")


def test_adaptation_without_a_single_unlabeled_sample_is_refused(tmp_path):
    with pytest.raises(InputError, match="not enough unlabeled samples for domain adaptation"):
        run(tmp_path / "run", task="domain_adaptation", uda_holdout_fraction=0.001)
