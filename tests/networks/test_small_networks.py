"""The networks of vectors and 28x28 or 32x32 images: names, sizes and equations of the original."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from domainbed.networks import MLP, MNIST_CNN, ContextNet, StridedCNN, Wide_ResNet
from domainbed.networks.wide_resnet import wide_basic


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def layers(network):
    return {key.rpartition(".")[0] for key in network.state_dict()}


def test_parameter_counts_are_those_of_the_original():
    assert count(MNIST_CNN((1, 28, 28))) == 370_560
    assert count(Wide_ResNet((3, 32, 32), 16, 2, 0.0)) == 691_520
    assert count(ContextNet((3, 28, 28))) == 109_185


def test_mnist_cnn_has_the_names_of_the_original():
    assert layers(MNIST_CNN((2, 28, 28))) == {f"conv{i}" for i in range(1, 5)} | {f"bn{i}" for i in range(4)}


def test_mnist_cnn_draws_its_weights_in_the_order_of_its_convolutions():
    torch.manual_seed(0)
    network = MNIST_CNN((1, 28, 28))
    torch.manual_seed(0)
    expected = [nn.Conv2d(1, 64, 3), nn.Conv2d(64, 128, 3), nn.Conv2d(128, 128, 3), nn.Conv2d(128, 128, 3)]
    for number, convolution in enumerate(expected, start=1):
        assert torch.equal(getattr(network, f"conv{number}").weight, convolution.weight)


def test_mnist_cnn_normalises_after_the_relu():
    """With the last norm's weight 0 and bias b every feature is b, be it negative, since nothing follows the norm."""
    network = MNIST_CNN((1, 28, 28))
    nn.init.zeros_(network.bn3.weight)
    nn.init.constant_(network.bn3.bias, -2.0)
    assert torch.allclose(network(torch.rand(2, 1, 28, 28)), torch.full((2, 128), -2.0))


@pytest.mark.parametrize("network_class", [MNIST_CNN, StridedCNN])
def test_28x28_networks_end_in_their_activation(network_class):
    network = network_class((3, 28, 28))
    x = torch.rand(4, 3, 28, 28)
    features = network(x)
    network.activation = nn.Tanh()
    assert features.shape == (4, network.n_outputs) == (4, 128)
    assert torch.equal(network(x), features.tanh())


@torch.no_grad()
def test_only_the_strided_network_sees_where_a_thing_is():
    """Global pooling forgets a shift by the stride, far from the border; flattening does not."""
    image = torch.zeros(1, 1, 28, 28)
    image[..., 12:14, 12:14] = 1.0
    shifted = image.roll((2, 2), dims=(2, 3))
    pooled, strided = MNIST_CNN((1, 28, 28)), StridedCNN((1, 28, 28))
    assert torch.allclose(pooled(image), pooled(shifted), atol=1e-5)
    assert (strided(image) - strided(shifted)).abs().max() > 1e-3


def test_mlp_is_linear_then_relu_at_every_layer_but_the_last():
    network = MLP(5, 3, {"mlp_width": 7, "mlp_depth": 4, "mlp_dropout": 0.0})
    x = torch.randn(6, 5)
    hidden = F.relu(network.input(x))
    for layer in network.hiddens:
        hidden = F.relu(layer(hidden))
    assert layers(network) == {"input", "hiddens.0", "hiddens.1", "output"}
    assert torch.equal(network(x), network.output(hidden))
    assert network.n_outputs == 3


def test_mlp_drops_out_before_every_layer_but_the_first():
    """With everything dropped, only the last layer's bias is left."""
    network = MLP(5, 3, {"mlp_width": 7, "mlp_depth": 3, "mlp_dropout": 1.0})
    assert torch.equal(network(torch.randn(2, 5)), network.output.bias.expand(2, 3))


def test_wide_resnet_has_the_names_of_the_original():
    blocks = {f"layer{i}.{j}" for i in (1, 2, 3) for j in (0, 1)}
    expected = {f"{block}.{part}" for block in blocks for part in ("bn1", "conv1", "bn2", "conv2")}
    expected |= {f"layer{i}.0.shortcut.0" for i in (1, 2, 3)} | {"conv1", "bn1"}
    network = Wide_ResNet((3, 32, 32), 16, 2, 0.0)
    assert layers(network) == expected
    assert all(module.bias is not None for module in network.modules() if isinstance(module, nn.Conv2d))
    assert network.bn1.momentum == 0.9


def test_wide_resnet_halves_the_image_in_its_second_and_third_layer():
    network = Wide_ResNet((3, 32, 32), 16, 2, 0.0)
    x = torch.rand(2, 3, 32, 32)
    assert network.layer1(network.conv1(x)).shape == (2, 32, 32, 32)
    assert network.layer2(network.layer1(network.conv1(x))).shape == (2, 64, 16, 16)
    assert network(x).shape == (2, network.n_outputs) == (2, 128)


def test_the_shortcut_carries_the_raw_input():
    block = wide_basic(4, 4, 0.0)
    nn.init.zeros_(block.conv2.weight)
    nn.init.zeros_(block.conv2.bias)
    x = torch.randn(2, 4, 8, 8)
    assert torch.equal(block(x), x)


def test_wide_resnet_refuses_depths_it_cannot_have():
    with pytest.raises(ValueError, match="not 15"):
        Wide_ResNet((3, 32, 32), 15, 2, 0.0)


def test_context_is_one_plane_of_the_images_size():
    network = ContextNet((3, 28, 28))
    assert network(torch.rand(2, 3, 28, 28)).shape == (2, 1, 28, 28)
    assert layers(network) == {f"context_net.{i}" for i in (0, 1, 3, 4, 6)}
