"""Which network an input gets, and what goes on top of it."""

import pytest
import torch

from domainbed import networks
from domainbed.errors import InputError
from domainbed.running.hparams import default_hparams

HPARAMS = default_hparams("ERM", "PACS") | {"pretrained": False, "resnet50_augmix": False, "resnet18": True}


@pytest.mark.parametrize(
    ("shape", "hparams", "expected"),
    [
        ((9,), {"mlp_width": 16, "mlp_depth": 3, "mlp_dropout": 0.0}, networks.MLP),
        ((3, 28, 28), {}, networks.MNIST_CNN),
        ((1, 28, 28), {"featurizer": "StridedCNN"}, networks.StridedCNN),
        ((3, 32, 32), {}, networks.Wide_ResNet),
        ((3, 224, 224), {}, networks.ResNet),
        ((3, 64, 64), {}, networks.ResNet),
        ((1, 64, 96), {}, networks.ResNet),
    ],
)
def test_the_shape_of_the_input_decides(shape, hparams, expected):
    featurizer = networks.Featurizer(shape, HPARAMS | hparams)
    assert type(featurizer) is expected
    assert featurizer(torch.rand(2, *shape)).shape == (2, featurizer.n_outputs)


@torch.no_grad()
@pytest.mark.parametrize("shape", [(3, 28, 28), (3, 224, 224)])
def test_debug_images_become_features_under_default_hparams(shape):
    featurizer = networks.Featurizer(shape, default_hparams("ERM", "Debug224") | {"pretrained": False})
    assert featurizer(torch.rand(8, *shape)).shape == (8, featurizer.n_outputs)


@pytest.mark.parametrize(
    ("shape", "hparams", "word"),
    [
        ((3, 40, 40), {}, "40"),
        ((3, 63, 224), {}, "63"),
        ((3, 224, 224), {"vit": True}, "dinov2"),
        ((3, 28, 28), {"featurizer": "StridedCN"}, "MNIST_CNN, StridedCNN"),
    ],
)
def test_what_has_no_network_is_refused_in_one_line(shape, hparams, word):
    with pytest.raises(InputError, match=word) as error:
        networks.Featurizer(shape, HPARAMS | hparams)
    assert isinstance(error.value, NotImplementedError)
    assert "\n" not in str(error.value)


def test_the_nonlinear_classifier_narrows_to_a_half_and_a_quarter():
    shapes = {key: tuple(value.shape) for key, value in networks.Classifier(13, 3, True).state_dict().items()}
    weights = {"0.weight": (6, 13), "2.weight": (3, 6), "4.weight": (3, 3)}
    assert shapes == weights | {"0.bias": (6,), "2.bias": (3,), "4.bias": (3,)}


def test_the_linear_classifier_is_one_layer():
    shapes = {key: tuple(value.shape) for key, value in networks.Classifier(13, 3).state_dict().items()}
    assert shapes == {"weight": (3, 13), "bias": (3,)}


def test_whole_fish_starts_from_a_copy_of_the_given_weights():
    hparams = default_hparams("ERM", "RotatedMNIST")
    source = networks.WholeFish((1, 28, 28), 10, hparams)
    copy = networks.WholeFish((1, 28, 28), 10, hparams, weights=source.state_dict())
    x = torch.rand(2, 1, 28, 28)
    expected = source(x)
    torch.nn.init.zeros_(source.net[1].weight)
    assert torch.equal(copy(x), expected)
    assert {key.split(".")[1] for key in copy.state_dict()} == {"0", "1"}
