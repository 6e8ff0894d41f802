"""ResNets: which backbone, its names, its first convolution, its frozen statistics, and missing weights."""

import logging
import sys

import pytest
import torch
from torch import nn

from domainbed.errors import InputError
from domainbed.networks import ResNet, remove_batch_norm_from_resnet

SHAPE = (3, 64, 64)
HPARAMS = {
    "resnet18": True,
    "resnet50_augmix": False,
    "resnet_dropout": 0.0,
    "freeze_bn": False,
    "pretrained": False,
}


@pytest.mark.parametrize("augmix", [True, False])
def test_resnet50_from_scratch_has_the_names_of_the_original_and_needs_no_timm(augmix, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    featurizer = ResNet(SHAPE, HPARAMS | {"resnet18": False, "resnet50_augmix": augmix})
    keys = set(featurizer.state_dict())
    assert len(keys) == 318
    assert {"network.conv1.weight", "network.bn1.running_var", "network.layer4.2.conv3.weight"} <= keys
    assert all(key.startswith("network.") for key in keys)
    assert featurizer.n_outputs == 2048


def test_a_wish_for_resnet18_is_honoured_and_logged_beside_augmix(caplog):
    featurizer = ResNet(SHAPE, HPARAMS | {"resnet50_augmix": True})
    assert featurizer.n_outputs == 512
    assert "ResNet-18 is used" in caplog.text


def test_training_from_scratch_is_logged(caplog):
    with caplog.at_level(logging.INFO):
        ResNet(SHAPE, HPARAMS)
    assert "resnet18 starts from scratch" in caplog.text


def test_other_channels_copy_the_pretrained_ones_in_turn():
    torch.manual_seed(0)
    three = ResNet(SHAPE, HPARAMS).network.conv1.weight
    torch.manual_seed(0)
    convolution = ResNet((5, 64, 64), HPARAMS).network.conv1
    assert convolution.bias is None
    assert convolution.weight.shape == (64, 5, 7, 7)
    for channel in range(5):
        assert torch.equal(convolution.weight[:, channel], three[:, channel % 3])


def test_features_are_dropped_out_and_then_activated():
    featurizer = ResNet(SHAPE, HPARAMS | {"resnet_dropout": 1.0})
    featurizer.activation = nn.Softplus()
    assert torch.allclose(featurizer(torch.rand(2, *SHAPE)), torch.full((2, 512), 2.0).log())


def test_frozen_statistics_stay_frozen_while_their_weights_are_trained():
    featurizer = ResNet(SHAPE, HPARAMS | {"freeze_bn": True})
    norms = [module for module in featurizer.modules() if isinstance(module, nn.BatchNorm2d)]
    assert not any(norm.training for norm in norms)
    assert featurizer.eval().train() is featurizer
    assert featurizer.network.layer1.training
    assert not any(norm.training for norm in norms)
    assert all(norm.weight.requires_grad for norm in norms)


def test_train_returns_the_network_and_sets_the_mode():
    featurizer = ResNet(SHAPE, HPARAMS)
    assert featurizer.network.bn1.training
    assert featurizer.train(False) is featurizer
    assert not featurizer.network.bn1.training


@torch.no_grad()
def test_folded_norms_change_nothing_at_evaluation():
    network = ResNet(SHAPE, HPARAMS).network
    network(torch.rand(4, *SHAPE))  # moves the running statistics off 0 and 1
    network.eval()
    x = torch.rand(2, *SHAPE)
    expected = network(x)
    folded = remove_batch_norm_from_resnet(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(x), expected, rtol=1e-4, atol=1e-4)


def test_without_a_network_the_error_names_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"resnet18 .*--hparams '\{\"pretrained\": false\}'") as error:
        ResNet(SHAPE, HPARAMS | {"pretrained": True})
    assert "\n" not in str(error.value)


def test_without_timm_the_error_names_the_remedies(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"pip install timm; or .*\{\"pretrained\": false\}"):
        ResNet(SHAPE, HPARAMS | {"resnet18": False, "resnet50_augmix": True, "pretrained": True})
