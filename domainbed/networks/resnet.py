"""ResNet-18 and ResNet-50 (He et al., 2016, arXiv 1512.03385) as featurizers of larger images."""

import logging
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from typing_extensions import Self

from domainbed.hyperparameters import optional
from domainbed.networks.base import FeatureNetwork, Hparams
from domainbed.networks.pretrained import timm_model, torchvision_model

log = logging.getLogger(__name__)


class ResNet(FeatureNetwork):
    """A ResNet without its last layer, then dropout: (n, C, H, W) -> (n, 2048), or (n, 512) with resnet18.

    The backbone is torchvision's ResNet-18 if `resnet18`; else, if `resnet50_augmix` (the default), the ResNet-50 that
    timm calls resnet50.ram_in1k (AugMix and more); else torchvision's ResNet-50. In the original `resnet50_augmix`, on
    by default, silently won over `resnet18`; here a wish for ResNet-18 is honoured, and logged where both are on.

    Images with other than 3 channels get a first convolution whose channel i is a copy of channel i mod 3.

    Reads resnet18, resnet50_augmix, resnet_dropout, freeze_bn (keep all BatchNorm in eval mode; its weights are still
    trained) and pretrained (True; False starts from scratch and downloads nothing).

    Raises:
        InputError: the pretrained weights cannot be had.
    """

    def __init__(self, input_shape: tuple[int, ...], hparams: Hparams):
        super().__init__()
        self.network = _backbone(hparams)
        self.n_outputs = self.network.fc.in_features
        self.network.fc = nn.Identity()
        if input_shape[0] != 3:
            self.network.conv1 = _with_channels(self.network.conv1, input_shape[0])
        self.hparams = hparams
        self.dropout = nn.Dropout(hparams["resnet_dropout"])
        self.activation = nn.Identity()
        self.train()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.dropout(self.network(x)))

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.hparams["freeze_bn"]:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self


def _backbone(hparams: Hparams) -> Any:
    pretrained = optional(hparams, "pretrained")
    if hparams["resnet18"]:
        if hparams["resnet50_augmix"]:
            log.warning("resnet18 and resnet50_augmix are both on: ResNet-18 is used")
        return torchvision_model("resnet18", pretrained)
    if hparams["resnet50_augmix"] and pretrained:
        return timm_model("resnet50.ram_in1k", pretrained)
    return torchvision_model("resnet50", pretrained)


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
