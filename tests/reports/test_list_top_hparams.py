import json

import pytest
from handmade import make_record, write_run, write_sweep

from domainbed.scripts.list_top_hparams import main

WANTED = ["--dataset", "Debug28", "--algorithm", "ERM", "--test_env", "0"]


@pytest.fixture
def sweep(tmp_path):
    """Two draws of hyperparameters; the held-out accuracy of the training environment prefers the second."""
    for seed, accuracy in enumerate([0.5, 0.75]):
        record = make_record(0, [(0.25, accuracy, True), (0.5, accuracy, False)], hparams_seed=seed)
        record["hparams"] = {"lr": [0.1, 0.01][seed], "batch_size": 8}
        record["args"]["output_dir"] = f"out/{seed}"
        write_run(tmp_path, str(seed), [record])
    return tmp_path


def test_the_best_draw_comes_first_in_plain_numbers(sweep, capsys):
    assert main(["--input_dir", str(sweep), *WANTED]) == 0
    assert capsys.readouterr().out.startswith(
        "Total records: 2\n"
        "Model selection: training-domain validation set\n"
        "trial_seed: 0\n"
        "\t{'val_acc': 0.75, 'test_acc': 0.25}\n"
        "\t\thparams:\n"
        "\t\t\tbatch_size: 8\n"
        "\t\t\tlr: 0.01\n"
        "\t\toutput_dirs:\n"
        "\t\t\tout/1\n"
        "\t{'val_acc': 0.5, 'test_acc': 0.25}\n"
        "\t\thparams:\n"
        "\t\t\tbatch_size: 8\n"
        "\t\t\tlr: 0.1\n"
        "\t\toutput_dirs:\n"
        "\t\t\tout/0\n"
        "Model selection: leave-one-domain-out cross-validation\n"
        "trial_seed: 0\n"
        "Model selection: test-domain validation set (oracle)\n"
        "trial_seed: 0\n"
    )


def test_json(sweep, capsys):
    assert main(["--input_dir", str(sweep), *WANTED, "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert entries[0] == {
        "model_selection": "training-domain validation set",
        "trial_seed": 0,
        "accuracies": {"val_acc": 0.75, "test_acc": 0.25},
        "hparams": {"lr": 0.01, "batch_size": 8},
        "output_dirs": ["out/1"],
    }
    assert len(entries) == 4


def test_pairs_are_among_the_directories(tmp_path, capsys):
    """The sweep has one draw; its group of environment 0 holds the runs [0], [0, 1] and [0, 2] of each trial."""
    write_sweep(tmp_path)
    for path in tmp_path.glob("erm-*/results.jsonl"):
        path.write_text(path.read_text().replace('"out"', f'"{path.parent.name}"'))
    assert main(["--input_dir", str(tmp_path), *WANTED, "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert entries[0]["output_dirs"] == ["erm-0-0", "erm-0-0-1", "erm-0-0-2"]


def test_differing_hparams_of_one_seed_are_a_warning(sweep, capsys):
    record = make_record(1, [(0.25, 0.5, True), (0.5, 0.5, False)], hparams_seed=1)
    write_run(sweep, "2", [record])
    assert main(["--input_dir", str(sweep), *WANTED]) == 0
    assert "warning: runs with the same hparams_seed differ in their hparams: out/1, out\n" in capsys.readouterr().err


def test_nothing_found_is_one_line_and_exit_code_2(sweep, capsys):
    assert main(["--input_dir", str(sweep), "--dataset", "PACS", "--algorithm", "ERM", "--test_env", "1"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err == f"error: {sweep} has no records of ERM on PACS, test_env 1\n"
