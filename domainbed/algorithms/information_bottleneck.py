"""IB_ERM and IB_IRM: information bottleneck by a penalty on the variance of features."""

from torch import Tensor

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.irm import IRM_HPARAMS, mean_irm_penalty
from domainbed.algorithms.minibatches import by_domain, domain_risks, mean, pool
from domainbed.algorithms.registry import register
from domainbed.algorithms.warmup import WarmedUp
from domainbed.hyperparameters import HparamSpace, LogUniform, LogUniformInt

IB_HPARAMS: HparamSpace = {
    "ib_lambda": (1e2, LogUniform(-1, 5)),
    "ib_penalty_anneal_iters": (500, LogUniformInt(0, 4)),
}


class InformationBottleneck(WarmedUp):
    """Base class of IB_ERM and IB_IRM.

    `nll` reports the whole loss, as DomainBed does; a domain of one sample makes it NaN.
    """

    def logits_and_variance(self, minibatches: list[Minibatch]) -> tuple[Tensor, Tensor]:
        """Pooled logits (N, K), and Var = mean_d mean_j var_i (z_d)_ij of the features z_d (n_d, F)."""
        features = self.featurizer(pool(minibatches)[0])
        return self.classifier(features), mean([z.var(dim=0).mean() for z in by_domain(features, minibatches)])

    def ib_weight(self) -> float:
        """The weight of Var: 0 until ib_penalty_anneal_iters, then ib_lambda."""
        return self.hparams["ib_lambda"] if self.reached(self.hparams["ib_penalty_anneal_iters"]) else 0.0


@register
class IB_ERM(InformationBottleneck):
    """ERM with a penalty on the variance of the features:

    min mean_d R_d + λ Var(z),   λ = 0 until ib_penalty_anneal_iters, then ib_lambda.

    Source: K. Ahuja et al., Invariance Principle Meets Information Bottleneck, 2021, arXiv:2106.06607.
    """

    HPARAMS = IB_HPARAMS

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        logits, variance = self.logits_and_variance(minibatches)
        loss = mean(domain_risks(logits, minibatches)) + self.ib_weight() * variance
        self.warmup_step(loss, self.hparams["ib_penalty_anneal_iters"])
        return {"loss": loss.item(), "nll": loss.item(), "IB_penalty": variance.item()}


@register
class IB_IRM(InformationBottleneck):
    """IRM with a penalty on the variance of the features:

    min mean_d R_d + λ_1 IRM + λ_2 Var(z),   λ_1 = 1 until irm_penalty_anneal_iters, then irm_lambda;
    λ_2 = 0 until ib_penalty_anneal_iters, then ib_lambda; IRM as in the method of that name.

    Source: K. Ahuja et al., Invariance Principle Meets Information Bottleneck, 2021, arXiv:2106.06607.
    """

    HPARAMS = IRM_HPARAMS | IB_HPARAMS

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        thresholds = self.hparams["irm_penalty_anneal_iters"], self.hparams["ib_penalty_anneal_iters"]
        irm_weight = self.hparams["irm_lambda"] if self.reached(thresholds[0]) else 1.0
        logits, variance = self.logits_and_variance(minibatches)
        irm = mean_irm_penalty(logits, minibatches)
        loss = mean(domain_risks(logits, minibatches)) + irm_weight * irm + self.ib_weight() * variance
        self.warmup_step(loss, *thresholds)
        return {"loss": loss.item(), "nll": loss.item(), "IRM_penalty": irm.item(), "IB_penalty": variance.item()}
