"""Matching of feature distributions between domains: MMD and CORAL."""

from itertools import combinations

import torch.nn.functional as F
from torch import Tensor

from domainbed.algorithms.base import Minibatch
from domainbed.algorithms.erm import ERM
from domainbed.algorithms.kernels import coral_distance, gaussian_mmd
from domainbed.algorithms.minibatches import mean
from domainbed.algorithms.registry import register
from domainbed.hyperparameters import LogUniform


class FeatureMatching(ERM):
    """Classification with a penalty on the distances between the domains' features z_d = f(x_d):

    min mean_d CE(c(z_d), y_d) + mmd_gamma · mean over i < j of distance(z_i, z_j).

    `loss` reports the first term alone. With one domain the penalty is 0.
    """

    HPARAMS = {"mmd_gamma": (1.0, LogUniform(-1, 1))}

    @staticmethod
    def distance(a: Tensor, b: Tensor) -> Tensor:
        """Distance between two sets of features (n, F), (m, F) (scalar)."""
        raise NotImplementedError

    def update(self, minibatches: list[Minibatch], unlabeled: list[Tensor] | None = None) -> dict[str, float]:
        features = [self.featurizer(x) for x, _ in minibatches]
        risks = [F.cross_entropy(self.classifier(z), y) for z, (_, y) in zip(features, minibatches, strict=True)]
        objective, penalty = mean(risks), self.penalty(features)
        self.step(objective + self.hparams["mmd_gamma"] * penalty)
        return {"loss": objective.item(), "penalty": penalty.item()}

    def penalty(self, features: list[Tensor]) -> Tensor:
        """Mean distance between the domains' features (n_d, F) (scalar)."""
        distances = [self.distance(a, b) for a, b in combinations(features, 2)]
        return mean(distances) if distances else features[0].new_zeros(())


@register
class MMD(FeatureMatching):
    """Feature matching with the maximum mean discrepancy under a sum of Gaussian kernels as distance.

    Source: H. Li et al., Domain Generalization with Adversarial Feature Learning, CVPR 2018.
    """

    distance = staticmethod(gaussian_mmd)


@register
class CORAL(FeatureMatching):
    """Feature matching with the difference of means and covariances as distance.

    Source: B. Sun and K. Saenko, Deep CORAL: Correlation Alignment for Deep Domain Adaptation, 2016, arXiv:1607.01719.
    """

    distance = staticmethod(coral_distance)
