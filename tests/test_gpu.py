"""What only a GPU can show: runs that continue exactly there, and a search that leaves its random states alone."""

import pytest
import torch
from builders import build, equal_states, random_states, train
from running.tiny_runs import run, untimed

from domainbed.running.experiment import seed_everything

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", ["ERM", "GGA", "GGA_L", "MTL_GGA"])
def test_training_continues_exactly_on_the_gpu(name, tmp_path):
    """Saved there and loaded into an algorithm that was made on the CPU, as a run does."""
    first = build(name, mlp_dropout=0.5).to("cuda")
    train(first, range(2))
    torch.save(first.state_dict(), tmp_path / "state.pt")
    expected = train(first, range(2, 4))
    second = build(name, mlp_dropout=0.5).to("cuda")
    second.load_state_dict(torch.load(tmp_path / "state.pt", map_location="cpu", weights_only=True))
    assert train(second, range(2, 4)) == expected
    assert equal_states(second.state_dict(), first.state_dict())


def test_a_search_leaves_the_random_states_of_the_gpu_alone():
    """Dropout masks are drawn there, anew for every candidate."""
    bare, searched = build("ERM", mlp_dropout=0.5).to("cuda"), build("ERM_GGA", mlp_dropout=0.5, gga_rho=0.0).to("cuda")
    expected = train(bare, range(2))
    drawn = random_states()
    reports = train(searched, range(2))
    assert [report["loss"] for report in reports] == [report["loss"] for report in expected]
    assert equal_states(random_states(), drawn)


def test_a_run_seeds_the_generators_of_the_gpu():
    torch.zeros(1, device="cuda")
    draws = []
    for _ in range(2):
        seed_everything(1)
        draws.append(torch.rand(3, device="cuda"))
    assert torch.equal(*draws)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_runs_on_the_gpu_are_equal_and_continue_exactly_in_every_precision(precision, tmp_path):
    given = {"algorithm": "GGA", "precision": precision, "steps": 5}
    names = ("once", "again", "broken")
    once, again, broken = (run(tmp_path / name, device="cuda", **given) for name in names)
    expected = untimed(list(once.records()))
    assert untimed(list(again.records())) == expected
    next(broken.records())
    continued = run(tmp_path / "broken", device="cuda", **given)
    assert untimed(list(continued.records())) == expected[1:]
    assert equal_states(continued.algorithm.state_dict(), once.algorithm.state_dict())
