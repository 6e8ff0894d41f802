"""Choice of the featurizer by input shape, and the classifier."""

import copy
from collections.abc import Mapping

from torch import Tensor, nn

from domainbed.errors import InputError, UnknownName
from domainbed.hyperparameters import SMALL_FEATURIZERS, optional
from domainbed.networks.backbones import Backbone, TimmBackbone, check_backbone
from domainbed.networks.base import FeatureNetwork, Hparams
from domainbed.networks.dino import DinoV2
from domainbed.networks.resnet import ResNet
from domainbed.networks.small import MLP, MNIST_CNN, StridedCNN
from domainbed.networks.wide_resnet import Wide_ResNet

SMALLEST_RESNET_INPUT = 64


def Featurizer(input_shape: tuple[int, ...], hparams: Hparams) -> FeatureNetwork:
    """The network for inputs of `input_shape`, (features,) or (C, H, W).

    Vectors get an MLP. Images get the network that hparams["backbone"] names, torchvision/NAME or timm/NAME. Where it
    names none, 28x28 gets the one that hparams["featurizer"] names, MNIST_CNN or StridedCNN; 32x32 a wide ResNet;
    images of at least 64x64 a ResNet, or DINOv2 with `vit` and `dinov2`.

    Raises:
        UnknownName: (a NotImplementedError) there is no network for that size or of that name.
        InputError: the hyperparameters of backbones contradict each other, or there is no backbone for them.
    """
    check_backbone(hparams)
    network = _featurizer(input_shape, hparams)
    given = [name for name in ("backbone", "weights", "freeze_backbone") if optional(hparams, name)]
    if given and not isinstance(network, Backbone):
        chosen = type(network).__name__
        raise InputError(f"hparam {given[0]}: inputs of shape {tuple(input_shape)} get {chosen}, which is no backbone")
    return network


def _featurizer(input_shape: tuple[int, ...], hparams: Hparams) -> FeatureNetwork:
    if len(input_shape) == 1:
        return MLP(input_shape[0], optional(hparams, "mlp_width"), hparams)
    if backbone := optional(hparams, "backbone"):
        return TimmBackbone(input_shape, hparams) if backbone.startswith("timm/") else ResNet(input_shape, hparams)
    size = tuple(input_shape[1:])
    if size == (28, 28):
        return _featurizer_28(input_shape, hparams)
    if size == (32, 32):
        return Wide_ResNet(input_shape, 16, 2, 0.0)
    if min(size) < SMALLEST_RESNET_INPUT:
        raise UnknownName(f"no featurizer for images of {size}; sizes that have one: 28x28, 32x32, 64x64 or larger")
    if not hparams["vit"]:
        return ResNet(input_shape, hparams)
    if not hparams["dinov2"]:
        raise UnknownName("hparam vit needs dinov2 as well, the only vision transformer there is")
    return DinoV2(input_shape, hparams)


def _featurizer_28(input_shape: tuple[int, ...], hparams: Hparams) -> FeatureNetwork:
    name = optional(hparams, "featurizer")
    if name == "MNIST_CNN":
        return MNIST_CNN(input_shape)
    if name == "StridedCNN":
        return StridedCNN(input_shape, optional(hparams, "cnn_dropout"))
    raise UnknownName(f"hparam featurizer: no network called {name} (known: {', '.join(SMALL_FEATURIZERS)})")


def Classifier(in_features: int, out_features: int, is_nonlinear: bool = False) -> nn.Module:
    """A linear layer (n, in) -> (n, out), or three layers that narrow to a half and a quarter, with ReLU between."""
    if not is_nonlinear:
        return nn.Linear(in_features, out_features)
    return nn.Sequential(
        nn.Linear(in_features, in_features // 2),
        nn.ReLU(),
        nn.Linear(in_features // 2, in_features // 4),
        nn.ReLU(),
        nn.Linear(in_features // 4, out_features),
    )


class WholeFish(nn.Module):
    """Featurizer and classifier as one network, whose weights Fish sets: (n, *input_shape) -> logits (n, num_classes).

    Args:
        weights: a state to start from, else the initial one.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        hparams: Hparams,
        weights: Mapping[str, Tensor] | None = None,
    ):
        super().__init__()
        featurizer = Featurizer(input_shape, hparams)
        classifier = Classifier(featurizer.n_outputs, num_classes, hparams["nonlinear_classifier"])
        self.net = nn.Sequential(featurizer, classifier)
        if weights is not None:
            self.reset_weights(weights)

    def reset_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Load a copy of `weights`."""
        self.load_state_dict(copy.deepcopy(weights))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)
