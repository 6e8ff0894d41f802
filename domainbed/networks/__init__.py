"""Featurizers and classifiers. Parameter names are those of the original, so that its checkpoints load."""

from torch.nn import Identity

from domainbed.networks.base import FeatureNetwork
from domainbed.networks.choice import Classifier, Featurizer, WholeFish
from domainbed.networks.dino import DinoV2
from domainbed.networks.resnet import ResNet, remove_batch_norm_from_resnet
from domainbed.networks.small import MLP, MNIST_CNN, ContextNet, StridedCNN
from domainbed.networks.wide_resnet import Wide_ResNet

__all__ = [
    "MLP",
    "MNIST_CNN",
    "Classifier",
    "ContextNet",
    "DinoV2",
    "FeatureNetwork",
    "Featurizer",
    "Identity",
    "ResNet",
    "StridedCNN",
    "WholeFish",
    "Wide_ResNet",
    "remove_batch_norm_from_resnet",
]
