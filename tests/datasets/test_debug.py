import pytest
import torch

from domainbed.datasets import Debug28, Debug224


@pytest.mark.parametrize("cls", [Debug28, Debug224])
def test_inputs_then_labels_are_drawn_per_environment(cls):
    torch.manual_seed(3)
    dataset = cls("", [], {})
    torch.manual_seed(3)
    for environment in dataset.datasets:
        x, y = environment.tensors
        torch.testing.assert_close(x, torch.randn(16, *cls.INPUT_SHAPE), rtol=0, atol=0)
        assert torch.equal(y, torch.randint(0, 2, (16,)))
    assert len(dataset) == 3
    assert dataset[1] is dataset.datasets[1]
    assert (dataset.input_shape, dataset.num_classes) == (cls.INPUT_SHAPE, 2)
