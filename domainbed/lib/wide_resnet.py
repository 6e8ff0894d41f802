"""The wide ResNet under DomainBed's import path; see domainbed.networks.wide_resnet."""

from domainbed.networks.wide_resnet import Wide_ResNet, conv3x3, conv_init, wide_basic

__all__ = ["Wide_ResNet", "conv3x3", "conv_init", "wide_basic"]
