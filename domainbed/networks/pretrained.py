"""Networks of torchvision and timm with their published weights, those of a file, or random ones."""

import logging
import sys
from typing import Any

from domainbed.errors import InputError, UnknownName, nearest
from domainbed.hyperparameters import optional
from domainbed.networks import efficientnet_lite
from domainbed.networks.base import Hparams
from domainbed.networks.weights import load_weights, read_weights, weights_path

log = logging.getLogger(__name__)

TORCHVISION = {
    "resnet18": "resnet18.IMAGENET1K_V1",
    "resnet50": "resnet50.IMAGENET1K_V1",
    "resnet18.IMAGENET1K_V1": "resnet18.IMAGENET1K_V1",
    "resnet50.IMAGENET1K_V1": "resnet50.IMAGENET1K_V1",
    "resnet50.IMAGENET1K_V2": "resnet50.IMAGENET1K_V2",
}
"""What may follow "torchvision/" in hparam `backbone`, and the architecture and weights that it stands for."""

REMEDY = """to train from scratch: --hparams '{"pretrained": false}'; from a file: '{"weights": "FILE"}'"""


def full_name(backbone: str) -> str:
    """The value of hparam `backbone` with the name of its published weights: "timm/resnet50.a1_in1k".

    Raises:
        UnknownName: neither torchvision nor timm has it.
        InputError: timm is missing.
    """
    library, _, name = backbone.partition("/")
    if library == "torchvision":
        if name not in TORCHVISION:
            raise UnknownName(f"hparam backbone: unknown {name!r} of torchvision{nearest(name, TORCHVISION)}")
        return f"torchvision/{TORCHVISION[name]}"
    if library == "timm":
        return f"timm/{_with_tag(name)}"
    raise UnknownName(f"hparam backbone must begin with torchvision/ or timm/, not be {backbone!r}")


def torchvision_model(name: str, hparams: Hparams) -> Any:
    """A torchvision model such as "resnet18.IMAGENET1K_V1" with those weights, or as `weights` and `pretrained` say.

    Raises:
        InputError: the weights are neither cached nor to be downloaded, or the file has others.
    """
    from torchvision import models

    architecture, _, published = name.partition(".")
    if not _downloads(architecture, hparams):
        network = models.get_model(architecture, weights=None)
        return _with_file(network, f"torchvision/{architecture}", ["fc"], hparams)
    try:
        return models.get_model(architecture, weights=published)
    except (OSError, RuntimeError) as error:
        raise _no_weights(architecture, error) from error


def timm_model(name: str, hparams: Hparams, **options: Any) -> Any:
    """A timm model by name with its published weights, or as `weights` and `pretrained` say.

    Args:
        options: for timm.create_model. An image of another size than the network's is accepted where timm can.

    Raises:
        InputError: timm is missing, the weights are neither cached nor to be downloaded, or the file has others.
    """
    timm = _timm(name, pretrained=optional(hparams, "pretrained"))
    downloads = _downloads(name, hparams)
    try:
        network = _of_any_size(timm.create_model, name, pretrained=downloads, **options)
    except Exception as error:  # the kinds of error differ between versions of timm and its download client
        if not downloads:
            raise
        raise _no_weights(name, error) from error
    return network if downloads else _with_file(network, f"timm/{name}", _classifier(network), hparams)


def _downloads(name: str, hparams: Hparams) -> bool:
    if optional(hparams, "weights"):
        return False
    if not optional(hparams, "pretrained"):
        log.warning("%s starts from scratch, without pretrained weights", name)
    return optional(hparams, "pretrained")


def _with_file(network: Any, name: str, classifier: list[str], hparams: Hparams) -> Any:
    weights = optional(hparams, "weights")
    if not weights:
        return network
    state = read_weights(weights_path(weights))
    if weights == efficientnet_lite.PACKAGE:
        if name.partition(".")[0] != f"timm/{efficientnet_lite.TIMM_NAME}":
            raise InputError(f"{weights} has the weights of timm/{efficientnet_lite.TIMM_NAME}, not of {name}")
        state = efficientnet_lite.as_timm(state, network.state_dict())
    else:
        state = _under_timm_names(state, network)
    load_weights(network, state, classifier, f"{weights} for {name}")
    return network


def _under_timm_names(state: dict[str, Any], network: Any) -> dict[str, Any]:
    """The weights by timm's own conversion from the names under which the authors published them, if it has one."""
    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    try:
        return convert(dict(state), network) if convert else state
    except Exception:  # conversions expect the right weights; what is wrong with others is said when they are loaded
        return state


def _classifier(network: Any) -> list[str]:
    names = network.pretrained_cfg.get("classifier") or []
    return [names] if isinstance(names, str) else list(names)


def _of_any_size(create: Any, name: str, **options: Any) -> Any:
    try:
        return create(name, dynamic_img_size=True, **options)
    except TypeError as error:
        if "dynamic_img_size" not in str(error):
            raise
        return create(name, **options)


def _with_tag(name: str) -> str:
    timm = _timm(f"timm/{name}", pretrained=False)
    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        raise UnknownName(
            f"hparam backbone: unknown {architecture!r} of timm{nearest(architecture, timm.list_models())}"
        )
    try:
        config = timm.models.get_pretrained_cfg(name)
    except RuntimeError as error:
        tags = timm.list_models(f"{architecture}.*", pretrained=True)
        raise UnknownName(f"hparam backbone: unknown {name!r} of timm{nearest(name, tags)}") from error
    return f"{architecture}.{config.tag}" if config and config.tag else architecture


def _timm(name: str, pretrained: bool) -> Any:
    try:
        import timm
    except ModuleNotFoundError as error:
        raise InputError(f"{name} needs timm: pip install timm" + (f"; or {REMEDY}" if pretrained else "")) from error
    return timm


def _no_weights(name: str, error: Exception) -> InputError:
    reason = str(error).partition("\n")[0] or type(error).__name__
    return InputError(f"cannot get the pretrained weights of {name} ({reason}); {REMEDY}")
