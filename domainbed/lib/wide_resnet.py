"""The wide ResNet under the import path that DomainBed has."""

from torch import nn

from domainbed.networks.wide_resnet import Wide_ResNet, conv3x3, wide_basic

__all__ = ["Wide_ResNet", "conv3x3", "conv_init", "wide_basic"]


def conv_init(module: nn.Module) -> None:
    """Xavier initialisation of one convolution or BatchNorm, for `Module.apply`. Nothing here applies it."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight, gain=2**0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
