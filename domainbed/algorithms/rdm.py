"""RDM: risk distribution matching."""

import torch
import torch.nn.functional as F
from torch import Tensor

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.kernels import GAMMAS, gaussian_mmd
from domainbed.algorithms.minibatches import by_domain, mean, pool
from domainbed.algorithms.registry import register
from domainbed.algorithms.warmup import WarmedUp
from domainbed.hyperparameters import Above, AtLeast, Constant, HparamSpace, Uniform, UniformInt
from domainbed.names import SMALL_IMAGES

RISK_GAMMAS = (1e-4, *GAMMAS)


@register
class RDM(WarmedUp):
    """Match the distribution of the worst domain's risks to that of all samples:

    min mean_d R_d + rdm_lambda MMD²(e_w, E) + variance_weight (var E + var e_w),

    e_d (n_d,) the risks of domain d's samples, R_d their mean, w the domain of the largest R_d, E = ∪_d e_d.
    Until rdm_penalty_anneal_iters the first term alone, then all, with Adam at rdm_lr.

    Source: T. Nguyen et al., Domain Generalisation via Risk Distribution Matching, 2023, arXiv:2310.18598.
    """

    HPARAMS = {
        "rdm_lambda": (5.0, Uniform(0.1, 10)),
        "rdm_penalty_anneal_iters": (1500, UniformInt(800, 2700)),
        "variance_weight": (0.004, Uniform(0.001, 0.007)),
        "rdm_lr": (1.5e-5, Uniform(8e-6, 2e-5, allowed=Above(0))),
    }

    @classmethod
    def hparam_space(cls, dataset: str) -> HparamSpace:
        if dataset in SMALL_IMAGES:
            return cls.HPARAMS
        changes: HparamSpace = {"batch_size": (88, UniformInt(70, 100, allowed=AtLeast(1)))}
        if dataset in ("PACS", "TerraIncognita"):
            changes["rdm_lambda"] = (5.0, Uniform(1, 10))
        if dataset in ("TerraIncognita", "DomainNet"):
            changes["batch_size"] = (40, UniformInt(30, 60, allowed=AtLeast(1)))
        if dataset in ("TerraIncognita", "OfficeHome", "DomainNet"):
            changes["variance_weight"] = (0.0, Constant(0.0))
        if dataset == "DomainNet":
            changes["rdm_lambda"] = (0.5, Uniform(0.1, 1))
            changes["rdm_penalty_anneal_iters"] = (2400, UniformInt(1500, 3000))
        return cls.HPARAMS | changes

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        threshold = self.hparams["rdm_penalty_anneal_iters"]
        x, y = pool(minibatches)
        risks = F.cross_entropy(self.predict(x), y, reduction="none")
        of_domain = by_domain(risks, minibatches)
        erm = mean([e.mean() for e in of_domain])
        matching, variance = self.penalties(risks, of_domain)
        total = erm
        if self.reached(threshold):
            total = erm + self.hparams["rdm_lambda"] * matching + self.hparams["variance_weight"] * variance
        self.warmup_step(total, threshold, lr=self.hparams["rdm_lr"])
        return {
            "update_count": self.update_count.item(),
            "total_loss": total.item(),
            "erm_loss": erm.item(),
            "matching_penalty": matching.item(),
            "variance_penalty": variance.item(),
            "rdm_lambda": self.hparams["rdm_lambda"],
        }

    def penalties(self, risks: Tensor, of_domain: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """MMD² between the worst domain's risks (n_w,) and all risks (N,), and the sum of their variances."""
        worst = of_domain[int(torch.stack([e.mean() for e in of_domain]).argmax())]
        return gaussian_mmd(worst[:, None], risks[:, None], RISK_GAMMAS), risks.var() + worst.var()
