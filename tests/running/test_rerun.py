"""A found setting, trained again with train --hparams_from."""

import json

import pytest
from tiny_runs import command, read, untimed

from domainbed.algorithms import combinator_names
from domainbed.names import ALGORITHMS, DATASETS
from domainbed.running.arguments import Arguments
from domainbed.running.hparams import check_given_hparams
from domainbed.scripts import train, train_autolr


def test_without_further_flags_the_run_is_the_same(tmp_path):
    assert train.main(command(tmp_path / "found", "--algorithm", "MTL", "--hparams_seed", "3", "--test_envs", "1")) == 0
    assert train.main(["--hparams_from", str(tmp_path / "found"), "--output_dir", str(tmp_path / "again")]) == 0
    assert untimed(read(tmp_path / "again")) == untimed(read(tmp_path / "found"))


def test_flags_and_hparams_go_before_those_of_the_run(tmp_path):
    """ERM's draw for its combination: the learning rate is ERM's, the window the default."""
    assert train.main(command(tmp_path / "found", "--hparams_seed", "3")) == 0
    flags = ["--algorithm", "ERM_GGA_L", "--trial_seed", "1", "--hparams", '{"batch_size": 3}', "--steps", "2"]
    again = tmp_path / "again"
    assert train.main(["--hparams_from", str(tmp_path / "found"), "--output_dir", str(again), *flags]) == 0
    found, last = read(tmp_path / "found")[-1], read(again)[-1]
    assert last["hparams"] == found["hparams"] | {"batch_size": 3, "gga_l_gamma": 1e-3, "gga_l_noise": "normal"}
    assert (last["step"], last["args"]["algorithm"], last["args"]["trial_seed"]) == (1, "ERM_GGA_L", 1)


@pytest.mark.parametrize("script", [train, train_autolr])
def test_a_directory_without_records_is_named(tmp_path, capsys, script):
    with pytest.raises(SystemExit) as end:
        script.main(["--hparams_from", str(tmp_path), "--output_dir", str(tmp_path / "again")])
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        f"error: --hparams_from {tmp_path}: no records in {tmp_path / 'results.jsonl'}; give the directory of a run\n"
    )
    assert not (tmp_path / "again").exists()


def test_every_draw_may_be_given_again():
    """As --hparams, from which a rerun takes it."""
    for algorithm in [*ALGORITHMS, *(f"ERM_{name}" for name in combinator_names())]:
        for dataset in DATASETS:
            drawn = Arguments(algorithm=algorithm, dataset=dataset, hparams_seed=1).all_hparams()
            check_given_hparams(json.loads(json.dumps(drawn)), algorithm, dataset)
