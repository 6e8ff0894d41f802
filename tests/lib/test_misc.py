"""DomainBed's worked values, through the import path that other people's code uses."""

import pytest
import torch
from torch.utils.data import TensorDataset

from domainbed.lib import misc, wide_resnet


def test_seeds():
    assert misc.seed_hash("VLCS", "ERM", [0], 0, 0) == 1721972278


def test_split_is_a_shuffle_cut_in_two():
    """Ten items at trial seed 0, environment 0: the first two are held out."""
    dataset = TensorDataset(torch.arange(10))
    held_out, training = misc.split_dataset(dataset, 2, misc.seed_hash(0, 0))
    assert held_out.keys == [2, 3]
    assert training.keys == [8, 1, 4, 5, 0, 9, 6, 7]
    assert held_out.underlying_dataset is dataset
    assert [int(x) for (x,) in training] == training.keys


def test_balanced_weights_of_0_1_0_2_3_0():
    """Four classes share 1: class 0 has three items, the others one each."""
    labels = [0, 1, 0, 2, 3, 0]
    weights = misc.make_weights_for_balanced_classes([(None, label) for label in labels])
    assert weights.dtype == torch.float32
    assert weights.sum() == 1
    assert weights[0] == weights[2]
    assert weights[1] == weights[3]
    assert 3 * weights[0] == weights[1]
    assert len(misc.make_weights_for_balanced_classes([])) == 0


def test_a_row_pads_and_cuts_its_cells(capsys):
    misc.print_row(["name", 0.5, "much too long"], colwidth=8)
    misc.print_row(["a", 1], colwidth=3, latex=True)
    misc.print_separator()
    assert capsys.readouterr().out.split("\n") == ["name      0.500000  much too ", "a   & 1   \\\\", "=" * 80, ""]


def test_l2_between_dicts_is_the_mean_over_all_elements():
    """Differences 1, 1 and 2: (1 + 1 + 4) / 3."""
    a = {"w": torch.tensor([[1.0], [2.0]]), "b": torch.tensor(3.0)}
    b = {"b": torch.tensor(1.0), "w": torch.tensor([[0.0], [1.0]])}
    assert misc.l2_between_dicts(a, b) == 2
    with pytest.raises(ValueError, match="w"):
        misc.l2_between_dicts(a, {"b": b["b"]})


def test_distance_counts_every_entry_of_the_state():
    """Weights apart by 3 and biases by 4: 5."""
    a, b = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    a.load_state_dict({"weight": torch.tensor([[1.0]]), "bias": torch.tensor([2.0])})
    b.load_state_dict({"weight": torch.tensor([[4.0]]), "bias": torch.tensor([6.0])})
    assert misc.distance(a, b) == 5
    assert misc.proj(10.0, a, b) is a
    assert misc.distance(a, b) == 5
    misc.proj(2.5, a, b)
    assert a.weight.item() == 2.5
    assert a.bias.item() == 4.0


def test_param_dict_computes_by_name():
    a = misc.ParamDict(x=torch.tensor(6.0), y=torch.tensor(3.0))
    b = misc.ParamDict(y=torch.tensor(1.0), x=torch.tensor(2.0))
    assert dict(a + b) == {"x": 8, "y": 4}
    assert dict(a - b) == {"x": 4, "y": 2}
    assert dict(a * b) == {"x": 12, "y": 3}
    assert dict(a / b) == {"x": 3, "y": 3}
    assert dict(1 + a) == dict(a + 1) == {"x": 7, "y": 4}
    assert dict(1 - a) == {"x": -5, "y": -2}
    assert dict(2 * a) == dict(a * 2) == {"x": 12, "y": 6}
    assert dict(-a / 3) == {"x": -2, "y": -1}
    assert isinstance(-a, misc.ParamDict)


def test_the_initialisation_that_nobody_applies_is_xaviers():
    """Variance gain² · 2 / (fan in + fan out) = 2 · 2 / (64 · 9 + 64 · 9), to 5 % over 36,864 draws."""
    torch.manual_seed(0)
    block = wide_resnet.wide_basic(64, 64, 0.0).apply(wide_resnet.conv_init)
    assert block.conv1.weight.var().item() == pytest.approx(4 / 1152, rel=0.05)
    assert block.conv1.bias.abs().max() == 0
