"""Backbones: published networks as featurizers, fine-tuned or frozen."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import Self

from domainbed.errors import InputError
from domainbed.hyperparameters import optional
from domainbed.networks.base import FeatureNetwork, Hparams
from domainbed.networks.pretrained import full_name, timm_model
from domainbed.networks.weights import sha256, weights_path

CONTRACT_CHOICES = ("resnet18", "vit", "dinov2")
"""Hyperparameters that choose a backbone as well."""


class UnsupportedImage(InputError, RuntimeError):
    """Images that the network cannot take. Also a RuntimeError, which is what DomainBed raises."""


class Backbone(FeatureNetwork):
    """A published network without its classifier, then dropout: (n, C, H, W) -> (n, n_outputs).

    Reads freeze_backbone (no parameter is trained and the network stays in eval mode, dropout and BatchNorm included)
    and freeze_bn (every BatchNorm stays in eval mode; its weights are still trained).

    Args:
        name: of architecture and published weights, "timm/resnet50.ram_in1k".
        network: (n, C, H, W) -> (n, n_outputs), unless a subclass computes `features` otherwise.
        dropout: share of the features that are dropped.
    """

    def __init__(self, name: str, network: Any, n_outputs: int, dropout: float, hparams: Hparams):
        super().__init__()
        self.name, self.network, self.n_outputs, self.hparams = name, network, n_outputs, hparams
        self.dropout = nn.Dropout(dropout)
        self.activation = nn.Identity()
        if optional(hparams, "freeze_backbone"):
            network.requires_grad_(False)
        self.train()

    def features(self, x: Tensor) -> Tensor:
        """The features before dropout (n, n_outputs)."""
        return self.network(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.dropout(self.features(x)))

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if optional(self.hparams, "freeze_backbone"):
            self.network.eval()
        elif self.hparams.get("freeze_bn"):
            for module in self.network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self


class TimmBackbone(Backbone):
    """The timm model that hparam `backbone` names, "timm/NAME" or "timm/NAME.TAG", with its normalisation.

    x is normalised as for ImageNet, which is how every dataset of images delivers it.

    Reads resnet_dropout (dropout of the features, whatever the network), pretrained, weights and what `Backbone` reads.

    Raises:
        UnsupportedImage: other than 3 channels, or a size that the network cannot take.
        InputError: there is no such model, timm is missing, or the weights cannot be had.
    """

    def __init__(self, input_shape: tuple[int, ...], hparams: Hparams):
        name = full_name(optional(hparams, "backbone"))
        if input_shape[0] != 3:
            raise UnsupportedImage(f"{name} takes images with 3 channels, not of shape {tuple(input_shape)}")
        network = timm_model(name.removeprefix("timm/"), hparams, num_classes=0)
        super().__init__(name, network, _n_features(name, network, input_shape), hparams["resnet_dropout"], hparams)
        config = network.pretrained_cfg
        self.renormalise = FromImageNet(config["mean"], config["std"])

    def features(self, x: Tensor) -> Tensor:
        return self.network(self.renormalise(x))


class FromImageNet(nn.Module):
    """Images normalised with ImageNet's mean and deviation -> normalised with others: (n, 3, H, W) -> (n, 3, H, W)."""

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]):
        from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

        super().__init__()
        given_mean, given_std, mean_, std_ = (
            torch.tensor(values, dtype=torch.float64).view(3, 1, 1)
            for values in (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, mean, std)
        )
        # not in the state, which has the network's weights alone
        self.register_buffer("scale", (given_std / std_).float(), persistent=False)
        self.register_buffer("shift", ((given_mean - mean_) / std_).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


def _n_features(name: str, network: Any, input_shape: tuple[int, ...]) -> int:
    """Measured, because timm's models declare it in several ways, and because not all of them take every size."""
    try:
        with torch.no_grad():
            features = network.eval()(torch.zeros(1, *input_shape))
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        size = tuple(network.pretrained_cfg["input_size"][1:])
        raise UnsupportedImage(
            f"{name} cannot take images of {tuple(input_shape[1:])} ({reason}); it was trained on {size},"
            f""" so try --hparams '{{"image_size": {size[0]}}}'"""
        ) from error
    if features.ndim != 2:
        raise InputError(f"{name} makes no vector of features from an image, but {tuple(features.shape[1:])}")
    return features.shape[1]


def check_backbone(hparams: Hparams) -> None:
    """Check the hyperparameters that choose a backbone and its weights, without making it.

    Raises:
        InputError: an unknown backbone, two of them, no such file, or weights with pretrained false.
    """
    backbone, weights = optional(hparams, "backbone"), optional(hparams, "weights")
    if backbone:
        full_name(backbone)
        if others := [name for name in CONTRACT_CHOICES if hparams.get(name)]:
            raise InputError(f"hparams backbone and {others[0]} choose a network each; leave one of them out")
    if weights:
        weights_path(weights)
        if not optional(hparams, "pretrained"):
            raise InputError("hparam weights gives pretrained weights, and pretrained is false; leave one of them out")


def recorded(hparams: Hparams) -> Hparams:
    """Hyperparameters as records hold them: the backbone's full name, and `weights_sha256` of the file, are added.

    Raises:
        InputError: as `check_backbone`; or `weights_sha256` was given, and the file has another one.
    """
    check_backbone(hparams)
    added = {}
    if optional(hparams, "backbone"):
        added["backbone"] = full_name(hparams["backbone"])
    if optional(hparams, "weights"):
        added["weights_sha256"] = _checked_sha256(weights_path(hparams["weights"]), optional(hparams, "weights_sha256"))
    return {**hparams, **added}


def _checked_sha256(path: Path, expected: str) -> str:
    digest = sha256(path)
    if expected and expected.lower() != digest:
        raise InputError(f"{path} has SHA-256 {digest}, not the weights_sha256 given; fetch it again")
    return digest


def summary(network: nn.Module, hparams: Hparams, input_shape: tuple[int, ...]) -> dict[str, Any]:
    """What a run's header says of the featurizer in `network`, of its weights and its images (of `input_shape`)."""
    featurizer = next((module for module in network.modules() if isinstance(module, FeatureNetwork)), network)
    parameters = list(featurizer.parameters())
    trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    return {
        "backbone": featurizer.name if isinstance(featurizer, Backbone) else type(featurizer).__name__,
        "weights": _weights(featurizer, hparams),
        "BatchNorm": _batch_norm(featurizer),
        "parameters": f"{sum(parameter.numel() for parameter in parameters)}, of which trained {trained}",
        "augmentation": "on" if hparams["data_augmentation"] else "off",
        **_other_size(featurizer, hparams, input_shape),
    }


def _weights(featurizer: nn.Module, hparams: Hparams) -> str:
    if not isinstance(featurizer, Backbone) or not optional(hparams, "pretrained"):
        return "random"
    if optional(hparams, "weights"):
        return f"{hparams['weights']}, SHA-256 {hparams['weights_sha256']}"
    return "published"


def _other_size(featurizer: nn.Module, hparams: Hparams, input_shape: tuple[int, ...]) -> dict[str, str]:
    """A line where the images have another size than timm says that the weights were trained at."""
    if not isinstance(featurizer, Backbone) or not optional(hparams, "pretrained"):
        return {}
    _, *pretrained = getattr(featurizer.network, "pretrained_cfg", {}).get("input_size", input_shape)
    _, *size = input_shape
    if size == pretrained:
        return {}
    return {"images": " x ".join(map(str, size)) + ", pretrained at " + " x ".join(map(str, pretrained))}


def _batch_norm(featurizer: nn.Module) -> str:
    layers = [module for module in featurizer.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if not layers:
        return "none"
    if any(layer.training for layer in layers):
        return "statistics of the batch"
    return "frozen statistics"
