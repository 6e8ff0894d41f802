"""Base class of featurizers."""

from typing import Any

from torch import nn

Hparams = dict[str, Any]


class FeatureNetwork(nn.Module):
    """A network from one input to a vector of features.

    Attributes:
        n_outputs: number of features F.
        activation: last operation of `forward`; the identity unless an algorithm replaces it (URM does).
    """

    n_outputs: int
    activation: nn.Module


def repeatable(network: nn.Module) -> bool:
    """Whether forward passes are deterministic and change no buffer: no batch statistics, no dropout."""
    active = [module for module in network.modules() if module.training]
    batch_norm = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in active)
    dropout = any(isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0 for module in active)
    return not (batch_norm or dropout)
