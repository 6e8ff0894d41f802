"""ResNet-18 and ResNet-50 (He et al., 2016, arXiv 1512.03385) as featurizers of larger images."""

import logging
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from domainbed.hyperparameters import optional
from domainbed.networks.backbones import Backbone
from domainbed.networks.base import Hparams
from domainbed.networks.pretrained import full_name, timm_model, torchvision_model

log = logging.getLogger(__name__)


class ResNet(Backbone):
    """A ResNet without its last layer, then dropout: (n, C, H, W) -> (n, 2048), or (n, 512) for ResNet-18.

    The network is torchvision's that hparam `backbone` names, if it does. Else it is torchvision's ResNet-18 if
    `resnet18`; else, if `resnet50_augmix` (the default), the ResNet-50 that timm calls resnet50.ram_in1k (AugMix and
    more); else torchvision's ResNet-50. In the original `resnet50_augmix`, on by default, silently won over `resnet18`;
    here a wish for ResNet-18 is honoured, and logged where both are on.

    Images with other than 3 channels get a first convolution whose channel i is a copy of channel i mod 3.

    Reads resnet_dropout, pretrained (True; False starts from scratch and downloads nothing), weights (a file) and what
    `Backbone` reads.

    Raises:
        InputError: the pretrained weights cannot be had.
    """

    def __init__(self, input_shape: tuple[int, ...], hparams: Hparams):
        name = _name(hparams)
        library, _, model = name.partition("/")
        network = (timm_model if library == "timm" else torchvision_model)(model, hparams)
        n_outputs, network.fc = network.fc.in_features, nn.Identity()
        if input_shape[0] != 3:
            network.conv1 = _with_channels(network.conv1, input_shape[0])
        super().__init__(name, network, n_outputs, hparams["resnet_dropout"], hparams)


def _name(hparams: Hparams) -> str:
    if optional(hparams, "backbone").startswith("torchvision/"):
        return full_name(hparams["backbone"])
    if hparams["resnet18"]:
        if hparams["resnet50_augmix"]:
            log.warning("resnet18 and resnet50_augmix are both on: ResNet-18 is used")
        return full_name("torchvision/resnet18")
    if hparams["resnet50_augmix"] and (optional(hparams, "pretrained") or optional(hparams, "weights")):
        return "timm/resnet50.ram_in1k"
    return full_name("torchvision/resnet50")


def _with_channels(conv: nn.Conv2d, channels: int) -> nn.Conv2d:
    wider = nn.Conv2d(channels, conv.out_channels, 7, stride=2, padding=3, bias=False)
    with torch.no_grad():
        wider.weight.copy_(conv.weight[:, torch.arange(channels) % 3])
    return wider


def remove_batch_norm_from_resnet(model: Any) -> Any:
    """Fold every BatchNorm of a torchvision or timm ResNet into the convolution before it, in place."""
    training = model.training
    model.eval()
    for block in list(model.modules()):
        for number in (1, 2, 3):
            if hasattr(block, f"bn{number}"):
                _fuse(block, f"conv{number}", f"bn{number}")
        if isinstance(getattr(block, "downsample", None), nn.Sequential):
            _fuse(block.downsample, "0", "1")
    return model.train(training)


def _fuse(parent: nn.Module, conv: str, norm: str) -> None:
    setattr(parent, conv, fuse_conv_bn_eval(getattr(parent, conv), getattr(parent, norm)))
    setattr(parent, norm, nn.Identity())
