"""DINOv2 as a featurizer, with random weights."""

import sys

import pytest
import torch

from domainbed.errors import InputError
from domainbed.networks import DinoV2, Featurizer

HPARAMS = {"vit": True, "dinov2": True, "vit_dropout": 0.0, "vit_attn_tune": True, "pretrained": False}


@pytest.mark.parametrize("shape", [(1, 224, 224), (3, 64, 64)])
def test_images_it_cannot_take_are_refused(shape):
    with pytest.raises(InputError, match="multiples of 14") as error:
        Featurizer(shape, HPARAMS)
    assert isinstance(error.value, RuntimeError)


def test_without_timm_the_error_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"pip install timm$"):
        DinoV2((3, 224, 224), HPARAMS)


@torch.no_grad()
def test_features_are_four_class_tokens_and_the_mean_patch():
    """The last class token and the patches are the final norm of the last block, which `forward_features` gives."""
    pytest.importorskip("timm")
    featurizer = DinoV2((3, 28, 28), HPARAMS)
    x = torch.rand(2, 3, 28, 28)
    features = featurizer.eval()(x)
    tokens = featurizer.network.forward_features(x)
    assert features.shape == (2, featurizer.n_outputs) == (2, 5 * 768)
    torch.testing.assert_close(features[:, 3 * 768 : 4 * 768], tokens[:, 0])
    torch.testing.assert_close(features[:, 4 * 768 :], tokens[:, 1:].mean(dim=1))
    trained = [name for name, parameter in featurizer.named_parameters() if parameter.requires_grad]
    assert trained
    assert all("attn" in name for name in trained)
