"""Featurizers for vectors and 28x28 images."""

import torch.nn.functional as F
from torch import Tensor, nn

from domainbed.hyperparameters import optional
from domainbed.networks.base import FeatureNetwork, Hparams


class MLP(FeatureNetwork):
    """A multi-layer perceptron: (n, n_inputs) -> (n, n_outputs).

    Reads mlp_width, mlp_depth (number of linear layers, at least 2) and mlp_dropout.
    """

    def __init__(self, n_inputs: int, n_outputs: int, hparams: Hparams):
        super().__init__()
        width = optional(hparams, "mlp_width")
        self.input = nn.Linear(n_inputs, width)
        self.dropout = nn.Dropout(optional(hparams, "mlp_dropout"))
        self.hiddens = nn.ModuleList(nn.Linear(width, width) for _ in range(optional(hparams, "mlp_depth") - 2))
        self.output = nn.Linear(width, n_outputs)
        self.n_outputs = n_outputs
        self.activation = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.input, *self.hiddens):
            x = F.relu(self.dropout(layer(x)))
        return self.activation(self.output(x))


class MNIST_CNN(FeatureNetwork):
    """Four convolutions with group norm and global average pooling: (n, C, 28, 28) -> (n, 128)."""

    n_outputs = 128

    def __init__(self, input_shape: tuple[int, ...]):
        super().__init__()
        self.conv1 = nn.Conv2d(input_shape[0], 64, 3, padding=1)
        self.conv2 = nn.Conv2d(64, 128, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(128, 128, 3, padding=1)
        self.conv4 = nn.Conv2d(128, 128, 3, padding=1)
        self.bn0 = nn.GroupNorm(8, 64)
        self.bn1 = nn.GroupNorm(8, 128)
        self.bn2 = nn.GroupNorm(8, 128)
        self.bn3 = nn.GroupNorm(8, 128)
        self.activation = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn0(F.relu(self.conv1(x)))
        x = self.bn1(F.relu(self.conv2(x)))
        x = self.bn2(F.relu(self.conv3(x)))
        x = self.bn3(F.relu(self.conv4(x)))
        return self.activation(x.mean(dim=(2, 3)))


class StridedCNN(FeatureNetwork):
    """Two strided convolutions and a dense layer, without pooling over positions: (n, C, 28, 28) -> (n, 128).

    Args:
        dropout: probability that a feature is dropped in training.
    """

    n_outputs = 128

    def __init__(self, input_shape: tuple[int, ...], dropout: float = 0.0):
        super().__init__()
        self.conv1 = nn.Conv2d(input_shape[0], 16, 5, stride=2, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 5, stride=2, padding=2)
        self.linear = nn.Linear(32 * 7 * 7, self.n_outputs)
        self.dropout = nn.Dropout(dropout)
        self.activation = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        return self.activation(self.dropout(F.relu(self.linear(x.flatten(1)))))


class ContextNet(nn.Module):
    """Context network of ARM, one plane per image: (n, C, H, W) -> (n, 1, H, W)."""

    def __init__(self, input_shape: tuple[int, ...]):
        super().__init__()
        self.context_net = nn.Sequential(
            nn.Conv2d(input_shape[0], 64, 5, padding=2),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Conv2d(64, 64, 5, padding=2),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Conv2d(64, 1, 5, padding=2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.context_net(x)
