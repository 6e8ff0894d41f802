"""What every featurizer is."""

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
