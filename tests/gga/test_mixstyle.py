"""MixStyle and MixStyle2."""

import random

import pytest
import torch
from builders import IMAGE, PHOTO, build, minibatches

from domainbed.errors import InputError
from domainbed_gga.mixstyle import joined_halves, mix_styles, partners_in_other_half, random_partners


def content(x):
    return (x - x.mean((2, 3), keepdim=True)) / x.var((2, 3), keepdim=True).sqrt()


def test_mixing_keeps_the_normalised_content():
    x = torch.randn(4, 3, 6, 6, dtype=torch.float64) * 3 + 1
    mixed = mix_styles(x, torch.tensor([1, 2, 3, 0]), torch.full((4, 1, 1, 1), 0.3, dtype=torch.float64))
    assert not torch.allclose(mixed, x)
    assert torch.allclose(content(mixed), content(x), atol=1e-5)


def test_weight_zero_gives_the_partners_style_and_weight_one_ones_own():
    x = torch.randn(4, 3, 6, 6, dtype=torch.float64) * 3 + 1
    partners = torch.tensor([1, 2, 3, 0])
    weight = torch.zeros(4, 1, 1, 1, dtype=torch.float64)
    mixed = mix_styles(x, partners, weight)
    assert torch.allclose(mixed.mean((2, 3)), x.mean((2, 3))[partners])
    assert torch.allclose(mixed.var((2, 3)), x.var((2, 3))[partners], rtol=1e-5)
    assert torch.allclose(mix_styles(x, partners, 1 - weight), x)


def test_partners_come_from_the_batch_or_from_the_other_half():
    assert random_partners(6).sort().values.tolist() == list(range(6))
    partners = partners_in_other_half(6)
    assert partners[:3].sort().values.tolist() == [3, 4, 5]
    assert partners[3:].sort().values.tolist() == [0, 1, 2]


def test_styles_are_drawn_after_three_stages_in_training_and_never_in_evaluation():
    """The generator shows how many of the three insertion points were active: half of them, over many passes."""
    algorithm = build("MixStyle")
    ((x, _),) = minibatches(0, (2,), shape=PHOTO)
    random.seed(0)
    with torch.no_grad():
        for passes, mode in [(4, True), (4, False)]:
            algorithm.train(mode)
            before = random.getstate()
            for _ in range(passes):
                algorithm.predict(x)
            after = random.getstate()
            random.setstate(before)
            for _ in range(3 * passes if mode else 0):
                random.random()
            assert random.getstate() == after


@pytest.mark.parametrize("name", ["MixStyle", "MixStyle2"])
def test_parameters_are_those_of_a_plain_resnet_and_learn(name):
    algorithm = build(name)
    names = {parameter for parameter, _ in algorithm.named_parameters()}
    assert "featurizer.network.layer3.0.conv1.weight" in names
    before = algorithm.featurizer.network.conv1.weight.clone()
    random.seed(1)
    algorithm.update(minibatches(0, (3, 3), shape=PHOTO))
    assert not torch.equal(algorithm.featurizer.network.conv1.weight, before)


def test_halves_of_neighbouring_domains_are_joined_and_cut_to_the_shorter():
    batches = [(torch.full((n, 1), float(d)), torch.arange(n)) for d, n in enumerate((4, 3, 5))]
    joined = joined_halves(batches)
    assert [x[:, 0].tolist() for x, _ in joined] == [[0, 1], [1, 1, 2, 2], [2, 2, 0, 0]]
    assert [y.tolist() for _, y in joined] == [[0, 2], [0, 1, 3, 4], [0, 1, 2, 3]]


def test_one_sample_has_no_halves():
    with pytest.raises(InputError, match="at least 2 samples"):
        joined_halves([(torch.zeros(1, 3), torch.zeros(1))])


def test_small_images_have_no_resnet_to_mix_in():
    with pytest.raises(InputError, match="needs a ResNet"):
        build("MixStyle", shape=IMAGE)
