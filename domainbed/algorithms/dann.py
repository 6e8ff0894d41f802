"""Domain-adversarial neural networks, unconditional (DANN) and class-conditional (CDANN)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from domainbed import networks
from domainbed.algorithms.base import Algorithm, Minibatch
from domainbed.algorithms.minibatches import domain_labels, pool
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import (
    DROPOUT,
    Above,
    AtLeast,
    Between,
    Choice,
    Constant,
    HparamSpace,
    LogUniform,
    LogUniformInt,
)
from domainbed.names import SMALL_IMAGES


def is_discriminator_turn(update_count: int, d_steps_per_g_step: int) -> bool:
    """Whether update number `update_count`, from 1, trains the discriminator: s of every 1 + s do."""
    return update_count % (1 + d_steps_per_g_step) < d_steps_per_g_step


@register
class DANN(Algorithm):
    """Adversarial domain invariance: features f against a domain discriminator d:

    min over f, c  max over d of  CE(c(z), Y) - λ L_D,   z = f(X),
    L_D = CE(d(u), domain) + grad_penalty · mean_i ‖∂/∂u_i Σ_k CE_k‖²,   u = z.

    Alternating updates: d_steps_per_g_step of d for each one of f and c.

    Source: Y. Ganin et al., Domain-Adversarial Training of Neural Networks, JMLR 2016, arXiv:1505.07818.
    """

    HPARAMS = {
        "lambda": (1.0, LogUniform(-2, 2)),
        "weight_decay_d": (0.0, LogUniform(-6, -2)),
        "d_steps_per_g_step": (1, LogUniformInt(0, 3, base=2)),
        "grad_penalty": (0.0, LogUniform(-2, 1)),
        "beta1": (0.5, Choice(0.0, 0.5, allowed=Between(0, 1, "[)"))),
        "mlp_width": (256, LogUniformInt(6, 10, base=2, allowed=AtLeast(1))),
        "mlp_depth": (3, Choice(3, 4, 5, allowed=AtLeast(2))),
        "mlp_dropout": (0.0, Choice(0.0, 0.1, 0.5, allowed=DROPOUT)),
    }
    update_count: Tensor

    @classmethod
    def hparam_space(cls, dataset: str) -> HparamSpace:
        small = dataset in SMALL_IMAGES
        default, low, high = (1e-3, -4.5, -2.5) if small else (5e-5, -5, -3.5)
        rate = (default, LogUniform(low, high, allowed=Above(0)))
        decay = (0.0, Constant(0.0) if small else LogUniform(-6, -2))
        return cls.HPARAMS | {"lr_g": rate, "lr_d": rate, "weight_decay_g": decay}

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, num_domains: int, hparams: dict[str, Any]):
        super().__init__(input_shape, num_classes, num_domains, hparams)
        self.register_buffer("update_count", torch.zeros(1, dtype=torch.int64))
        self.featurizer = networks.Featurizer(input_shape, hparams)
        features = self.featurizer.n_outputs
        self.classifier = networks.Classifier(features, num_classes, hparams["nonlinear_classifier"])
        self.discriminator = networks.MLP(features, num_domains, hparams)
        self.class_embeddings = nn.Embedding(num_classes, features)
        self.disc_opt = self._adam("d", self.discriminator, self.class_embeddings)
        self.gen_opt = self._adam("g", self.featurizer, self.classifier)

    def _adam(self, side: str, *modules: nn.Module) -> torch.optim.Adam:
        hparams = self.hparams
        rate, decay = hparams[f"lr_{side}"], hparams[f"weight_decay_{side}"]
        return self.adam(*modules, lr=rate, weight_decay=decay, betas=(hparams["beta1"], 0.9))

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        self.update_count += 1
        x, y = pool(minibatches)
        domains = domain_labels(minibatches)
        if is_discriminator_turn(int(self.update_count), self.hparams["d_steps_per_g_step"]):
            with torch.no_grad():
                z = self.featurizer(x)
            loss = self.discriminator_loss(z.requires_grad_(), y, domains)
            self.step(loss, self.disc_opt)
            return {"disc_loss": loss.item()}
        z = self.featurizer(x)
        adversary = self.discriminator_loss(z, y, domains)
        loss = F.cross_entropy(self.classifier(z), y) - self.hparams["lambda"] * adversary
        self.step(loss, self.gen_opt)
        return {"gen_loss": loss.item()}

    def discriminator_loss(self, z: Tensor, y: Tensor, domains: Tensor) -> Tensor:
        """L_D of features z (N, F) that require gradients, their class and their domain labels (N,)."""
        u = self.discriminator_input(z, y)
        losses = F.cross_entropy(self.discriminator(u), domains, reduction="none")
        loss = self.mean_loss(losses, y)
        if self.hparams["grad_penalty"]:
            (gradient,) = torch.autograd.grad(losses.sum(), u, create_graph=True)
            loss = loss + self.hparams["grad_penalty"] * gradient.square().sum(dim=1).mean()
        return loss

    def discriminator_input(self, z: Tensor, y: Tensor) -> Tensor:
        """u (N, F): the input of the discriminator."""
        return z

    def mean_loss(self, losses: Tensor, y: Tensor) -> Tensor:
        """Mean of the samples' losses (N,)."""
        return losses.mean()

    def predict(self, x: Tensor) -> Tensor:
        return self.classifier(self.featurizer(x))


@register
class CDANN(DANN):
    """DANN with a class-conditional discriminator and class-balanced discriminator loss:

    u_i = z_i + embedding(y_i),   L_D = Σ_i w_i CE(d(u_i), domain_i) + gradient penalty,   w_i = 1 / (M count(y_i)),

    where count(k) is the number of samples of class k in the batch and M is one more than the largest class in it.

    Source: Y. Li et al., Deep Domain Generalization via Conditional Invariant Adversarial Networks, ECCV 2018.
    """

    def discriminator_input(self, z: Tensor, y: Tensor) -> Tensor:
        return z + self.class_embeddings(y)

    def mean_loss(self, losses: Tensor, y: Tensor) -> Tensor:
        counts = F.one_hot(y).sum(dim=0)
        return (losses / (counts[y] * len(counts))).sum()
