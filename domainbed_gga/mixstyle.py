"""MixStyle, without and with domain labels. They need of the testbed its ERM alone, DomainBed's own included."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed_gga.testbed import ERM, InputError, Minibatch

PROBABILITY, CONCENTRATION, EPS = 0.5, 0.1, 1e-6


def random_partners(n: int) -> Tensor:
    """For each of n samples the index of the one whose style it is mixed with: any of the batch."""
    return torch.randperm(n)


def partners_in_other_half(n: int) -> Tensor:
    """As `random_partners`, but samples of the first half get partners from the second, and the other way round."""
    half = n // 2
    descending = torch.arange(n - 1, -1, -1)
    second = descending[:half][torch.randperm(half)]
    first = descending[half:][torch.randperm(half)]
    return torch.cat([second, first])


def mix_styles(x: Tensor, partners: Tensor, weight: Tensor) -> Tensor:
    """Replace the style of every sample, its spatial mean and deviation per channel, by a mixture of two:

    (x - μ)/σ · (λσ + (1-λ)σ') + λμ + (1-λ)μ',   μ', σ' those of the partner.

    Args:
        x: feature maps (B, C, h, w).
        partners: index of each sample's partner (B,).
        weight: λ, the share of the sample's style, 1 - λ being the partner's (B, 1, 1, 1).
    """
    mean = x.mean(dim=(2, 3), keepdim=True).detach()
    deviation = (x.var(dim=(2, 3), keepdim=True) + EPS).sqrt().detach()
    mixed_deviation = weight * deviation + (1 - weight) * deviation[partners]
    mixed_mean = weight * mean + (1 - weight) * mean[partners]
    return (x - mean) / deviation * mixed_deviation + mixed_mean


def style_hook(choose: Callable[[int], Tensor], layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    """Forward hook: in training, with probability 1/2, mix the styles of a layer's output; λ ~ Beta(0.1, 0.1)."""
    if not layer.training or random.random() > PROBABILITY:
        return output
    weight = torch.distributions.Beta(CONCENTRATION, CONCENTRATION).sample((len(output), 1, 1, 1))
    return mix_styles(output, choose(len(output)).to(output.device), weight.to(output))


class MixStyle(ERM):
    """ERM on a ResNet that mixes the styles of random samples after its first three stages:

    min CE(network(X), Y),   after layer1, layer2 and layer3:  x <- mix_styles(x),  see there.

    Source: K. Zhou et al., Domain Generalization with MixStyle, ICLR 2021, arXiv:2104.02008.
    """

    partners = staticmethod(random_partners)

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        # The backbone is the paper's, torchvision's with ImageNet weights, whatever the testbed has as default.
        super().__init__(input_shape, num_classes, num_domains, {**hparams, "resnet50_augmix": False, "vit": False})
        backbone = getattr(self.featurizer, "network", None)
        stages = [getattr(backbone, name, None) for name in ("layer1", "layer2", "layer3")]
        for stage in stages:
            if stage is None:
                raise InputError(f"{type(self).__name__} needs a ResNet: images of 224x224, not {tuple(input_shape)}")
            stage.register_forward_hook(functools.partial(style_hook, self.partners))


class MixStyle2(MixStyle):
    """MixStyle with domain labels: styles are mixed across domains alone.

    Each domain's minibatch is cut in halves; batch d joins the first half of domain d with the second half of domain
    d + 1 (mod D), and styles go from one half to the other:  min 1/D Σ_d CE(network(X_d), Y_d).
    Halves of different lengths are cut to the shorter.

    Source: K. Zhou et al., Domain Generalization with MixStyle, ICLR 2021, arXiv:2104.02008.
    """

    partners = staticmethod(partners_in_other_half)

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        batches = joined_halves(minibatches)
        loss = torch.stack([F.cross_entropy(self.network(x), y) for x, y in batches]).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item()}


def joined_halves(minibatches: list[Minibatch]) -> list[Minibatch]:
    """First half of each minibatch with the second half of the next: one batch for each domain.

    Raises:
        InputError: a minibatch of one sample has no halves.
    """
    if min(len(y) for _, y in minibatches) < 2:
        raise InputError("MixStyle2 needs at least 2 samples from every domain; set batch_size to 2 or more")
    batches = []
    for (x, y), (next_x, next_y) in zip(minibatches, minibatches[1:] + minibatches[:1], strict=True):
        start = (len(next_y) + 1) // 2
        half = min((len(y) + 1) // 2, len(next_y) - start)
        second = slice(start, start + half)
        batches.append((torch.cat([x[:half], next_x[second]]), torch.cat([y[:half], next_y[second]])))
    return batches
