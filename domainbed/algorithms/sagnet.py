"""SagNet: style-agnostic networks."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from domainbed import networks
from domainbed.algorithms.base import Algorithm, Minibatch
from domainbed.algorithms.minibatches import pool
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import LogUniform
from domainbed.networks.base import repeatable


def _statistics(h: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """h normalised along the last axis, and the mean and variance along it before."""
    mean, var = h.mean(dim=-1, keepdim=True), h.var(dim=-1, keepdim=True)
    return (h - mean) / (var + eps).sqrt(), mean, var


def randomize(h: Tensor, what: str, eps: float = 1e-5) -> Tensor:
    """Style or content randomisation of features within a batch.

    A style is the mean and variance of a sample's feature vector; the content is what remains after normalisation.

    Args:
        h: (N, F), or (N, C, H, W) with a style per channel.
        what: "style": statistics α s_i + (1 - α) s_j of sample i and a random sample j, α ~ U(0, 1) per sample.
            "content": another sample's normalised features, as a constant.
    """
    flat = h.flatten(2) if h.dim() > 2 else h
    content, mean, var = _statistics(flat, eps)
    alpha = torch.rand(len(h), *[1] * (flat.dim() - 1)).to(h)
    other = torch.randperm(len(h)).to(h.device)
    if what == "style":
        mean = alpha * mean + (1 - alpha) * mean[other]
        var = alpha * var + (1 - alpha) * var[other]
    else:
        content = content[other].detach()
    return (content * (var + eps).sqrt() + mean).view_as(h)


@register
class SagNet(Algorithm):
    """Content-biased, style-agnostic classification, by three steps in turn:

    1. min over f, c of  CE(c(SR(f(X))), Y),                     SR = style randomised,
    2. min over s of     CE(s(CR(f(X))), Y),                     CR = content randomised,
    3. min over f of     sag_w_adv · CE(s(CR(f(X))), uniform).

    Source: H. Nam et al., Reducing Domain Gap by Reducing Style Bias, CVPR 2021, arXiv:1910.11645.
    """

    HPARAMS = {"sag_w_adv": (0.1, LogUniform(-2, 1))}

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.network_f = networks.Featurizer(input_shape, hparams)
        features, nonlinear = self.network_f.n_outputs, hparams["nonlinear_classifier"]
        self.network_c = networks.Classifier(features, num_classes, nonlinear)
        self.network_s = networks.Classifier(features, num_classes, nonlinear)
        self.optimizer_f = self.adam(self.network_f)
        self.optimizer_c = self.adam(self.network_c)
        self.optimizer_s = self.adam(self.network_s)

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        x, y = pool(minibatches)
        loss_c = F.cross_entropy(self.network_c(randomize(self.network_f(x), "style")), y)
        self.step(loss_c, self.optimizer_f, self.optimizer_c)

        once = repeatable(self.network_f)
        with torch.set_grad_enabled(once):
            z = self.network_f(x)
        loss_s = F.cross_entropy(self.network_s(randomize(z.detach(), "content")), y)
        self.step(loss_s, self.optimizer_s)

        z = z if once else self.network_f(x)
        guess = self.network_s(randomize(z, "content"))
        loss_adv = self.hparams["sag_w_adv"] * -F.log_softmax(guess, dim=1).mean()
        self.step(loss_adv, self.optimizer_f)
        return {"loss_c": loss_c.item(), "loss_s": loss_s.item(), "loss_adv": loss_adv.item()}

    def predict(self, x: Tensor) -> Tensor:
        return self.network_c(self.network_f(x))
