"""Wide residual networks (Zagoruyko & Komodakis, 2016, arXiv 1605.07146) for 32x32 images."""

import torch.nn.functional as F
from torch import Tensor, nn

from domainbed.networks.base import FeatureNetwork


def conv3x3(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution with bias that preserves the size at stride 1."""
    return nn.Conv2d(in_planes, out_planes, 3, stride=stride, padding=1)


def conv_init(module: nn.Module) -> None:
    """Xavier initialisation of one convolution or BatchNorm, for `Module.apply`; not applied by default."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight, gain=2**0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)


class wide_basic(nn.Module):
    """A pre-activation block of two convolutions, the second of which carries the stride."""

    def __init__(self, in_planes: int, planes: int, dropout_rate: float, stride: int = 1):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_planes)
        self.conv1 = conv3x3(in_planes, planes)
        self.dropout = nn.Dropout(dropout_rate)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes, stride)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != planes:
            self.shortcut.append(nn.Conv2d(in_planes, planes, 1, stride=stride))

    def forward(self, x: Tensor) -> Tensor:
        residual = self.dropout(self.conv1(F.relu(self.bn1(x))))
        residual = self.conv2(F.relu(self.bn2(residual)))
        return residual + self.shortcut(x)


class Wide_ResNet(FeatureNetwork):
    """A wide residual network: (n, C, 32, 32) -> (n, 64 * widen_factor).

    Raises:
        ValueError: depth is not 6 n + 4.
    """

    def __init__(self, input_shape: tuple[int, ...], depth: int, widen_factor: int, dropout_rate: float):
        super().__init__()
        if depth < 10 or depth % 6 != 4:
            raise ValueError(f"depth of a wide ResNet must be 10, 16, 22, ... (6 n + 4), not {depth}")
        blocks = (depth - 4) // 6
        widths = [16 * widen_factor, 32 * widen_factor, 64 * widen_factor]
        self.conv1 = conv3x3(input_shape[0], 16)
        self.layer1 = _layer(16, widths[0], blocks, dropout_rate, stride=1)
        self.layer2 = _layer(widths[0], widths[1], blocks, dropout_rate, stride=2)
        self.layer3 = _layer(widths[1], widths[2], blocks, dropout_rate, stride=2)
        self.bn1 = nn.BatchNorm2d(widths[2], momentum=0.9)
        self.n_outputs = widths[2]
        self.activation = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        x = F.avg_pool2d(F.relu(self.bn1(x)), 8)
        return self.activation(x[:, :, 0, 0])


def _layer(in_planes: int, planes: int, blocks: int, dropout_rate: float, stride: int) -> nn.Sequential:
    first = wide_basic(in_planes, planes, dropout_rate, stride)
    return nn.Sequential(first, *(wide_basic(planes, planes, dropout_rate) for _ in range(blocks - 1)))
