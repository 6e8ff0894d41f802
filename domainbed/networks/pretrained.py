"""Backbones of torchvision and timm, pretrained or randomly initialised."""

import logging
from typing import Any

from domainbed.errors import InputError

log = logging.getLogger(__name__)

REMEDY = """to train from scratch: --hparams '{"pretrained": false}'"""


def torchvision_model(name: str, pretrained: bool) -> Any:
    """A torchvision model by name, with its ImageNet V1 weights if `pretrained`.

    Raises:
        InputError: the weights are neither cached nor to be downloaded.
    """
    from torchvision import models

    if not pretrained:
        log.warning("%s starts from scratch, without pretrained weights", name)
        return models.get_model(name, weights=None)
    try:
        return models.get_model(name, weights="IMAGENET1K_V1")
    except (OSError, RuntimeError) as error:
        raise _no_weights(name, error) from error


def timm_model(name: str, pretrained: bool, **options: Any) -> Any:
    """A timm model by name, with its published weights if `pretrained`; `options` go to timm.create_model.

    Raises:
        InputError: timm is missing, or the weights are neither cached nor to be downloaded.
    """
    try:
        import timm
    except ModuleNotFoundError as error:
        raise InputError(f"{name} needs timm: pip install timm" + (f"; or {REMEDY}" if pretrained else "")) from error
    if not pretrained:
        log.warning("%s starts from scratch, without pretrained weights", name)
        return timm.create_model(name, pretrained=False, **options)
    try:
        return timm.create_model(name, pretrained=True, **options)
    except Exception as error:  # the kinds of error differ between versions of timm and its download client
        raise _no_weights(name, error) from error


def _no_weights(name: str, error: Exception) -> InputError:
    reason = str(error).partition("\n")[0] or type(error).__name__
    return InputError(f"cannot get the pretrained weights of {name} ({reason}); {REMEDY}")
