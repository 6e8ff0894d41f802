"""One figure of what the searches of a run did."""

import json

import pytest

from domainbed_gga import diagnose


def record(step, **metrics):
    hparams = {"gga_search_steps": 50, "gga_ascent_steps": 5, "gga_proposal": "walk"}
    accuracies = {f"env{i}_{split}_acc": 0.5 for i in range(4) for split in ("in", "out")}
    return {"step": step, "hparams": hparams, "args": {"test_envs": [1]}, **accuracies, **metrics}


SEARCH = {"gga_sim_start": 0.1, "gga_sim_end": 0.2, "gga_accepted": 2.0, "gga_gradients": 110.0, "gga_loss_rise": 0.0}


def test_the_searches_of_a_run_are_drawn(tmp_path, capsys):
    """A torn last line, as a killed run leaves it, is left out; nothing else lies in the folder afterwards."""
    lines = [json.dumps(record(0)), json.dumps(record(1, **SEARCH)), json.dumps(record(2, **SEARCH))]
    (tmp_path / "results.jsonl").write_text("\n".join(lines) + '\n{"step": 3, "gga_')
    assert diagnose.main([str(tmp_path), "--output", str(tmp_path / "searches.png")]) == 0
    assert "2 records" in capsys.readouterr().out
    assert (tmp_path / "searches.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"results.jsonl", "searches.png"}


def test_all_gradients_are_candidates_times_training_domains():
    walk = record(1, **SEARCH)
    ascent = walk | {"hparams": walk["hparams"] | {"gga_proposal": "ascent"}}
    assert diagnose.gradients_of_all(walk) == 50 * 3
    assert diagnose.gradients_of_all(ascent) == 5 * 3
    assert diagnose.gradients_of_all(ascent | {"gga_fell_back": 1.0}) == 50 * 3


@pytest.mark.parametrize("text", [None, json.dumps(record(0)) + "\n"])
def test_a_run_without_searches_is_refused_in_one_line(text, tmp_path, capsys):
    if text:
        (tmp_path / "results.jsonl").write_text(text)
    assert diagnose.main([str(tmp_path), "--output", str(tmp_path / "searches.png")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "searches.png").exists()
