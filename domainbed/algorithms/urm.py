"""URM: uniformly distributed features, by an adversary."""

from collections import OrderedDict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.erm import ERM
from domainbed.algorithms.minibatches import pool
from domainbed.algorithms.registry import register
from domainbed.errors import InputError
from domainbed.hyperparameters import Above, Between, Choice, Constant, HparamSpace, LogUniform, Uniform
from domainbed.names import SMALL_IMAGES

# the activation that ends the featurizer, and the least value of the noise that the features are to resemble
OUTPUTS = {"tanh": (nn.Tanh, -1.0), "sigmoid": (nn.Sigmoid, 0.0), "relu": (nn.ReLU, 0.0)}
OPTIMIZERS = {"adam": (torch.optim.Adam, {}), "sgd": (torch.optim.SGD, {"momentum": 0.9})}


def _choose(choices: dict[str, Any], hparams: dict[str, Any], name: str) -> Any:
    if hparams[name] not in choices:
        raise InputError(f"hparam {name} must be one of {', '.join(choices)}, not {hparams[name]!r}")
    return choices[hparams[name]]


def noise_discriminator(features: int, hidden_layers: int) -> nn.Sequential:
    """Discriminator of noise from features: (n, F) -> logit (n, 1)."""
    layers: list[tuple[str, nn.Module]] = [("dense1", nn.Linear(features, 100)), ("act1", nn.LeakyReLU())]
    for layer in range(2, 2 + hidden_layers):
        layers += [(f"dense{layer}", nn.Linear(100, 100)), (f"act2{layer}", nn.LeakyReLU())]
    return nn.Sequential(OrderedDict([*layers, ("output", nn.Linear(100, 1))]))


@register
class URM(ERM):
    """Adversarial matching of the feature distribution to uniform noise u, against a discriminator d:

    min over f, c of  CE(c(z), Y) + λ BCE(d(z), 1),   z = f(X),
    min over d of     BCE(d(u), 1) + λ BCE(d(z), 0),

    with the targets of d, under label smoothing s, uniform on [1-s, 1] and [0, s].

    Source: K. Krishnamachari et al., Uniformly Distributed Feature Representations for Fair and Robust Learning,
    TMLR 2024, openreview PgLbS5yp8n.
    """

    HPARAMS = {
        "urm": ("adversarial", Constant("adversarial")),
        "urm_adv_lambda": (0.1, Uniform(0, 0.2)),
        "urm_discriminator_label_smoothing": (0, Uniform(0, 0, allowed=Between(0, 1))),
        "urm_discriminator_optimizer": ("adam", Constant("adam", allowed=tuple(OPTIMIZERS))),
        "urm_discriminator_hidden_layers": (1, Choice(1, 2, 3)),
        "urm_generator_output": ("tanh", Choice("tanh", "relu", allowed=tuple(OUTPUTS))),
    }

    @classmethod
    def hparam_space(cls, dataset: str) -> HparamSpace:
        default, low, high = (1e-3, -5.5, -3.5) if dataset in SMALL_IMAGES else (5e-5, -6, -4.5)
        return cls.HPARAMS | {"urm_discriminator_lr": (default, LogUniform(low, high, allowed=Above(0)))}

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        activation, self.least = _choose(OUTPUTS, hparams, "urm_generator_output")
        optimizer, options = _choose(OPTIMIZERS, hparams, "urm_discriminator_optimizer")
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.featurizer.activation = activation()
        hidden_layers = hparams["urm_discriminator_hidden_layers"]
        self.discriminator = noise_discriminator(self.featurizer.n_outputs, hidden_layers)
        options = options | {"lr": hparams["urm_discriminator_lr"], "weight_decay": hparams["weight_decay"]}
        self.discriminator_opt = optimizer(self.discriminator.parameters(), **options)

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        x, y = pool(minibatches)
        z = self.featurizer(x)
        deceived = self.bce(z, torch.ones_like(z[:, 0]))
        loss = F.cross_entropy(self.classifier(z), y) + self.hparams["urm_adv_lambda"] * deceived
        self.step(loss)
        self.step(self.discriminator_loss(z.detach()), self.discriminator_opt)
        return {"loss": loss.item()}

    def bce(self, z: Tensor, target: Tensor) -> Tensor:
        """Mean binary cross entropy of the discriminator on features z (N, F) for targets (N,)."""
        return F.binary_cross_entropy_with_logits(self.discriminator(z)[:, 0], target)

    def discriminator_loss(self, z: Tensor) -> Tensor:
        """The discriminator's loss on noise and on features z (N, F)."""
        noise = torch.empty_like(z).uniform_(self.least, 1)
        true, fake = torch.ones_like(z[:, 0]), torch.zeros_like(z[:, 0])
        smoothing = self.hparams["urm_discriminator_label_smoothing"]
        if smoothing:
            true, fake = true.uniform_(1 - smoothing, 1), fake.uniform_(0, smoothing)
        return self.bce(noise, true) + self.hparams["urm_adv_lambda"] * self.bce(z, fake)
